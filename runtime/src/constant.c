/* Constant expressions (specification 3.3.10, and the integer arithmetic of 3.0): what the compiler
 * could not work out since it depends on an imported global, or is a reference. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Evaluate one instruction that is no operator. */
static void eval_operand(const struct mvvm_instance *instance, const struct mvvm_init *init,
                         union mvvm_value *out)
{
    memset(out, 0, sizeof *out);
    if (init->kind == MVVM_INIT_CONST)
        memcpy(out, init->bits, sizeof *out);
    else if (init->kind == MVVM_INIT_GLOBAL)
        memcpy(out, mvvm_global_slot(instance, init->index), sizeof *out);
    else if (init->kind == MVVM_INIT_FUNC)
        out->ref = (uint64_t)(uintptr_t)&instance->funcs[init->index];
    else if (init->kind != MVVM_INIT_NULL)
        mvvm_fatal(MVVM_EXIT_SYSTEM, "internal error: constant expression of kind %d", init->kind);
}

/* Apply an operator to its first operand in place; false if the instruction is none. */
static bool apply(enum mvvm_init_kind kind, union mvvm_value *first,
                  const union mvvm_value *second)
{
    switch (kind) {
    case MVVM_INIT_I32_ADD:
        first->i32 += second->i32;
        return true;
    case MVVM_INIT_I32_SUB:
        first->i32 -= second->i32;
        return true;
    case MVVM_INIT_I32_MUL:
        first->i32 *= second->i32;
        return true;
    case MVVM_INIT_I64_ADD:
        first->i64 += second->i64;
        return true;
    case MVVM_INIT_I64_SUB:
        first->i64 -= second->i64;
        return true;
    case MVVM_INIT_I64_MUL:
        first->i64 *= second->i64;
        return true;
    default:
        return false;
    }
}

static void eval_steps(const struct mvvm_instance *instance, const struct mvvm_init *steps,
                       uint64_t count, uint64_t deepest, union mvvm_value *out)
{
    union mvvm_value *stack = malloc((size_t)deepest * sizeof *stack);
    if (stack == NULL)
        mvvm_fatal(MVVM_EXIT_SYSTEM, "out of memory");
    size_t height = 0;
    for (uint64_t k = 0; k < count; k++) {
        if (height >= 2 && apply(steps[k].kind, &stack[height - 2], &stack[height - 1]))
            height--;
        else
            eval_operand(instance, &steps[k], &stack[height++]);
    }
    *out = stack[0];
    free(stack);
}

void mvvm_eval_init(const struct mvvm_instance *instance, const struct mvvm_init *init,
                    union mvvm_value *out)
{
    if (init->kind == MVVM_INIT_STEPS)
        eval_steps(instance, &instance->module->init_steps[init->index], init->bits[0],
                   init->bits[1], out);
    else
        eval_operand(instance, init, out);
}
