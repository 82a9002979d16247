/* What C must know of x86-64: the registers in a signal's context, how far poison reaches. */
#ifndef MVVM_ARCH_H
#define MVVM_ARCH_H

#include <stdint.h>
#include <ucontext.h>

#define MVVM_ARCH_NAME "x86_64"

static inline uintptr_t mvvm_arch_pc(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
}

static inline uintptr_t mvvm_arch_sp(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
}

static inline uintptr_t mvvm_arch_fp(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.gregs[REG_RBP];
}

/* The return address of a function that has executed nothing yet; 0 when the stack, which is
 * readable from `stack_low` on, does not hold it. */
static inline uintptr_t mvvm_arch_entry_return(const ucontext_t *context, uintptr_t stack_low)
{
    const uintptr_t sp = mvvm_arch_sp(context);
    return sp >= stack_low ? *(const uintptr_t *)sp : 0;
}

/* Make the interrupted thread go on in `function(argument)` on the stack that ends at `sp` (aligned
 * 16). */
static inline void mvvm_arch_redirect(ucontext_t *context, uintptr_t sp, void (*function)(int),
                                      int argument)
{
    context->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)function;
    context->uc_mcontext.gregs[REG_RSP] = (greg_t)(sp - 8);
    context->uc_mcontext.gregs[REG_RBP] = 0;
    context->uc_mcontext.gregs[REG_RDI] = argument;
}

/* Level for mvvm_jump_into: the widest vector registers that the processor and the kernel let us
 * use. */
static inline int mvvm_arch_poison_level(void)
{
    uint32_t a = 1, b, c = 0, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    const uint32_t osxsave_and_avx = 1u << 27 | 1u << 28;
    if ((c & osxsave_and_avx) != osxsave_and_avx)
        return 1;
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    if ((low & 6) != 6)
        return 1;
    a = 7, c = 0;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return (b >> 16 & 1) && (low & 0xE6) == 0xE6 ? 3 : 2;
}

#endif
