/* Crossing between the host stack and the Wasm stack on AArch64 (AAPCS64).
 * docs/internals.md, section 3.
 *
 * The host stack at and above mvvm_host_sp, 16-byte aligned:
 *   +0 x29, x30   +16 x19 ... x28   +96 d8 ... d15   +160 the outer entry's mvvm_host_sp
 * Generated code keeps nothing in registers over a call but sp and x29, so what is called from it
 * may use all others. FPCR is never touched. */

    .text

    .macro SAVE_HOST
    stp x29, x30, [sp, #-176]!
    stp x19, x20, [sp, #16]
    stp x21, x22, [sp, #32]
    stp x23, x24, [sp, #48]
    stp x25, x26, [sp, #64]
    stp x27, x28, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    adrp x9, mvvm_host_sp
    add x9, x9, :lo12:mvvm_host_sp
    ldr x10, [x9]
    str x10, [sp, #160]
    mov x10, sp
    str x10, [x9]
    .endm

    /* x19: sp at the point, x20: return address, x29: the caller's frame; all three survive C. */
    .macro TO_HOST
    mov x19, sp
    mov x20, x30
    adrp x9, mvvm_last_frame
    add x9, x9, :lo12:mvvm_last_frame
    stp x19, x29, [x9]
    str x20, [x9, #16]
    adrp x9, mvvm_host_sp
    ldr x9, [x9, :lo12:mvvm_host_sp]
    mov sp, x9
    .endm

/* int mvvm_enter_wasm(void *stack_top, void (*thunk)(void)) */
    .globl mvvm_enter_wasm
    .hidden mvvm_enter_wasm
    .type mvvm_enter_wasm, %function
mvvm_enter_wasm:
    SAVE_HOST
    mov sp, x0
    mov x29, xzr
    blr x1
    .globl mvvm_wasm_return
    .hidden mvvm_wasm_return
mvvm_wasm_return:
    mov w0, wzr

/* void mvvm_unwind(int code): the innermost mvvm_enter_wasm or mvvm_enter_host returns `code`. */
    .globl mvvm_unwind
    .hidden mvvm_unwind
    .type mvvm_unwind, %function
mvvm_unwind:
    adrp x9, mvvm_host_sp
    add x9, x9, :lo12:mvvm_host_sp
    ldr x10, [x9]
    mov sp, x10
    ldr x10, [sp, #160]
    str x10, [x9]
    ldp d14, d15, [sp, #144]
    ldp d12, d13, [sp, #128]
    ldp d10, d11, [sp, #112]
    ldp d8, d9, [sp, #96]
    ldp x27, x28, [sp, #80]
    ldp x25, x26, [sp, #64]
    ldp x23, x24, [sp, #48]
    ldp x21, x22, [sp, #32]
    ldp x19, x20, [sp, #16]
    ldp x29, x30, [sp], #176
    ret

/* int mvvm_enter_host(void (*function)(void)): like mvvm_enter_wasm, but stays on the host stack;
 * the function ends in mvvm_jump_into or mvvm_unwind. */
    .globl mvvm_enter_host
    .hidden mvvm_enter_host
    .type mvvm_enter_host, %function
mvvm_enter_host:
    SAVE_HOST
    blr x0
    brk #1

/* preserve_none void mvvm_leave(void) */
    .globl mvvm_leave
    .hidden mvvm_leave
    .type mvvm_leave, %function
mvvm_leave:
    TO_HOST
    bl mvvm_on_leave
    mov sp, x19
    br x20

/* preserve_none void mvvm_host_call(context x20, func_index w21, homes x22) */
    .globl mvvm_host_call
    .hidden mvvm_host_call
    .type mvvm_host_call, %function
mvvm_host_call:
    mov x0, x20
    mov w1, w21
    mov x2, x22
    TO_HOST
    bl mvvm_on_host_call
    mov sp, x19
    br x20

/* void mvvm_trap(int code), C convention, on the Wasm stack */
    .globl mvvm_trap
    .hidden mvvm_trap
    .type mvvm_trap, %function
mvvm_trap:
    TO_HOST
    bl mvvm_on_trap
    brk #1

/* void mvvm_jump_into(uintptr_t sp, uintptr_t fp, uintptr_t pc, int poison)
 * poison: 0 none, else every register but sp, the frame pointer and x17 (the jump's own). */
    .globl mvvm_jump_into
    .hidden mvvm_jump_into
    .type mvvm_jump_into, %function
mvvm_jump_into:
    mov sp, x0
    mov x29, x1
    mov x17, x2
    cbz w3, 1f
    adrp x16, mvvm_poison_bytes
    add x16, x16, :lo12:mvvm_poison_bytes
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    ldr q\n, [x16]
    .endr
    .irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    ldr q\n, [x16]
    .endr
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    ldr x\n, [x16]
    .endr
    .irp n, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 30
    ldr x\n, [x16]
    .endr
    ldr x16, [x16]
1:
    br x17

    .section .note.GNU-stack, "", %progbits
