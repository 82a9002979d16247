/* Imports: finding what each is bound to, and whether its type fits (specification 4.5.4, external
 * typing). */
#include <string.h>

#include "internal.h"

static char signature_letter(uint8_t valtype)
{
    switch (valtype) {
    case MVVM_TYPE_I32:
        return 'i';
    case MVVM_TYPE_I64:
        return 'I';
    case MVVM_TYPE_F32:
        return 'f';
    case MVVM_TYPE_F64:
        return 'F';
    default:
        return '?';
    }
}

static bool signature_fits(const struct mvvm_type *type, const char *signature)
{
    for (uint32_t k = 0; k < type->param_count; k++)
        if (*signature == '\0' || *signature++ != signature_letter(type->params[k]))
            return false;
    if (*signature++ != ':')
        return false;
    for (uint32_t k = 0; k < type->result_count; k++)
        if (*signature == '\0' || *signature++ != signature_letter(type->results[k]))
            return false;
    return *signature == '\0';
}

static const struct mvvm_host_func *find_host(const struct mvvm_host_func *row, const char *module,
                                              const char *name)
{
    for (; row->name != NULL; row++)
        if (strcmp(row->name, name) == 0 && strcmp(row->module, module) == 0)
            return row;
    return NULL;
}

bool mvvm_resolve_host(void *data, const struct mvvm_module *module,
                       const struct mvvm_import *import, struct mvvm_extern *out)
{
    (void)data;
    (void)module;
    if (import->kind != MVVM_EXTERN_FUNC)
        return false;
    out->host = find_host(mvvm_wasi_funcs, import->module, import->name);
    if (out->host == NULL)
        out->host = find_host(mvvm_env_funcs, import->module, import->name);
    return out->host != NULL;
}

static bool bad_type(const struct mvvm_module *module, const struct mvvm_import *import,
                     struct mvvm_failure *failure)
{
    static const char *const kinds[] = {"function", "table", "memory", "global"};
    return mvvm_fail_link(failure, "%s: import %s.%s: incompatible import type (a %s)",
                          module->name, import->module, import->name, kinds[import->kind]);
}

/* The functions of WASI that may run before a restored memory is known to be right. */
static bool is_inward(const struct mvvm_import *import)
{
    static const char *const names[] = {"args_get",          "args_sizes_get", "environ_get",
                                        "environ_sizes_get", "clock_res_get",  "clock_time_get",
                                        "sched_yield"};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        if (strcmp(import->name, names[k]) == 0)
            return strncmp(import->module, "wasi_", 5) == 0;
    return false;
}

static bool bind_func(struct mvvm_instance *instance, uint32_t func_index,
                      struct mvvm_binding *binding, const struct mvvm_import *import,
                      const struct mvvm_extern *source)
{
    const struct mvvm_type *type = mvvm_func_type(instance, func_index);
    if (source->host != NULL) {
        *binding = (struct mvvm_binding){.fn = source->host->fn, .is_inward = is_inward(import)};
        return signature_fits(type, source->host->signature);
    }
    *binding = (struct mvvm_binding){.instance = source->instance, .func_index = source->index};
    return mvvm_func_type(source->instance, source->index)->type_id == type->type_id;
}

static bool bind_table(struct mvvm_instance *instance, uint32_t index,
                       const struct mvvm_extern *source)
{
    struct mvvm_table *owner = &source->instance->module->tables[source->index];
    const struct mvvm_table_desc *wanted = &instance->module->table_descs[index];
    if (mvvm_table_reftype(owner) != wanted->reftype || owner->size < wanted->min ||
        (wanted->max != UINT32_MAX && owner->max > wanted->max))
        return false;
    mvvm_table_share(&instance->module->tables[index], owner);
    return true;
}

static bool bind_memory(struct mvvm_instance *instance, const struct mvvm_extern *source)
{
    const struct mvvm_module *module = instance->module;
    const struct mvvm_context *owner = source->instance->module->context;
    if (owner->memory_bytes / MVVM_WASM_PAGE < module->memory_min_pages ||
        source->instance->memory_max_pages > module->memory_max_pages)
        return false;
    mvvm_memory_share(module->context, owner);
    instance->memory_max_pages = source->instance->memory_max_pages;
    return true;
}

static bool bind_global(struct mvvm_instance *instance, uint32_t index,
                        const struct mvvm_extern *source)
{
    const struct mvvm_global_desc *wanted = &instance->module->globals[index];
    const struct mvvm_global_desc *given = &source->instance->module->globals[source->index];
    if (wanted->valtype != given->valtype || wanted->mutable_ != given->mutable_)
        return false;
    instance->module->global_refs[index] = mvvm_global_slot(source->instance, source->index);
    return true;
}

bool mvvm_resolve_imports(struct mvvm_instance *instance, struct mvvm_binding *bindings,
                          mvvm_resolver *resolve, void *data, struct mvvm_failure *failure)
{
    const struct mvvm_module *module = instance->module;
    uint32_t next[4] = {0, 0, 0, 0}; /* the index of the kind's next import */
    for (uint32_t k = 0; k < module->import_count; k++) {
        const struct mvvm_import *import = &module->imports[k];
        struct mvvm_extern source = {NULL, NULL, 0};
        if (!resolve(data, module, import, &source))
            return mvvm_fail_link(failure, "%s: unknown import %s.%s", module->name, import->module,
                                  import->name);
        if (source.host == NULL && source.instance == NULL)
            return bad_type(module, import, failure);
        const uint32_t index = next[import->kind]++;
        bool fits = false;
        if (import->kind == MVVM_EXTERN_FUNC)
            fits = bind_func(instance, index, &bindings[index], import, &source);
        else if (source.instance == NULL)
            fits = false;
        else if (import->kind == MVVM_EXTERN_TABLE)
            fits = bind_table(instance, index, &source);
        else if (import->kind == MVVM_EXTERN_MEMORY)
            fits = bind_memory(instance, &source);
        else
            fits = bind_global(instance, index, &source);
        if (!fits)
            return bad_type(module, import, failure);
    }
    return true;
}
