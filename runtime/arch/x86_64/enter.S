/* Crossing between the host stack and the Wasm stack on x86-64 (System V).
 * docs/internals.md, section 3.
 *
 * The host stack at and above mvvm_host_sp, 16-byte aligned:
 *   +0 the outer entry's mvvm_host_sp   +8 r15   +16 r14   +24 r13   +32 r12   +40 rbx
 *   +48 rbp   +56 return address
 * Generated code keeps nothing in registers over a call but rsp and rbp, so what is called from it
 * may use all others. MXCSR and the x87 control word are never touched. */

    .text

    .macro SAVE_HOST
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    pushq mvvm_host_sp(%rip)
    movq %rsp, mvvm_host_sp(%rip)
    .endm

    /* rbx: sp at the point, r12: return address, rbp: the caller's frame; all three survive C. */
    .macro TO_HOST
    popq %r15
    movq %rsp, %rbx
    movq %r15, %r12
    movq %rbx, mvvm_last_frame(%rip)
    movq %rbp, mvvm_last_frame+8(%rip)
    movq %r12, mvvm_last_frame+16(%rip)
    movq mvvm_host_sp(%rip), %rsp
    .endm

/* int mvvm_enter_wasm(void *stack_top, void (*thunk)(void)) */
    .globl mvvm_enter_wasm
    .hidden mvvm_enter_wasm
    .type mvvm_enter_wasm, @function
mvvm_enter_wasm:
    SAVE_HOST
    movq %rdi, %rsp
    xorl %ebp, %ebp
    callq *%rsi
    .globl mvvm_wasm_return
    .hidden mvvm_wasm_return
mvvm_wasm_return:
    xorl %edi, %edi

/* void mvvm_unwind(int code): the innermost mvvm_enter_wasm or mvvm_enter_host returns `code`. */
    .globl mvvm_unwind
    .hidden mvvm_unwind
    .type mvvm_unwind, @function
mvvm_unwind:
    movl %edi, %eax
    movq mvvm_host_sp(%rip), %rsp
    popq mvvm_host_sp(%rip)
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    retq

/* int mvvm_enter_host(void (*function)(void)): like mvvm_enter_wasm, but stays on the host stack;
 * the function ends in mvvm_jump_into or mvvm_unwind. */
    .globl mvvm_enter_host
    .hidden mvvm_enter_host
    .type mvvm_enter_host, @function
mvvm_enter_host:
    SAVE_HOST
    callq *%rdi
    ud2

/* preserve_none void mvvm_leave(void) */
    .globl mvvm_leave
    .hidden mvvm_leave
    .type mvvm_leave, @function
mvvm_leave:
    TO_HOST
    callq mvvm_on_leave
    movq %rbx, %rsp
    jmpq *%r12

/* preserve_none void mvvm_host_call(context r12, func_index r13d, homes r14) */
    .globl mvvm_host_call
    .hidden mvvm_host_call
    .type mvvm_host_call, @function
mvvm_host_call:
    movq %r12, %rdi
    movl %r13d, %esi
    movq %r14, %rdx
    TO_HOST
    callq mvvm_on_host_call
    movq %rbx, %rsp
    jmpq *%r12

/* void mvvm_trap(int code), C convention, on the Wasm stack */
    .globl mvvm_trap
    .hidden mvvm_trap
    .type mvvm_trap, @function
mvvm_trap:
    TO_HOST
    callq mvvm_on_trap
    ud2

/* void mvvm_jump_into(uintptr_t sp, uintptr_t fp, uintptr_t pc, int poison)
 * poison: 0 none, 1 general and xmm registers, 2 and ymm, 3 and zmm. */
    .globl mvvm_jump_into
    .hidden mvvm_jump_into
    .type mvvm_jump_into, @function
mvvm_jump_into:
    movq %rdi, %rsp
    movq %rsi, %rbp
    testl %ecx, %ecx
    jnz 1f
    jmpq *%rdx
1:
    movq %rdx, mvvm_jump_target(%rip)
    cmpl $2, %ecx
    ja 4f
    je 3f
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movdqu mvvm_poison_bytes(%rip), %xmm\n
    .endr
    jmp 5f
3:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovdqu mvvm_poison_bytes(%rip), %ymm\n
    .endr
    jmp 5f
4:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovdqu64 mvvm_poison_bytes(%rip), %zmm\n
    .endr
    .irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    vmovdqu64 mvvm_poison_bytes(%rip), %zmm\n
    .endr
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    kmovw mvvm_poison_bytes(%rip), %k\n
    .endr
5:
    .irp reg, rax, rbx, rcx, rdx, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
    movq mvvm_poison_bytes(%rip), %\reg
    .endr
    jmpq *mvvm_jump_target(%rip)

    .section .note.GNU-stack, "", @progbits
