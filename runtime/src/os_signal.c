/* Faults, and the signals that ask for a checkpoint, on a POSIX kernel.
 *
 * The handlers run on a stack of their own, since a fault may mean that the Wasm stack is full. A
 * fault that is a trap is not handled in the handler: it makes the interrupted code go on in
 * mvvm_on_trap on the host stack, and returns, so that the kernel restores the signal mask. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* register names in <ucontext.h> */
#endif

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include "arch.h"
#include "internal.h"
#include "restore_pages.h"

enum { HANDLER_STACK_SIZE = 1 << 16 };

/* The trap that a fault at `address` with stack pointer `sp` stands for; 0 when it is none. */
static int trap_of_fault(uintptr_t address, uintptr_t sp)
{
    if (mvvm_host_sp == NULL || !mvvm_stack_contains(&mvvm_stack, sp))
        return 0;
    if (mvvm_memory_reserved(address))
        return MVVM_TRAP_MEMORY_OUT_OF_BOUNDS;
    if (address - (uintptr_t)mvvm_stack.reservation < mvvm_stack.guard_size)
        return MVVM_TRAP_CALL_STACK_EXHAUSTED;
    return 0;
}

/* Async-signal-safe: "mvvm-aot: internal error: fault at 0x... (pc 0x...)". */
static void report_fault(uintptr_t address, uintptr_t pc)
{
    char text[96] = "mvvm-aot: internal error: fault at 0x";
    size_t length = strlen(text);
    const uintptr_t numbers[2] = {address, pc};
    for (int k = 0; k < 2; k++) {
        for (int shift = (int)sizeof(uintptr_t) * 8 - 4; shift >= 0; shift -= 4)
            text[length++] = "0123456789abcdef"[numbers[k] >> shift & 15];
        const char *after = k == 0 ? " (pc 0x" : ")\n";
        memcpy(text + length, after, strlen(after));
        length += strlen(after);
    }
    ssize_t written = write(STDERR_FILENO, text, length);
    (void)written;
}

static void on_fault(int number, siginfo_t *info, void *argument)
{
    ucontext_t *context = argument;
    const uintptr_t address = (uintptr_t)info->si_addr;
    const uintptr_t sp = mvvm_arch_sp(context);
    if (info->si_code > 0 && mvvm_load_on_fault(address))
        return; /* the instruction is tried again */
    const int code = info->si_code > 0 ? trap_of_fault(address, sp) : 0;
    if (code == 0) {
        if (info->si_code > 0)
            report_fault(address, mvvm_arch_pc(context));
        struct sigaction action = {.sa_handler = SIG_DFL};
        sigaction(number, &action, NULL);
        if (info->si_code <= 0)
            raise(number);
        return; /* the instruction faults again, now fatally */
    }
    const uintptr_t stack_low = (uintptr_t)mvvm_stack.reservation + mvvm_stack.guard_size;
    mvvm_fault = (struct mvvm_fault){
        .valid = true,
        .pc = mvvm_arch_pc(context),
        .sp = sp,
        .fp = mvvm_arch_fp(context),
        .entry_return =
            code == MVVM_TRAP_CALL_STACK_EXHAUSTED ? mvvm_arch_entry_return(context, stack_low) : 0,
    };
    mvvm_arch_redirect(context, (uintptr_t)mvvm_host_sp, (void (*)(int))mvvm_on_trap, code);
}

static void on_request(int number)
{
    (void)number;
    mvvm_on_request_signal();
}

static void on_timer(int number)
{
    (void)number;
    mvvm_on_timer_signal();
}

void mvvm_os_install_handlers(void)
{
    static bool installed;
    if (installed)
        return;
    installed = true;
    size_t size = HANDLER_STACK_SIZE;
#ifdef _SC_SIGSTKSZ
    const long wanted = sysconf(_SC_SIGSTKSZ); /* wide vector states need more than the constant */
    if (wanted > 0 && (size_t)wanted * 2 > size)
        size = (size_t)wanted * 2;
#endif
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        mvvm_fatal(MVVM_EXIT_SYSTEM, "cannot allocate a signal stack: %s", strerror(errno));
    const stack_t stack = {.ss_sp = memory, .ss_size = size};
    if (sigaltstack(&stack, NULL) != 0)
        mvvm_fatal(MVVM_EXIT_SYSTEM, "cannot set a signal stack: %s", strerror(errno));

    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);

    action = (struct sigaction){.sa_handler = on_request, .sa_flags = SA_ONSTACK | SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGUSR1, &action, NULL);
    action.sa_handler = on_timer;
    sigaction(SIGALRM, &action, NULL);

    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of the write */

    /* A request before this line would end the process. Whoever sends one looks for this descriptor in
     * /proc/PID/fd (docs/internals.md, section 5), since an emulator hides the guest's handlers. */
    (void)memfd_create("mvvm-aot", MFD_CLOEXEC);
}

int mvvm_os_start_timer(double seconds)
{
    if (!(seconds > 0) || seconds > 1e9)
        return -EINVAL;
    struct timeval period = {.tv_sec = (time_t)seconds};
    period.tv_usec = (suseconds_t)((seconds - (double)period.tv_sec) * 1e6);
    if (period.tv_sec == 0 && period.tv_usec == 0)
        period.tv_usec = 1;
    const struct itimerval timer = {.it_interval = period, .it_value = period};
    return setitimer(ITIMER_REAL, &timer, NULL) == 0 ? 0 : -errno;
}
