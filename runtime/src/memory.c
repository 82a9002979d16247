/* Linear memory: the whole reach of a 32-bit index plus a 32-bit offset is reserved, so that an
 * access out of bounds faults and the base never moves. Growing makes more of the reservation
 * accessible. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* One linear memory, and every context that sees it (several when it is imported). */
struct memory {
    struct memory *next;
    uint8_t *base;
    uint64_t bytes;
    uint64_t max_pages;
    struct mvvm_context **views;
    size_t view_count;
};

static struct memory *memories;

static struct memory *memory_at(const uint8_t *base)
{
    for (struct memory *memory = memories; memory != NULL; memory = memory->next)
        if (memory->base == base)
            return memory;
    return NULL;
}

static void add_view(struct memory *memory, struct mvvm_context *context)
{
    struct mvvm_context **views = realloc(memory->views, (memory->view_count + 1) * sizeof *views);
    if (views == NULL)
        mvvm_fatal(MVVM_EXIT_SYSTEM, "out of memory");
    views[memory->view_count++] = context;
    memory->views = views;
    context->memory_base = memory->base;
    context->memory_bytes = memory->bytes;
}

int mvvm_memory_create(struct mvvm_context *context, uint64_t pages, uint64_t max_pages)
{
    struct memory *memory = calloc(1, sizeof *memory);
    if (memory == NULL)
        return -1;
    memory->base = mvvm_os_reserve(MVVM_MEMORY_RESERVATION);
    memory->max_pages = max_pages;
    if (memory->base == NULL || mvvm_os_commit(memory->base, pages * MVVM_WASM_PAGE) != 0) {
        mvvm_os_release(memory->base, MVVM_MEMORY_RESERVATION);
        free(memory);
        return -1;
    }
    mvvm_os_prefer_large_pages(memory->base, MVVM_MEMORY_RESERVATION);
    memory->bytes = pages * MVVM_WASM_PAGE;
    memory->next = memories;
    memories = memory;
    add_view(memory, context);
    return 0;
}

void mvvm_memory_share(struct mvvm_context *context, const struct mvvm_context *owner)
{
    struct memory *memory = memory_at(owner->memory_base);
    if (memory == NULL)
        mvvm_fatal(MVVM_EXIT_SYSTEM, "internal error: a shared memory is unknown");
    add_view(memory, context);
}

bool mvvm_memory_reserved(uintptr_t address)
{
    for (const struct memory *memory = memories; memory != NULL; memory = memory->next)
        if (address - (uintptr_t)memory->base < MVVM_MEMORY_RESERVATION)
            return true;
    return false;
}

uint64_t mvvm_memory_grow_pages(struct mvvm_context *context, uint64_t delta)
{
    struct memory *memory = memory_at(context->memory_base);
    if (memory == NULL)
        return UINT64_MAX;
    const uint64_t old_pages = memory->bytes / MVVM_WASM_PAGE;
    if (delta > memory->max_pages || old_pages > memory->max_pages - delta)
        return UINT64_MAX;
    if (mvvm_os_commit(memory->base + memory->bytes, delta * MVVM_WASM_PAGE) != 0)
        return UINT64_MAX;
    memory->bytes += delta * MVVM_WASM_PAGE;
    for (size_t k = 0; k < memory->view_count; k++)
        memory->views[k]->memory_bytes = memory->bytes;
    return old_pages;
}

uint32_t mvvm_memory_grow(struct mvvm_context *context, uint32_t delta)
{
    return (uint32_t)mvvm_memory_grow_pages(context, delta);
}

bool mvvm_memory_fill_from(struct mvvm_instance *instance, uint32_t data_index, uint32_t dest,
                           uint32_t source, uint32_t length)
{
    if ((uint64_t)source + length > instance->data_sizes[data_index])
        return false;
    void *to = mvvm_guest(instance, dest, length);
    if (to == NULL && !(length == 0 && dest <= instance->module->context->memory_bytes))
        return false;
    if (length != 0)
        memcpy(to, instance->module->datas[data_index].bytes + source, length);
    return true;
}

void mvvm_memory_init(struct mvvm_context *context, uint32_t data_index, uint32_t dest,
                      uint32_t source, uint32_t length)
{
    if (!mvvm_memory_fill_from(context->instance, data_index, dest, source, length))
        mvvm_trap(MVVM_TRAP_MEMORY_OUT_OF_BOUNDS);
}

void mvvm_data_drop(struct mvvm_context *context, uint32_t data_index)
{
    context->instance->data_sizes[data_index] = 0;
    context->instance->data_dropped[data_index] = 1;
}
