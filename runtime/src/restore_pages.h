/* The section PAGES of a snapshot, put into the memory: read, or mapped copy-on-write and checked while the
 * program runs. */
#ifndef MVVM_RESTORE_PAGES_H
#define MVVM_RESTORE_PAGES_H

#include "pages.h"

/* The section, as header, directory and MEMORIES describe it. */
struct mvvm_pages_source {
    int fd; /* stays the caller's */
    const char *path;
    uint64_t offset, size;
    uint32_t crc;
    uint32_t run_count;
    const uint8_t *runs; /* run_count * (u64 first page, u64 count), checked */
};

/* Puts the pages into the memory at `base`, which is zero where they go. NULL, or what is wrong; *status is its exit
 * status. Where runs were mapped, what the file holds is not known to be right before mvvm_settle. */
const char *mvvm_restore_pages(const struct mvvm_pages_source *source, uint8_t *base, int *status);

/* The runs of `base` that are mapped from a snapshot, ascending; none: count 0. */
struct mvvm_runs mvvm_mapped_runs(const uint8_t *base);

/* True while a snapshot is mapped: mvvm_settle has something to do. */
extern bool mvvm_pages_are_mapped;

/* Async-signal-safe: the kernel could not deliver a mapped page. Ends the process. */
_Noreturn void mvvm_report_lost_page(void);

#endif
