/* Tables. A table's elements are reserved up front like a memory's bytes, so that generated code
 * and every module that imports the table may keep its address; only sizes change. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* More elements than this are refused, which the specification allows. */
#define TABLE_LIMIT 10000000u

/* One table, and every module's copy of its (address, size). */
struct table {
    struct table *next;
    struct mvvm_elem *elems;
    uint64_t committed; /* bytes */
    uint64_t capacity;  /* elements */
    struct mvvm_table **views;
    size_t view_count;
    uint8_t reftype;
};

static struct table *tables;

static const struct mvvm_elem null_elem = {NULL, MVVM_NULL_TYPE_ID, MVVM_NULL_TYPE_ID};

static struct table *table_of(const struct mvvm_table *view)
{
    for (struct table *table = tables; table != NULL; table = table->next)
        if (table->elems == view->elems)
            return table;
    mvvm_fatal(MVVM_EXIT_SYSTEM, "internal error: a table is unknown");
}

static void add_view(struct table *table, struct mvvm_table *view)
{
    struct mvvm_table **views = realloc(table->views, (table->view_count + 1) * sizeof *views);
    if (views == NULL)
        mvvm_fatal(MVVM_EXIT_SYSTEM, "out of memory");
    views[table->view_count++] = view;
    table->views = views;
}

static uint64_t round_up(uint64_t size, uint64_t unit)
{
    return (size + unit - 1) / unit * unit;
}

int mvvm_table_create(struct mvvm_table *view, uint8_t reftype, uint32_t size, uint32_t max)
{
    struct table *table = calloc(1, sizeof *table);
    if (table == NULL)
        return -1;
    table->capacity = max < TABLE_LIMIT ? max : TABLE_LIMIT;
    table->reftype = reftype;
    const uint64_t bytes =
        round_up(table->capacity * sizeof *table->elems + 1, mvvm_os_page_size());
    table->elems = size > table->capacity ? NULL : mvvm_os_reserve(bytes);
    if (table->elems == NULL) {
        free(table);
        return -1;
    }
    *view = (struct mvvm_table){.elems = table->elems, .size = 0, .max = max};
    table->next = tables;
    tables = table;
    add_view(table, view);
    return mvvm_table_resize(view, size) ? 0 : -1;
}

void mvvm_table_share(struct mvvm_table *view, const struct mvvm_table *owner)
{
    *view = *owner;
    add_view(table_of(owner), view);
}

uint8_t mvvm_table_reftype(const struct mvvm_table *view)
{
    return table_of(view)->reftype;
}

bool mvvm_table_resize(struct mvvm_table *view, uint64_t size)
{
    struct table *table = table_of(view);
    const uint64_t needed = round_up(size * sizeof *table->elems, mvvm_os_page_size());
    if (size > table->capacity)
        return false;
    if (needed > table->committed) {
        if (mvvm_os_commit(table->elems, needed) != 0)
            return false;
        table->committed = needed;
    }
    for (uint64_t k = view->size; k < size; k++)
        table->elems[k] = null_elem;
    for (size_t k = 0; k < table->view_count; k++)
        table->views[k]->size = (uint32_t)size;
    return true;
}

struct mvvm_elem mvvm_elem_of(uint8_t reftype, uint64_t ref)
{
    if (ref == 0)
        return null_elem;
    if (reftype == MVVM_TYPE_EXTERNREF)
        return (struct mvvm_elem){(void (*)(void))(uintptr_t)ref, MVVM_NULL_TYPE_ID, 0};
    const struct mvvm_func *func = (const struct mvvm_func *)(uintptr_t)ref;
    return (struct mvvm_elem){func->code, func->type_id, (uint32_t)(func - mvvm_funcs)};
}

uint64_t mvvm_elem_ref(uint8_t reftype, const struct mvvm_elem *elem)
{
    if (elem->func_id == MVVM_NULL_TYPE_ID)
        return 0;
    if (reftype == MVVM_TYPE_EXTERNREF)
        return (uint64_t)(uintptr_t)elem->code;
    return (uint64_t)(uintptr_t)&mvvm_funcs[elem->func_id];
}

bool mvvm_table_fill_from(struct mvvm_instance *instance, uint32_t table_index, uint32_t elem_index,
                          uint32_t dest, uint32_t source, uint32_t length)
{
    struct mvvm_table *table = &instance->module->tables[table_index];
    const uint8_t reftype = instance->module->table_descs[table_index].reftype;
    const struct mvvm_elem_desc *segment = &instance->module->elems[elem_index];
    if ((uint64_t)source + length > instance->elem_sizes[elem_index] ||
        (uint64_t)dest + length > table->size)
        return false;
    for (uint32_t k = 0; k < length; k++) {
        union mvvm_value value;
        mvvm_eval_init(instance, &segment->items[source + k], &value);
        table->elems[dest + k] = mvvm_elem_of(reftype, value.ref);
    }
    return true;
}

/* -- Helpers that generated code calls: see HELPERS in mvvm_aot/abi.py ------------------------ */

static struct mvvm_table *checked(struct mvvm_context *context, uint32_t table_index,
                                  uint32_t start, uint32_t length)
{
    struct mvvm_table *table = &context->instance->module->tables[table_index];
    if ((uint64_t)start + length > table->size)
        mvvm_trap(MVVM_TRAP_TABLE_OUT_OF_BOUNDS);
    return table;
}

static uint8_t reftype_of(const struct mvvm_context *context, uint32_t table_index)
{
    return context->instance->module->table_descs[table_index].reftype;
}

void mvvm_table_init(struct mvvm_context *context, uint32_t table_index, uint32_t elem_index,
                     uint32_t dest, uint32_t source, uint32_t length)
{
    if (!mvvm_table_fill_from(context->instance, table_index, elem_index, dest, source, length))
        mvvm_trap(MVVM_TRAP_TABLE_OUT_OF_BOUNDS);
}

void mvvm_elem_drop(struct mvvm_context *context, uint32_t elem_index)
{
    context->instance->elem_sizes[elem_index] = 0;
    context->instance->elem_dropped[elem_index] = 1;
}

void mvvm_table_copy(struct mvvm_context *context, uint32_t dest_table, uint32_t source_table,
                     uint32_t dest, uint32_t source, uint32_t length)
{
    struct mvvm_table *from = checked(context, source_table, source, length);
    struct mvvm_table *to = checked(context, dest_table, dest, length);
    if (length != 0)
        memmove(to->elems + dest, from->elems + source, (size_t)length * sizeof *to->elems);
}

uint64_t mvvm_table_get(struct mvvm_context *context, uint32_t table_index, uint32_t index)
{
    const struct mvvm_table *table = checked(context, table_index, index, 1);
    return mvvm_elem_ref(reftype_of(context, table_index), &table->elems[index]);
}

void mvvm_table_set(struct mvvm_context *context, uint32_t table_index, uint32_t index,
                    uint64_t ref)
{
    struct mvvm_table *table = checked(context, table_index, index, 1);
    table->elems[index] = mvvm_elem_of(reftype_of(context, table_index), ref);
}

uint32_t mvvm_table_grow(struct mvvm_context *context, uint32_t table_index, uint64_t ref,
                         uint32_t delta)
{
    struct mvvm_table *table = &context->instance->module->tables[table_index];
    const uint32_t old_size = table->size;
    if (!mvvm_table_resize(table, (uint64_t)old_size + delta))
        return UINT32_MAX;
    const struct mvvm_elem elem = mvvm_elem_of(reftype_of(context, table_index), ref);
    for (uint32_t k = 0; k < delta; k++)
        table->elems[old_size + k] = elem;
    return old_size;
}

void mvvm_table_fill(struct mvvm_context *context, uint32_t table_index, uint32_t start,
                     uint64_t ref, uint32_t length)
{
    struct mvvm_table *table = checked(context, table_index, start, length);
    const struct mvvm_elem elem = mvvm_elem_of(reftype_of(context, table_index), ref);
    for (uint32_t k = 0; k < length; k++)
        table->elems[start + k] = elem;
}

uint64_t mvvm_ref_func(struct mvvm_context *context, uint32_t func_index)
{
    return (uint64_t)(uintptr_t)&context->instance->funcs[func_index];
}

void mvvm_trap_indirect(const struct mvvm_table *table, uint32_t index)
{
    mvvm_trap(table->elems[index].func_id == MVVM_NULL_TYPE_ID
                  ? MVVM_TRAP_UNINITIALIZED_ELEMENT
                  : MVVM_TRAP_INDIRECT_CALL_TYPE_MISMATCH);
}
