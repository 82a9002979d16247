/* The section PAGES of a snapshot, put into the memory: at once, or while the program runs already. */
#ifndef MVVM_RESTORE_PAGES_H
#define MVVM_RESTORE_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The section, as header, directory and MEMORIES describe it. */
struct mvvm_pages_source {
    int fd; /* stays the caller's */
    const char *path;
    uint64_t offset, size;
    uint32_t crc;
    uint32_t run_count;
    const uint8_t *runs; /* run_count * (u64 first page, u64 count), checked; read before the return only */
};

/* Puts the pages into the memory at `base`, `memory_size` bytes that are zero where the pages go. NULL, or what is
 * wrong; *status is its exit status. What is large is still to be loaded then, and not known to be right before
 * mvvm_settle. */
const char *mvvm_restore_pages(const struct mvvm_pages_source *source, uint8_t *base, uint64_t memory_size,
                               int *status);

/* For the fault handler, async-signal-safe. False: the address does not wait to be loaded. True: it can be accessed
 * now. Ends the process if the file cannot be read. */
bool mvvm_load_on_fault(uintptr_t address);

#endif
