/* Reading, writing and positions of open files and streams.
 *
 * A call that would block waits first and is interrupted only while nothing has been read or
 * written; what a reading call took is in the guest's memory when it returns, and what a
 * writing call has put out is counted in its result, so nothing is lost or repeated by a
 * checkpoint. */
#include "mvvm_os.h"
#include "mvvm_wasi.h"

/* A pipe that is ready takes this much without blocking. */
#define PIPE_CHUNK 4096u

/* The descriptor if it can be read (or written) as a stream of bytes, else NULL. */
static const struct mvvm_wasi_fd *stream_of(uint32_t fd, uint64_t right)
{
    const struct mvvm_wasi_fd *entry = mvvm_wasi_fd(fd);
    if (entry == NULL || entry->filetype == WASI_FILETYPE_DIRECTORY)
        return NULL;
    return entry->rights_base & right ? entry : NULL;
}

int mvvm_wasi_load_iovecs(const struct mvvm_instance *instance, uint32_t address, uint32_t count,
                          struct mvvm_os_iovec *iovecs, size_t *used)
{
    const uint8_t *raw = mvvm_guest(instance, address, 8ull * count);
    uint64_t total = 0;
    *used = 0;
    if (count > MVVM_WASI_MAX_IOVECS)
        return WASI_INVAL;
    if (raw == NULL)
        return WASI_FAULT;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t size = mvvm_load32(raw + 8ull * i + 4);
        void *base = mvvm_guest(instance, mvvm_load32(raw + 8ull * i), size);
        if (base == NULL)
            return WASI_FAULT;
        if (size == 0)
            continue;
        iovecs[(*used)++] = (struct mvvm_os_iovec){base, size};
        total += size;
    }
    return total > INT32_MAX ? WASI_INVAL : WASI_SUCCESS;
}

static bool may_block(const struct mvvm_wasi_fd *entry)
{
    return entry->filetype != WASI_FILETYPE_REGULAR_FILE &&
           entry->filetype != WASI_FILETYPE_BLOCK_DEVICE;
}

/* -- Reading ------------------------------------------------------------------------------ */

static int read_some(struct mvvm_instance *instance, const uint64_t *args, uint64_t offset,
                     unsigned result)
{
    struct mvvm_os_iovec iovecs[MVVM_WASI_MAX_IOVECS];
    size_t count;
    const struct mvvm_wasi_fd *entry = stream_of(mvvm_arg32(args, 0), WASI_RIGHT_FD_READ);
    if (entry == NULL)
        return WASI_BADF;
    if (entry->kind == MVVM_WASI_LISTENER)
        return WASI_NOTCONN; /* at once, not when somebody connects */
    if (mvvm_wasi_was_reset(entry))
        return WASI_CONNRESET;
    if (offset != MVVM_OS_AT_POSITION && mvvm_wasi_lacks(entry, WASI_RIGHT_FD_SEEK))
        return WASI_NOTCAPABLE;
    int error = mvvm_wasi_load_iovecs(instance, mvvm_arg32(args, 1), mvvm_arg32(args, 2), iovecs,
                                      &count);
    if (error != WASI_SUCCESS)
        return error;
    void *out = mvvm_guest(instance, mvvm_arg32(args, result), 4);
    if (out == NULL)
        return WASI_FAULT;
    int64_t size = 0;
    while (count > 0) {
        if (may_block(entry) && offset == MVVM_OS_AT_POSITION)
            error = mvvm_wasi_wait(entry, false);
        if (error != WASI_SUCCESS)
            return error;
        size = mvvm_os_read(entry->host_fd, iovecs, count, offset);
        if (size != -WASI_AGAIN && size != -WASI_INTR)
            break; /* else somebody else took what was there */
        if (entry->flags & WASI_FDFLAG_NONBLOCK)
            return WASI_AGAIN;
    }
    if (size < 0)
        return (int)-size;
    mvvm_store32(out, (uint32_t)size);
    return WASI_SUCCESS;
}

int mvvm_wasi_fd_read(struct mvvm_instance *instance, const uint64_t *args)
{
    return read_some(instance, args, MVVM_OS_AT_POSITION, 3);
}

int mvvm_wasi_fd_pread(struct mvvm_instance *instance, const uint64_t *args)
{
    uint64_t offset = mvvm_arg64(args, 3);
    return offset > INT64_MAX ? WASI_INVAL : read_some(instance, args, offset, 4);
}

/* -- Writing ------------------------------------------------------------------------------ */

void mvvm_wasi_advance(struct mvvm_os_iovec **iovecs, size_t *count, uint64_t size)
{
    while (*count > 0 && size >= (*iovecs)->size) {
        size -= (*iovecs)->size;
        (*iovecs)++;
        (*count)--;
    }
    if (*count > 0) {
        (*iovecs)->base = (char *)(*iovecs)->base + size;
        (*iovecs)->size -= size;
    }
}

/* One write that does not block for long: to what may block, no more than fits into a ready
 * pipe. */
static int64_t write_once(const struct mvvm_wasi_fd *entry, const struct mvvm_os_iovec *iovecs,
                          size_t count, uint64_t offset)
{
    if (!may_block(entry) || offset != MVVM_OS_AT_POSITION)
        return mvvm_os_write(entry->host_fd, iovecs, count, offset);
    size_t fitting = 0, total = 0;
    while (fitting < count && total + iovecs[fitting].size <= PIPE_CHUNK)
        total += iovecs[fitting++].size;
    if (fitting > 0)
        return mvvm_os_write(entry->host_fd, iovecs, fitting, offset);
    struct mvvm_os_iovec first = {iovecs[0].base, PIPE_CHUNK};
    return mvvm_os_write(entry->host_fd, &first, 1, offset);
}

/* Writes all of it, unless an error or a checkpoint comes between: then what was written counts. */
static int write_all(const struct mvvm_wasi_fd *entry, struct mvvm_os_iovec *iovecs, size_t count,
                     uint64_t offset, uint64_t *written)
{
    *written = 0;
    while (count > 0) {
        int error = WASI_SUCCESS;
        if (may_block(entry) && offset == MVVM_OS_AT_POSITION)
            error = mvvm_wasi_wait(entry, true);
        int64_t size = error == WASI_SUCCESS ? write_once(entry, iovecs, count, offset) : -error;
        if ((size == -WASI_AGAIN && !(entry->flags & WASI_FDFLAG_NONBLOCK)) || size == -WASI_INTR)
            continue;
        if (size < 0)
            return *written > 0 ? WASI_SUCCESS : (int)-size;
        if (size == 0)
            return WASI_SUCCESS;
        *written += (uint64_t)size;
        mvvm_wasi_advance(&iovecs, &count, (uint64_t)size);
        if (offset != MVVM_OS_AT_POSITION)
            offset += (uint64_t)size;
    }
    return WASI_SUCCESS;
}

static int write_some(struct mvvm_instance *instance, const uint64_t *args, uint64_t offset,
                      unsigned result)
{
    struct mvvm_os_iovec iovecs[MVVM_WASI_MAX_IOVECS];
    size_t count;
    uint64_t written;
    const struct mvvm_wasi_fd *entry = stream_of(mvvm_arg32(args, 0), WASI_RIGHT_FD_WRITE);
    if (entry == NULL)
        return WASI_BADF;
    if (mvvm_wasi_was_reset(entry))
        return WASI_CONNRESET;
    if (offset != MVVM_OS_AT_POSITION && mvvm_wasi_lacks(entry, WASI_RIGHT_FD_SEEK))
        return WASI_NOTCAPABLE;
    int error = mvvm_wasi_load_iovecs(instance, mvvm_arg32(args, 1), mvvm_arg32(args, 2), iovecs,
                                      &count);
    if (error != WASI_SUCCESS)
        return error;
    void *out = mvvm_guest(instance, mvvm_arg32(args, result), 4);
    if (out == NULL) /* found out before anything is put out */
        return WASI_FAULT;
    error = write_all(entry, iovecs, count, offset, &written);
    if (error == WASI_SUCCESS)
        mvvm_store32(out, (uint32_t)written);
    return error;
}

int mvvm_wasi_fd_write(struct mvvm_instance *instance, const uint64_t *args)
{
    return write_some(instance, args, MVVM_OS_AT_POSITION, 3);
}

int mvvm_wasi_fd_pwrite(struct mvvm_instance *instance, const uint64_t *args)
{
    uint64_t offset = mvvm_arg64(args, 3);
    return offset > INT64_MAX ? WASI_INVAL : write_some(instance, args, offset, 4);
}

/* -- Positions ---------------------------------------------------------------------------- */

static int seek(const struct mvvm_instance *instance, uint32_t fd, int64_t offset, uint32_t whence,
                uint32_t address)
{
    const struct mvvm_wasi_fd *entry = mvvm_wasi_fd(fd);
    void *out = mvvm_guest(instance, address, 8);
    if (entry == NULL || entry->filetype == WASI_FILETYPE_DIRECTORY)
        return WASI_BADF;
    if (whence > WASI_WHENCE_END)
        return WASI_INVAL;
    /* Who may seek may also ask where it is. */
    const bool only_asks = whence == WASI_WHENCE_CUR && offset == 0;
    if (mvvm_wasi_lacks(entry, WASI_RIGHT_FD_SEEK) &&
        (!only_asks || mvvm_wasi_lacks(entry, WASI_RIGHT_FD_TELL)))
        return WASI_NOTCAPABLE;
    if (out == NULL)
        return WASI_FAULT;
    if (may_block(entry))
        return WASI_SPIPE; /* some devices take a seek and do nothing */
    int64_t position = mvvm_os_seek(entry->host_fd, offset, whence);
    if (position < 0)
        return (int)-position;
    mvvm_store64(out, (uint64_t)position);
    return WASI_SUCCESS;
}

int mvvm_wasi_fd_seek(struct mvvm_instance *instance, const uint64_t *args)
{
    return seek(instance, mvvm_arg32(args, 0), (int64_t)mvvm_arg64(args, 1),
                mvvm_arg32(args, 2) & 0xFF, mvvm_arg32(args, 3));
}

/* Its numbers are 0 current, 1 end, 2 set. */
int mvvm_wasi_unstable_fd_seek(struct mvvm_instance *instance, const uint64_t *args)
{
    static const uint8_t whences[] = {WASI_WHENCE_CUR, WASI_WHENCE_END, WASI_WHENCE_SET};
    uint32_t whence = mvvm_arg32(args, 2) & 0xFF;
    if (whence >= sizeof whences)
        return mvvm_wasi_fd(mvvm_arg32(args, 0)) == NULL ? WASI_BADF : WASI_INVAL;
    return seek(instance, mvvm_arg32(args, 0), (int64_t)mvvm_arg64(args, 1), whences[whence],
                mvvm_arg32(args, 3));
}

int mvvm_wasi_fd_tell(struct mvvm_instance *instance, const uint64_t *args)
{
    return seek(instance, mvvm_arg32(args, 0), 0, WASI_WHENCE_CUR, mvvm_arg32(args, 1));
}
