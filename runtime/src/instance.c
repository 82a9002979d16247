/* Instantiation: a translated module's description and its imports -> a running instance
 * (specification 4.5.4). */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct mvvm_func *mvvm_funcs;
uint32_t mvvm_func_total;

/* What the runtime keeps for each module beside `struct mvvm_instance`. */
struct state {
    struct mvvm_instance instance;
    struct mvvm_binding *bindings;
    bool used;
};

static struct state *states; /* one per module, by its place in mvvm_modules */

bool mvvm_fail_link(struct mvvm_failure *failure, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    failure->kind = MVVM_FAILURE_LINK;
    vsnprintf(failure->message, sizeof failure->message, format, arguments);
    va_end(arguments);
    return false;
}

static bool fail_trap(struct mvvm_failure *failure, int code)
{
    failure->kind = MVVM_FAILURE_TRAP;
    failure->trap_code = code;
    snprintf(failure->message, sizeof failure->message, "%s", mvvm_trap_message(code));
    return false;
}

static bool fail_system(struct mvvm_failure *failure, const char *what)
{
    failure->kind = MVVM_FAILURE_SYSTEM;
    snprintf(failure->message, sizeof failure->message, "%s", what);
    return false;
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count == 0 ? 1 : count, size);
    if (memory == NULL)
        mvvm_fatal(MVVM_EXIT_SYSTEM, "out of memory");
    return memory;
}

/* Descriptors of all modules' functions, so that a func_id is an index into one array. */
static void create_funcs(void)
{
    for (uint32_t m = 0; m < mvvm_module_count; m++)
        mvvm_func_total += mvvm_modules[m]->func_count;
    mvvm_funcs = allocate(mvvm_func_total, sizeof *mvvm_funcs);
    states = allocate(mvvm_module_count, sizeof *states);
    uint32_t base = 0;
    for (uint32_t m = 0; m < mvvm_module_count; m++) {
        const struct mvvm_module *module = mvvm_modules[m];
        struct mvvm_instance *instance = &states[m].instance;
        instance->module = module;
        instance->funcs = mvvm_funcs + base;
        instance->func_id_base = base;
        for (uint32_t k = 0; k < module->func_count; k++)
            instance->funcs[k] = (struct mvvm_func){
                .code = module->funcs[k].code,
                .type_id = module->types[module->funcs[k].type_index].type_id,
                .func_index = k,
                .instance = instance,
                .name = module->funcs[k].name,
            };
        base += module->func_count;
    }
}

static struct state *state_of(const struct mvvm_module *module)
{
    if (mvvm_funcs == NULL)
        create_funcs();
    for (uint32_t m = 0; m < mvvm_module_count; m++)
        if (mvvm_modules[m] == module)
            return &states[m];
    mvvm_fatal(MVVM_EXIT_SYSTEM, "internal error: module %s is not in mvvm_modules", module->name);
}

const struct mvvm_binding *mvvm_binding_of(const struct mvvm_instance *instance,
                                           uint32_t func_index)
{
    return &state_of(instance->module)->bindings[func_index];
}

const struct mvvm_type *mvvm_func_type(const struct mvvm_instance *instance, uint32_t func_index)
{
    return &instance->module->types[instance->module->funcs[func_index].type_index];
}

void *mvvm_global_slot(const struct mvvm_instance *instance, uint32_t global_index)
{
    const struct mvvm_module *module = instance->module;
    if (global_index < module->imported_global_count)
        return module->global_refs[global_index];
    return module->global_slots + (size_t)16 * (global_index - module->imported_global_count);
}

bool mvvm_ref_is_func(uint64_t ref, struct mvvm_instance **instance, uint32_t *func_index)
{
    if (ref == 0)
        return false;
    const struct mvvm_func *func = (const struct mvvm_func *)(uintptr_t)ref;
    *instance = func->instance;
    *func_index = func->func_index;
    return true;
}

const char *mvvm_ref_to_index(const struct mvvm_instance *instance, uint8_t reftype, uint64_t ref,
                              uint32_t *out)
{
    *out = UINT32_MAX;
    if (ref == 0)
        return NULL;
    if (reftype == MVVM_TYPE_EXTERNREF)
        return "a host's value (an externref that is not null) cannot move";
    const struct mvvm_func *func = (const struct mvvm_func *)(uintptr_t)ref;
    if (func->instance != instance)
        return "a reference to another module's function cannot move";
    *out = func->func_index;
    return NULL;
}

uint64_t mvvm_index_to_ref(const struct mvvm_instance *instance, uint32_t index)
{
    return index == UINT32_MAX ? 0 : (uint64_t)(uintptr_t)&instance->funcs[index];
}

const char *mvvm_index_objection(const struct mvvm_instance *instance, uint8_t valtype,
                                 uint32_t index)
{
    if (index == UINT32_MAX)
        return NULL;
    if (valtype == MVVM_TYPE_EXTERNREF)
        return "holds a host's value (an externref that is not null), which cannot move";
    if (valtype == MVVM_TYPE_FUNCREF && index >= instance->module->func_count)
        return "refers to a function that does not exist";
    return NULL;
}

static void create_segments(struct mvvm_instance *instance)
{
    const struct mvvm_module *module = instance->module;
    instance->data_sizes = allocate(module->data_count, sizeof *instance->data_sizes);
    instance->elem_sizes = allocate(module->elem_count, sizeof *instance->elem_sizes);
    instance->data_dropped = allocate(module->data_count, 1);
    instance->elem_dropped = allocate(module->elem_count, 1);
    for (uint32_t k = 0; k < module->data_count; k++)
        instance->data_sizes[k] = module->datas[k].size;
    for (uint32_t k = 0; k < module->elem_count; k++)
        instance->elem_sizes[k] = module->elems[k].count;
}

static bool create_memory_and_tables(struct mvvm_instance *instance, struct mvvm_failure *failure)
{
    const struct mvvm_module *module = instance->module;
    for (uint32_t k = module->imported_table_count; k < module->table_count; k++) {
        const struct mvvm_table_desc *desc = &module->table_descs[k];
        if (mvvm_table_create(&module->tables[k], desc->reftype, desc->min, desc->max) != 0)
            return fail_system(failure, "cannot allocate a table of the module's minimum size");
    }
    if (module->imported_memory_count == 0 && module->memory_count > 0) {
        instance->memory_max_pages = module->memory_max_pages;
        if (mvvm_memory_create(module->context, module->memory_min_pages,
                               module->memory_max_pages) != 0)
            return fail_system(failure, "cannot reserve address space for the linear memory");
    }
    return true;
}

static void create_globals(struct mvvm_instance *instance)
{
    const struct mvvm_module *module = instance->module;
    for (uint32_t k = module->imported_global_count; k < module->global_count; k++) {
        union mvvm_value value;
        mvvm_eval_init(instance, &module->globals[k].init, &value);
        memcpy(mvvm_global_slot(instance, k), &value, sizeof value);
    }
}

struct mvvm_instance *mvvm_instance_prepare(const struct mvvm_module *module,
                                            mvvm_resolver *resolve, void *data,
                                            struct mvvm_failure *failure)
{
    struct state *state = state_of(module);
    struct mvvm_instance *instance = &state->instance;
    if (state->used) {
        mvvm_fail_link(failure, "%s: the module already has an instance", module->name);
        return NULL;
    }
    state->used = true;
    state->bindings = allocate(module->imported_func_count, sizeof *state->bindings);
    module->context->instance = instance;
    if (!mvvm_resolve_imports(instance, state->bindings, resolve, data, failure))
        return NULL;
    create_segments(instance);
    create_globals(instance);
    return create_memory_and_tables(instance, failure) ? instance : NULL;
}

static uint32_t eval_offset(const struct mvvm_instance *instance, const struct mvvm_init *init)
{
    union mvvm_value value;
    mvvm_eval_init(instance, init, &value);
    return value.i32;
}

static bool run_segments(struct mvvm_instance *instance, struct mvvm_failure *failure)
{
    const struct mvvm_module *module = instance->module;
    for (uint32_t k = 0; k < module->elem_count; k++) {
        const struct mvvm_elem_desc *segment = &module->elems[k];
        if (segment->mode == MVVM_SEGMENT_PASSIVE)
            continue;
        if (segment->mode == MVVM_SEGMENT_ACTIVE &&
            !mvvm_table_fill_from(instance, segment->table, k,
                                  eval_offset(instance, &segment->offset), 0, segment->count))
            return fail_trap(failure, MVVM_TRAP_TABLE_OUT_OF_BOUNDS);
        mvvm_elem_drop(module->context, k);
    }
    for (uint32_t k = 0; k < module->data_count; k++) {
        const struct mvvm_data_desc *segment = &module->datas[k];
        if (segment->mode != MVVM_SEGMENT_ACTIVE)
            continue;
        if (!mvvm_memory_fill_from(instance, k, eval_offset(instance, &segment->offset), 0,
                                   segment->size))
            return fail_trap(failure, MVVM_TRAP_MEMORY_OUT_OF_BOUNDS);
        mvvm_data_drop(module->context, k);
    }
    return true;
}

struct mvvm_instance *mvvm_instantiate(const struct mvvm_module *module, mvvm_resolver *resolve,
                                       void *data, struct mvvm_failure *failure)
{
    struct mvvm_instance *instance = mvvm_instance_prepare(module, resolve, data, failure);
    if (instance == NULL || !run_segments(instance, failure))
        return NULL;
    if (module->start_func != UINT32_MAX) {
        const int code = mvvm_invoke(instance, module->start_func, NULL, NULL);
        if (code != 0) {
            fail_trap(failure, code);
            return NULL;
        }
    }
    return instance;
}

const struct mvvm_export *mvvm_find_export(const struct mvvm_instance *instance, const char *name)
{
    const struct mvvm_module *module = instance->module;
    for (uint32_t k = 0; k < module->export_count; k++)
        if (strcmp(module->exports[k].name, name) == 0)
            return &module->exports[k];
    return NULL;
}
