/* See pages.h. A page that was never touched is not looked at: reading it would cost a page fault,
 * and a large memory has many. Linux tells of those in /proc/self/pagemap. */
#include "pages.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

enum { PAGE = MVVM_SNAPSHOT_PAGE, CHUNK = 512 };

bool mvvm_page_is_zero(const uint8_t *page)
{
    for (size_t at = 0; at < PAGE; at += 128) {
        uint64_t words[16], any = 0;
        memcpy(words, page + at, sizeof words);
        for (int k = 0; k < 16; k++)
            any |= words[k];
        if (any != 0)
            return false;
    }
    return true;
}

/* Entries of the page map for `count` pages of the operating system; false when they cannot be had.
 */
static bool read_pagemap(int fd, uintptr_t address, size_t page_size, uint64_t *entries,
                         size_t count)
{
    const size_t size = count * sizeof *entries;
    return pread(fd, entries, size, (off_t)(address / page_size * sizeof *entries)) ==
           (ssize_t)size;
}

static bool is_touched(uint64_t entry)
{
    return (entry & ((uint64_t)3 << 62)) != 0; /* present or swapped out */
}

/* Opens the page map, or -1. Under an emulator its addresses may be another process's: then pages
 * that were surely written do not show up in it. */
static int open_pagemap(size_t page_size)
{
    static volatile uint8_t written;
    volatile uint8_t on_stack = 1;
    const uintptr_t witnesses[2] = {(uintptr_t)&written, (uintptr_t)&on_stack};
    const int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    written = 1;
    for (int k = 0; k < 2 && fd >= 0; k++) {
        uint64_t entry;
        if (!read_pagemap(fd, witnesses[k], page_size, &entry, 1) || !is_touched(entry)) {
            close(fd);
            return -1;
        }
    }
    return fd;
}

static bool add_page(struct mvvm_runs *out, uint64_t page)
{
    if (out->count > 0 &&
        out->runs[out->count - 1].first + out->runs[out->count - 1].count == page) {
        out->runs[out->count - 1].count++;
        return true;
    }
    if (out->count == out->capacity) {
        const size_t capacity = out->capacity == 0 ? 256 : out->capacity * 2;
        struct mvvm_run *runs = realloc(out->runs, capacity * sizeof *runs);
        if (runs == NULL)
            return false;
        out->runs = runs;
        out->capacity = capacity;
    }
    out->runs[out->count++] = (struct mvvm_run){page, 1};
    return true;
}

static bool scan(const uint8_t *base, uint64_t from, uint64_t to, struct mvvm_runs *out)
{
    for (uint64_t at = from; at < to; at += PAGE)
        if (!mvvm_page_is_zero(base + at) && !add_page(out, at / PAGE))
            return false;
    return true;
}

bool mvvm_find_runs(const uint8_t *base, uint64_t size, struct mvvm_runs *out)
{
    uint64_t entries[CHUNK];
    const size_t page_size = mvvm_os_page_size();
    int fd =
        page_size % PAGE == 0 && (uintptr_t)base % page_size == 0 ? open_pagemap(page_size) : -1;
    bool done = true;
    for (uint64_t at = 0; done && at < size;) {
        uint64_t count = (size - at + page_size - 1) / page_size;
        count = count < CHUNK ? count : CHUNK;
        if (fd >= 0 && !read_pagemap(fd, (uintptr_t)base + at, page_size, entries, count)) {
            close(fd);
            fd = -1;
        }
        for (uint64_t k = 0; done && k < count; k++, at += page_size) {
            const uint64_t end = at + page_size < size ? at + page_size : size;
            if (fd < 0 || is_touched(entries[k]))
                done = scan(base, at, end, out);
        }
    }
    if (fd >= 0)
        close(fd);
    return done;
}
