/* Keeps rsp and rbp, and what no point preserves gets poison. */
    .text
    .globl mvvm_leave
mvvm_leave:
    incq stub_leaves(%rip)
    jmp poison
    .globl mvvm_host_call
mvvm_host_call:
    push %rbp
    mov %rsp, %rbp
    mov %r12, %rdi
    mov %r13, %rsi
    mov %r14, %rdx
    call stub_host
    pop %rbp
poison:
    mov $0x5a5a5a5a5a5a5a5a, %rax
    mov %rax, %rbx
    mov %rax, %rcx
    mov %rax, %rdx
    mov %rax, %rsi
    mov %rax, %rdi
    mov %rax, %r8
    mov %rax, %r9
    mov %rax, %r10
    mov %rax, %r11
    mov %rax, %r12
    mov %rax, %r13
    mov %rax, %r14
    mov %rax, %r15
    movq %rax, %xmm0
    movddup %xmm0, %xmm0
    .irp n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    movaps %xmm0, %xmm\n
    .endr
    ret
    .section .note.GNU-stack,"",@progbits
