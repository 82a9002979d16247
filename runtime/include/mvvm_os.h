/* All that the runtime asks an operating system for. One file per kernel implements it (src/os_posix.c).
 * Functions that can fail return 0 or a negative errno unless said otherwise. */
#ifndef MVVM_OS_H
#define MVVM_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* -- Memory (os_memory.c) -- */
void *mvvm_os_reserve(size_t size);                       /* inaccessible; NULL on failure */
int mvvm_os_commit(void *address, size_t size);           /* readable and writable, zero */
void mvvm_os_release(void *address, size_t size);
size_t mvvm_os_page_size(void);

/* -- Faults and checkpoint requests (os_signal.c) -- */
/* Installs the fault handler (alternate stack) and the SIGUSR1/timer handlers. */
void mvvm_os_install_handlers(void);
int mvvm_os_start_timer(double seconds);

/* -- Clocks and waiting (os_file.c) -- */
uint64_t mvvm_os_monotonic_ns(void);
uint64_t mvvm_os_realtime_ns(void);

struct mvvm_os_pollfd {
    int fd;
    bool want_read, want_write;   /* in */
    bool readable, writable, hangup, error; /* out */
};
/* Waits until a descriptor is ready, `deadline_ns` (host monotonic, UINT64_MAX: never) has passed, or a checkpoint is
 * wanted. A request that arrives just before the wait is not lost (signals are blocked while it is looked at). Returns
 * the number of ready descriptors, 0 at the deadline, or MVVM_OS_INTERRUPTED. */
#define MVVM_OS_INTERRUPTED (-100000)
int mvvm_os_poll(struct mvvm_os_pollfd *fds, size_t count, uint64_t deadline_ns);

#endif
