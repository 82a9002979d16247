/* See restore_pages.h. Few pages are read and checked at once. Many are mapped: that takes as long
 * for any size, and a helper thread computes the section's checksum while the program runs. Until
 * it is done the program computes, but nothing that it does shows outside of the process:
 * mvvm_settle comes before. A damaged file ends the process there, at the latest.
 *
 * A file that is replaced (written beside and renamed, as snapshots are) stays as it was for who
 * has mapped it. One that is written over is not; mvvm_settle looks at its size and time. */
#include "restore_pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crc32.h"
#include "internal.h"
#include "options.h"

enum {
    PAGE = MVVM_SNAPSHOT_PAGE,
    PIECE = 1 << 18,          /* bytes read at a time: they are still in the cache when they are checked */
    SMALL = 4 << 20,          /* bytes that are rather read: about a millisecond */
    SHORTEST = 1 << 16,       /* bytes of a run that is mapped: reading costs less than mapping */
    MOST_MAPPINGS = 1 << 14,  /* each may split another; Linux allows 65,530 mappings */
    CHECK_EVERY_NS = 1000000, /* how often the file is looked at; always where a program ends */
};

static const char truncated[] = "the snapshot is truncated";
static const char damaged[] = "the snapshot's section PAGES is damaged";

bool mvvm_pages_are_mapped;

static struct {
    struct mvvm_pages_source source; /* with a descriptor of our own; no runs */
    const uint8_t *base;
    struct mvvm_runs runs;
    struct stat file; /* when it was found to be right, or before it is */
    bool is_checked;  /* false: the helper thread runs */
    uint64_t looked_ns;
} mapped;

/* -- Reading ---------------------------------------------------------------------------------- */

/* Exactly `size` bytes at `offset` of the file: NULL, or what is wrong. */
static const char *read_at(int fd, uint8_t *at, size_t size, uint64_t offset)
{
    while (size > 0) {
        const ssize_t got = pread(fd, at, size, (off_t)offset);
        if (got < 0 && errno != EINTR)
            return strerror(errno);
        if (got == 0)
            return truncated;
        if (got > 0) {
            at += got;
            offset += (uint64_t)got;
            size -= (size_t)got;
        }
    }
    return NULL;
}

/* `crc` may be NULL. `fixed`: every piece goes to the same place. */
static const char *read_run(int fd, uint8_t *at, uint64_t size, uint64_t offset, uint32_t *crc,
                            bool fixed)
{
    const char *message = NULL;
    while (size > 0 && message == NULL) {
        const size_t piece = size < PIECE ? (size_t)size : PIECE;
        message = read_at(fd, at, piece, offset);
        if (message == NULL && crc != NULL)
            *crc = mvvm_crc32(*crc, at, piece);
        at += fixed ? 0 : piece;
        offset += piece;
        size -= piece;
    }
    return message;
}

static struct mvvm_run run_of(const struct mvvm_pages_source *source, uint32_t k)
{
    struct mvvm_run run;
    memcpy(&run.first, source->runs + (size_t)16 * k, 8);
    memcpy(&run.count, source->runs + (size_t)16 * k + 8, 8);
    return run;
}

static const char *read_all(const struct mvvm_pages_source *source, uint8_t *base)
{
    uint64_t offset = source->offset;
    uint32_t crc = 0;
    const char *message = NULL;
    for (uint32_t k = 0; k < source->run_count && message == NULL; k++) {
        const struct mvvm_run run = run_of(source, k);
        uint8_t *at = base + run.first * PAGE;
        mvvm_os_expect_writes(at, run.count * PAGE);
        message = read_run(source->fd, at, run.count * PAGE, offset, &crc, false);
        offset += run.count * PAGE;
    }
    return message != NULL || crc == source->crc ? message : damaged;
}

/* -- Mapping ---------------------------------------------------------------------------------- */

/* The part of `size` bytes that can be mapped: where it starts, and its size, 0 for none. Both
 * memory and file have to stand at the start of a page of the operating system's. */
static uint64_t mappable(const uint8_t *at, uint64_t offset, uint64_t size, uint64_t *head)
{
    const uint64_t unit = mvvm_os_map_unit();
    *head = (unit - (uintptr_t)at % unit) % unit;
    if (size < *head + SHORTEST || (offset + *head) % unit != 0)
        return 0;
    return (size - *head) / unit * unit;
}

static uint64_t count_mappable(const struct mvvm_pages_source *source, const uint8_t *base)
{
    uint64_t offset = source->offset, total = 0, head;
    for (uint32_t k = 0; k < source->run_count; k++) {
        const struct mvvm_run run = run_of(source, k);
        total += mappable(base + run.first * PAGE, offset, run.count * PAGE, &head);
        offset += run.count * PAGE;
    }
    return total;
}

/* Maps what can be mapped of a run and reads the rest. */
static const char *place_run(const struct mvvm_pages_source *source, uint8_t *at, uint64_t offset,
                             uint64_t size)
{
    uint64_t head;
    const uint64_t middle =
        mapped.runs.count < mapped.runs.capacity ? mappable(at, offset, size, &head) : 0;
    if (middle == 0 || !mvvm_os_map_file(source->fd, offset + head, at + head, middle))
        return read_run(source->fd, at, size, offset, NULL, false);
    mapped.runs.runs[mapped.runs.count++] =
        (struct mvvm_run){(uint64_t)(at + head - mapped.base) / PAGE, middle / PAGE};
    const char *message = read_run(source->fd, at, head, offset, NULL, false);
    const uint64_t done = head + middle;
    return message != NULL
               ? message
               : read_run(source->fd, at + done, size - done, offset + done, NULL, false);
}

static const char *place_all(const struct mvvm_pages_source *source, uint8_t *base)
{
    uint64_t offset = source->offset;
    const char *message = NULL;
    for (uint32_t k = 0; k < source->run_count && message == NULL; k++) {
        const struct mvvm_run run = run_of(source, k);
        message = place_run(source, base + run.first * PAGE, offset, run.count * PAGE);
        offset += run.count * PAGE;
    }
    return message;
}

struct mvvm_runs mvvm_mapped_runs(const uint8_t *base)
{
    return mvvm_pages_are_mapped && base == mapped.base ? mapped.runs : (struct mvvm_runs){0};
}

/* -- Checking --------------------------------------------------------------------------------- */

/* Reads the section from the file, not from the memory, which the program changes. */
static const char *check_file(void)
{
    static uint8_t buffer[PIECE];
    const struct mvvm_pages_source *source = &mapped.source;
    uint32_t crc = 0;
    const char *message =
        read_run(source->fd, buffer, source->size, source->offset, &crc, true);
    return message != NULL || crc == source->crc ? message : damaged;
}

/* In the helper thread. */
static void check(void *data)
{
    (void)data;
    const char *message = check_file();
    if (message != NULL)
        mvvm_fatal(MVVM_EXIT_BAD_SNAPSHOT, "%s: %s", mapped.source.path, message);
}

static bool has_changed(void)
{
    struct stat now;
    const bool known = fstat(mapped.source.fd, &now) == 0;
    const bool same = known && now.st_size == mapped.file.st_size &&
                      now.st_mtim.tv_sec == mapped.file.st_mtim.tv_sec &&
                      now.st_mtim.tv_nsec == mapped.file.st_mtim.tv_nsec;
    if (known)
        mapped.file = now;
    return !same;
}

void mvvm_settle(bool ending)
{
    if (!mvvm_pages_are_mapped)
        return;
    if (!mapped.is_checked)
        mvvm_os_join_thread();
    mapped.is_checked = true;
    const uint64_t now = mvvm_os_monotonic_ns();
    if (!ending && now - mapped.looked_ns < CHECK_EVERY_NS)
        return;
    mapped.looked_ns = now;
    if (has_changed() && check_file() != NULL)
        mvvm_fatal(MVVM_EXIT_BAD_SNAPSHOT,
                   "%s: the file was changed while the program ran from it; replace a snapshot "
                   "that is in use by renaming another one (mv), never by writing over it (cp)",
                   mapped.source.path);
}

void mvvm_report_lost_page(void)
{
    static const char text[] = ": the file was truncated while the program ran from it, or cannot "
                               "be read any more\n";
    const char *const parts[] = {"mvvm-aot: ", mapped.source.path, text};
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
        const ssize_t written = write(STDERR_FILENO, parts[k], strlen(parts[k]));
        (void)written;
    }
    _exit(MVVM_EXIT_BAD_SNAPSHOT);
}

/* -- Both ------------------------------------------------------------------------------------- */

/* False: nothing is mapped, for want of a descriptor or of memory. */
static bool prepare_mapping(const struct mvvm_pages_source *source, const uint8_t *base)
{
    const size_t most = source->run_count < MOST_MAPPINGS ? source->run_count : MOST_MAPPINGS;
    const int fd = fcntl(source->fd, F_DUPFD_CLOEXEC, 3); /* low numbers are the guest's streams */
    mapped.runs = (struct mvvm_runs){malloc(most * sizeof(struct mvvm_run)), 0, most};
    if (fd >= 0 && mapped.runs.runs != NULL && fstat(fd, &mapped.file) == 0) {
        mapped.source = *source;
        mapped.source.fd = fd;
        mapped.source.runs = NULL;
        mapped.base = base;
        return true;
    }
    free(mapped.runs.runs);
    if (fd >= 0)
        close(fd);
    return false;
}

/* Reading into a memory again, which only tests do, begins anew. */
static void forget_mapping(void)
{
    if (!mvvm_pages_are_mapped)
        return;
    if (!mapped.is_checked)
        mvvm_os_join_thread();
    free(mapped.runs.runs);
    close(mapped.source.fd);
    mvvm_pages_are_mapped = false;
}

const char *mvvm_restore_pages(const struct mvvm_pages_source *source, uint8_t *base, int *status)
{
    const char *message;
    forget_mapping();
    if (mvvm_options.map_snapshot && count_mappable(source, base) >= SMALL &&
        prepare_mapping(source, base)) {
        message = place_all(source, base);
        mvvm_crc32_prepare();
        mvvm_pages_are_mapped = message == NULL;
        mapped.is_checked = false;
        if (message == NULL && !mvvm_os_start_thread(check, NULL)) {
            message = check_file();
            mapped.is_checked = true;
        }
    } else {
        message = read_all(source, base);
    }
    const bool is_bad = message == truncated || message == damaged;
    *status = is_bad ? MVVM_EXIT_BAD_SNAPSHOT : MVVM_EXIT_SYSTEM;
    return message;
}
