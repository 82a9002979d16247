/* Keeps sp, x29 and the return address, and what no point preserves gets poison. */
    .text
    .globl mvvm_leave
mvvm_leave:
    adrp x9, stub_leaves
    add x9, x9, :lo12:stub_leaves
    ldr x10, [x9]
    add x10, x10, #1
    str x10, [x9]
    b poison
    .globl mvvm_host_call
mvvm_host_call:
    stp x29, x30, [sp, #-16]!
    mov x29, sp
    mov x0, x20
    mov x1, x21
    mov x2, x22
    bl stub_host
    ldp x29, x30, [sp], #16
poison:
    mov x0, #0x5a5a
    movk x0, #0x5a5a, lsl #16
    movk x0, #0x5a5a, lsl #32
    movk x0, #0x5a5a, lsl #48
    .irp n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,19,20,21,22,23,24,25,26,27,28
    mov x\n, x0
    .endr
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    dup v\n\().2d, x0
    .endr
    ret
    .section .note.GNU-stack,"",@progbits
