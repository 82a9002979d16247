/* What C must know of AArch64: the registers in a signal's context, how far poison reaches. */
#ifndef MVVM_ARCH_H
#define MVVM_ARCH_H

#include <stdint.h>
#include <ucontext.h>

#define MVVM_ARCH_NAME "aarch64"

static inline uintptr_t mvvm_arch_pc(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.pc;
}

static inline uintptr_t mvvm_arch_sp(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.sp;
}

static inline uintptr_t mvvm_arch_fp(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.regs[29];
}

/* The return address of a function that has not yet saved it; `stack_low` is where the stack
 * starts. */
static inline uintptr_t mvvm_arch_entry_return(const ucontext_t *context, uintptr_t stack_low)
{
    (void)stack_low;
    return (uintptr_t)context->uc_mcontext.regs[30];
}

/* Make the interrupted thread go on in `function(argument)` on the stack that ends at `sp` (aligned
 * 16). */
static inline void mvvm_arch_redirect(ucontext_t *context, uintptr_t sp, void (*function)(int),
                                      int argument)
{
    context->uc_mcontext.pc = (uintptr_t)function;
    context->uc_mcontext.sp = sp;
    context->uc_mcontext.regs[29] = 0;
    context->uc_mcontext.regs[0] = (uint64_t)argument;
}

/* Level for mvvm_jump_into: any but 0 means all. */
static inline int mvvm_arch_poison_level(void)
{
    return 1;
}

#endif
