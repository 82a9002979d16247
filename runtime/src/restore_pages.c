/* See restore_pages.h. Few pages are read and checked at once. Many are loaded while the program
 * runs, so that it begins as soon for any size: its memory is inaccessible in chunks of 2 MiB, and
 * each is read beside it and then moved to its place as a whole. A helper thread loads one after
 * the other; the program loads those that it comes to first, from the fault handler. What is in
 * place is ordinary memory in large pages, so that the program is as fast as before.
 *
 * Until everything is there and has the right checksum the program computes, but nothing that it
 * does shows outside of the process: mvvm_settle comes before. A damaged file ends the process
 * there, at the latest. The checksum is that of the bytes that went into the memory, so whatever
 * becomes of the file is noticed if it matters, and once settled the file is not needed. */
#include "restore_pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crc32.h"
#include "internal.h"
#include "options.h"
#include "pages.h"

enum {
    PAGE = MVVM_SNAPSHOT_PAGE,
    CHUNK = MVVM_OS_LARGE_PAGE,
    PIECE = 1 << 18, /* bytes read at a time: they are still in the cache when they are checked */
    SMALL = 4 << 20, /* bytes that are rather read at once: about a millisecond */
};

static const char truncated[] = "the snapshot is truncated";
static const char damaged[] = "the snapshot's section PAGES is damaged";

enum chunk_state { ABSENT, TAKEN, PRESENT };

/* Part of a run within one chunk; those of all chunks follow each other in memory and file. */
struct piece {
    uint8_t *at;
    uint64_t size;
};

struct chunk {
    uint8_t *at;
    uint64_t size;   /* CHUNK, but for what the memory's ends cut off */
    uint64_t offset; /* in the file */
    uint64_t bytes;  /* of its pieces */
    size_t first_piece, piece_count;
    uint32_t crc; /* of these bytes, once PRESENT */
    uint32_t state;
};

static struct {
    bool is_active, has_thread;
    int fd; /* our own */
    const char *path;
    uint32_t crc; /* wanted */
    struct chunk *chunks; /* ascending */
    size_t chunk_count;
    struct piece *pieces;
    size_t piece_count;
    size_t next; /* atomic: all chunks before are taken */
} loading;

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

static const char *read_run(int fd, uint8_t *at, uint64_t size, uint64_t offset, uint32_t *crc)
{
    const char *message = NULL;
    while (size > 0 && message == NULL) {
        const size_t part = size < PIECE ? (size_t)size : PIECE;
        message = read_at(fd, at, part, offset);
        if (message == NULL)
            *crc = mvvm_crc32(*crc, at, part);
        at += part;
        offset += part;
        size -= part;
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
        const uint64_t size = run.count * PAGE;
        message = read_run(source->fd, base + run.first * PAGE, size, offset, &crc);
        offset += size;
    }
    return message != NULL || crc == source->crc ? message : damaged;
}

/* -- Chunks ----------------------------------------------------------------------------------- */

/* Async-signal-safe, in any thread: one message, and the end. */
_Noreturn static void give_up(int status, const char *message)
{
    static uint32_t is_told;
    const char *const parts[] = {"mvvm-aot: ", loading.path, ": ", message, "\n"};
    while (__atomic_exchange_n(&is_told, 1, __ATOMIC_ACQ_REL) != 0)
        pause(); /* another thread is about to end the process */
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
        const ssize_t written = write(STDERR_FILENO, parts[k], strlen(parts[k]));
        (void)written;
    }
    _exit(status);
}

static int status_of(const char *message)
{
    const bool is_bad = message == truncated || message == damaged;
    return is_bad ? MVVM_EXIT_BAD_SNAPSHOT : MVVM_EXIT_SYSTEM;
}

static uint32_t state_of(const struct chunk *chunk)
{
    return __atomic_load_n(&chunk->state, __ATOMIC_ACQUIRE);
}

/* True for one thread only, which has to load the chunk. */
static bool take(struct chunk *chunk)
{
    uint32_t expected = ABSENT;
    return __atomic_compare_exchange_n(&chunk->state, &expected, TAKEN, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

static void wait_for(const struct chunk *chunk)
{
    while (state_of(chunk) != PRESENT)
        mvvm_os_let_others_run();
}

/* A chunk that is mostly empty gets small pages, for what is in it. */
static void load(struct chunk *chunk)
{
    struct mvvm_os_stage stage;
    const struct piece *piece = loading.pieces + chunk->first_piece;
    uint64_t offset = chunk->offset;
    uint32_t crc = 0;
    if (!mvvm_os_open_stage(&stage, chunk->size, chunk->bytes >= CHUNK / 2))
        give_up(MVVM_EXIT_SYSTEM, "no memory to load it");
    for (size_t k = 0; k < chunk->piece_count; k++, piece++) {
        uint8_t *at = stage.at + (piece->at - chunk->at);
        const char *message = read_run(loading.fd, at, piece->size, offset, &crc);
        if (message != NULL)
            give_up(status_of(message), message);
        offset += piece->size;
    }
    if (!mvvm_os_move_stage(&stage, chunk->at))
        give_up(MVVM_EXIT_SYSTEM, "the system cannot move memory to its place");
    chunk->crc = crc;
    __atomic_store_n(&chunk->state, PRESENT, __ATOMIC_RELEASE);
}

static void load_all(void)
{
    for (;;) {
        const size_t k = __atomic_fetch_add(&loading.next, 1, __ATOMIC_RELAXED);
        if (k >= loading.chunk_count)
            return;
        if (take(&loading.chunks[k]))
            load(&loading.chunks[k]);
    }
}

static void check(void)
{
    uint32_t crc = 0;
    for (size_t k = 0; k < loading.chunk_count; k++) {
        const struct chunk *chunk = &loading.chunks[k];
        wait_for(chunk);
        crc = mvvm_crc32_combine(crc, chunk->crc, chunk->bytes);
    }
    if (crc != loading.crc)
        give_up(MVVM_EXIT_BAD_SNAPSHOT, damaged);
}

/* In the helper thread. */
static void load_and_check(void *data)
{
    (void)data;
    load_all();
    check();
}

bool mvvm_load_on_fault(uintptr_t address)
{
    size_t low = 0, high = loading.is_active ? loading.chunk_count : 0;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        struct chunk *chunk = &loading.chunks[middle];
        if (address < (uintptr_t)chunk->at) {
            high = middle;
        } else if (address - (uintptr_t)chunk->at >= chunk->size) {
            low = middle + 1;
        } else {
            const int saved = errno;
            if (take(chunk))
                load(chunk);
            wait_for(chunk);
            errno = saved;
            return true;
        }
    }
    return false;
}

void mvvm_settle(void)
{
    if (!loading.is_active)
        return;
    load_all();
    if (loading.has_thread)
        mvvm_os_join_thread();
    else
        check();
    loading.is_active = false;
    free(loading.chunks);
    free(loading.pieces);
    close(loading.fd);
}

/* -- Preparing -------------------------------------------------------------------------------- */

static uintptr_t chunk_start(const uint8_t *at)
{
    return (uintptr_t)at / CHUNK * CHUNK;
}

/* The chunk that holds `at`, the last one or a new one behind it. */
static struct chunk *chunk_of(uint8_t *at, uint64_t offset, uint8_t *base, uint64_t memory_size)
{
    struct chunk *last = loading.chunks + loading.chunk_count - 1;
    const uintptr_t start = chunk_start(at), end = (uintptr_t)base + memory_size;
    if (loading.chunk_count > 0 && chunk_start(last->at) == start)
        return last;
    uint8_t *const from = start < (uintptr_t)base ? base : at - ((uintptr_t)at - start);
    const uint64_t room = start + CHUNK < end ? start + CHUNK : end;
    last = loading.chunks + loading.chunk_count++;
    *last = (struct chunk){.at = from,
                           .size = room - (uintptr_t)from,
                           .offset = offset,
                           .first_piece = loading.piece_count};
    return last;
}

static void add_run(uint8_t *at, uint64_t size, uint64_t offset, uint8_t *base,
                    uint64_t memory_size)
{
    while (size > 0) {
        struct chunk *chunk = chunk_of(at, offset, base, memory_size);
        const uint64_t room = (uint64_t)(chunk->at + chunk->size - at);
        const uint64_t part = size < room ? size : room;
        loading.pieces[loading.piece_count++] = (struct piece){at, part};
        chunk->piece_count++;
        chunk->bytes += part;
        at += part;
        offset += part;
        size -= part;
    }
}

/* Makes the chunks inaccessible, with one call for those that follow each other. */
static bool close_chunks(void)
{
    for (size_t k = 0; k < loading.chunk_count;) {
        uint8_t *const from = loading.chunks[k].at;
        uint8_t *to = from;
        for (; k < loading.chunk_count && loading.chunks[k].at == to; k++)
            to += loading.chunks[k].size;
        if (mvvm_os_forbid(from, (size_t)(to - from)) != 0)
            return false;
    }
    return true;
}

/* False: out of memory or descriptors. */
static bool prepare(const struct mvvm_pages_source *source, uint8_t *base, uint64_t memory_size)
{
    const size_t most_chunks = memory_size / CHUNK + 2;
    loading.fd = fcntl(source->fd, F_DUPFD_CLOEXEC, 3); /* low numbers are the guest's streams */
    loading.path = source->path;
    loading.crc = source->crc;
    loading.chunk_count = loading.piece_count = loading.next = 0;
    loading.chunks = malloc(most_chunks * sizeof *loading.chunks);
    loading.pieces = malloc((source->run_count + most_chunks) * sizeof *loading.pieces);
    if (loading.fd >= 0 && loading.chunks != NULL && loading.pieces != NULL) {
        uint64_t offset = source->offset;
        for (uint32_t k = 0; k < source->run_count; k++) {
            const struct mvvm_run run = run_of(source, k);
            add_run(base + run.first * PAGE, run.count * PAGE, offset, base, memory_size);
            offset += run.count * PAGE;
        }
        if (close_chunks())
            return true;
    }
    free(loading.chunks);
    free(loading.pieces);
    if (loading.fd >= 0)
        close(loading.fd);
    return false;
}

const char *mvvm_restore_pages(const struct mvvm_pages_source *source, uint8_t *base,
                               uint64_t memory_size, int *status)
{
    mvvm_settle(); /* a restore before this one, which only tests have */
    if (!mvvm_options.load_late || source->size < SMALL) {
        const char *message = read_all(source, base);
        *status = status_of(message);
        return message;
    }
    *status = MVVM_EXIT_SYSTEM;
    if (!prepare(source, base, memory_size))
        return "no memory or descriptor to load it";
    mvvm_crc32_prepare();
    loading.is_active = true;
    loading.has_thread = mvvm_os_start_thread(load_and_check, NULL);
    if (!loading.has_thread)
        mvvm_settle(); /* nobody would do it beside the program */
    return NULL;
}
