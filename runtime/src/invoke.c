/* Entering Wasm functions from C: the Wasm stack, the thunks' arguments, nested entries. */
#include <string.h>

#include "checkpoint.h"

/* Symbols of generated code. */
uint32_t mvvm_flag;
void *mvvm_invoke_target;
_Alignas(16) union mvvm_value mvvm_invoke_values[MVVM_MAX_SPILL_VALUES];
_Alignas(64) uint8_t mvvm_spill[MVVM_MAX_SPILL_VALUES * 16];

void *mvvm_host_sp;
struct mvvm_position mvvm_last_frame;
uintptr_t mvvm_jump_target;
uint8_t mvvm_poison_bytes[64];

struct mvvm_stack mvvm_stack;
uint32_t mvvm_depth;

/* Each nested entry also takes some of the host's stack. */
enum { MAX_DEPTH = 1000 };

int mvvm_stack_create(struct mvvm_stack *stack, size_t size)
{
    const size_t unit = 1 << 16;
    stack->guard_size = MVVM_GUARD_SIZE + (mvvm_largest_frame() + unit - 1) / unit * unit;
    stack->size = (size + unit - 1) / unit * unit;
    stack->reservation = mvvm_os_reserve(stack->guard_size + stack->size);
    if (stack->reservation == NULL)
        return -1;
    if (mvvm_os_commit(stack->reservation + stack->guard_size, stack->size) == 0)
        return 0;
    mvvm_stack_destroy(stack);
    return -1;
}

void mvvm_stack_destroy(struct mvvm_stack *stack)
{
    mvvm_os_release(stack->reservation, stack->guard_size + stack->size);
    stack->reservation = NULL;
}

/* Where a new entry's frames start: the stack's top, or below the frames that are under way. */
static uint8_t *entry_top(void)
{
    if (mvvm_depth == 0)
        return mvvm_stack_top(&mvvm_stack);
    return (uint8_t *)(mvvm_last_frame.sp & ~(uintptr_t)63) - 64;
}

int mvvm_invoke(struct mvvm_instance *instance, uint32_t func_index, const union mvvm_value *values,
                union mvvm_value *results)
{
    const struct mvvm_type *type = mvvm_func_type(instance, func_index);
    if (mvvm_depth >= MAX_DEPTH)
        return MVVM_TRAP_CALL_STACK_EXHAUSTED;
    const struct mvvm_position saved = mvvm_last_frame;
    uint8_t *top = entry_top();
    if (type->param_count > 0)
        memcpy(mvvm_invoke_values, values, type->param_count * sizeof *values);
    mvvm_invoke_target = (void *)(uintptr_t)instance->funcs[func_index].code;
    mvvm_depth++;
    const int code = mvvm_enter_wasm(top, type->thunk);
    mvvm_depth--;
    mvvm_last_frame = saved;
    if (code == 0 && type->result_count > 0)
        memcpy(results, mvvm_invoke_values, type->result_count * sizeof *results);
    return code;
}

int mvvm_enter_frames(const struct mvvm_instance *instance, struct mvvm_frames *frames,
                      void (*entry)(void), union mvvm_value *results)
{
    const struct mvvm_type *type = mvvm_func_type(instance, frames->frames[0].func_index);
    if (mvvm_test_poison)
        memset(mvvm_stack_top(&mvvm_stack) - mvvm_stack.size, mvvm_poison_bytes[0],
               mvvm_stack.size);
    mvvm_last_frame = mvvm_materialize(instance, frames, &mvvm_stack);
    mvvm_frames_free(frames);
    mvvm_depth = 1;
    const int code = mvvm_enter_host(entry);
    mvvm_depth = 0;
    if (code == 0 && type->result_count > 0 && results != NULL)
        memcpy(results, mvvm_invoke_values, type->result_count * sizeof *results);
    return code;
}

int mvvm_runtime_init(size_t stack_size)
{
    memset(mvvm_poison_bytes, 0xDB, sizeof mvvm_poison_bytes);
    const char *message = mvvm_frame_tables_init();
    if (message != NULL)
        mvvm_fatal(MVVM_EXIT_SYSTEM, "internal error: %s", message);
    mvvm_test_init();
    mvvm_os_install_handlers();
    return mvvm_stack_create(&mvvm_stack, stack_size == 0 ? MVVM_DEFAULT_STACK_SIZE : stack_size);
}
