/* Which pages of a memory hold anything. */
#ifndef MVVM_PAGES_H
#define MVVM_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `count` snapshot pages (4 KiB) from page number `first` on. */
struct mvvm_run {
    uint64_t first, count;
};

struct mvvm_runs {
    struct mvvm_run *runs;
    size_t count, capacity;
};

/* The runs of pages that are not all zero, ascending. `size` is a multiple of the page. False: out
 * of memory. */
bool mvvm_find_runs(const uint8_t *base, uint64_t size, struct mvvm_runs *out);

bool mvvm_page_is_zero(const uint8_t *page);

#endif
