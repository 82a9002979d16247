/* See stream.h; and the reader of sections that are in memory. Numbers are little-endian, as our
 * targets are. */
#include "stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crc32.h"
#include "mvvm_os.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "snapshots are written as they stand in memory");

enum { BUFFER_SIZE = 1 << 16, LARGEST_WRITE = 1 << 30, SENT_AT_ONCE = 8 << 20 };

void mvvm_writer_open(struct mvvm_writer *w, int fd)
{
    *w = (struct mvvm_writer){.fd = fd, .capacity = BUFFER_SIZE, .buffer = malloc(BUFFER_SIZE)};
    if (w->buffer == NULL)
        w->error = ENOMEM;
}

void mvvm_writer_close(struct mvvm_writer *w)
{
    free(w->buffer);
    w->buffer = NULL;
}

static void write_out(struct mvvm_writer *w, const uint8_t *bytes, size_t size)
{
    while (size > 0 && w->error == 0) {
        const ssize_t written = write(w->fd, bytes, size < LARGEST_WRITE ? size : LARGEST_WRITE);
        if (written < 0 && errno != EINTR)
            w->error = errno;
        if (written > 0) {
            bytes += written;
            size -= (size_t)written;
        }
    }
}

static void hash_buffer(struct mvvm_writer *w)
{
    w->crc = mvvm_crc32(w->crc, w->buffer + w->hashed, w->used - w->hashed);
    w->hashed = w->used;
}

uint32_t mvvm_writer_take_crc(struct mvvm_writer *w)
{
    hash_buffer(w);
    const uint32_t crc = w->crc;
    w->crc = 0;
    return crc;
}

void mvvm_writer_flush(struct mvvm_writer *w)
{
    hash_buffer(w);
    write_out(w, w->buffer, w->used);
    w->used = 0;
    w->hashed = 0;
}

void mvvm_write_bytes(struct mvvm_writer *w, const void *bytes, size_t size)
{
    if (w->error != 0 || size == 0)
        return;
    if (size > w->capacity - w->used) {
        mvvm_writer_flush(w);
        if (size > w->capacity) {
            mvvm_writer_large(w, bytes, size);
            return;
        }
    }
    memcpy(w->buffer + w->used, bytes, size);
    w->used += size;
    w->offset += size;
}

/* The disk works while the rest is written. */
static void send(struct mvvm_writer *w)
{
    if (!w->to_disk || w->offset - w->sent < SENT_AT_ONCE)
        return;
    mvvm_os_start_writing(w->fd, w->sent, w->offset - w->sent);
    w->sent = w->offset;
}

void mvvm_writer_large(struct mvvm_writer *w, const void *bytes, size_t size)
{
    /* A piece at a time, so that it is still in the cache when it is written. */
    const size_t piece = (size_t)1 << 18;
    const uint8_t *at = bytes;
    mvvm_writer_flush(w);
    while (size > 0 && w->error == 0) {
        const size_t now = size < piece ? size : piece;
        w->crc = mvvm_crc32(w->crc, at, now);
        write_out(w, at, now);
        w->offset += now;
        send(w);
        at += now;
        size -= now;
    }
}

void mvvm_writer_pad(struct mvvm_writer *w, uint64_t unit)
{
    static const uint8_t zeros[4096];
    mvvm_write_bytes(w, zeros, (size_t)((unit - w->offset % unit) % unit));
}

void mvvm_write_u8(struct mvvm_writer *w, uint8_t value)
{
    mvvm_write_bytes(w, &value, sizeof value);
}

void mvvm_write_u16(struct mvvm_writer *w, uint16_t value)
{
    mvvm_write_bytes(w, &value, sizeof value);
}

void mvvm_write_u32(struct mvvm_writer *w, uint32_t value)
{
    mvvm_write_bytes(w, &value, sizeof value);
}

void mvvm_write_u64(struct mvvm_writer *w, uint64_t value)
{
    mvvm_write_bytes(w, &value, sizeof value);
}

void mvvm_write_str(struct mvvm_writer *w, const char *bytes, size_t size)
{
    mvvm_write_u32(w, (uint32_t)size);
    mvvm_write_bytes(w, bytes, size);
}

/* -- Reading ---------------------------------------------------------------------------------- */

const uint8_t *mvvm_read_bytes(struct mvvm_reader *r, size_t size)
{
    if (r->failed || (size_t)(r->end - r->at) < size) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *bytes = r->at;
    r->at += size;
    return bytes;
}

static void read_into(struct mvvm_reader *r, void *value, size_t size)
{
    const uint8_t *bytes = mvvm_read_bytes(r, size);
    if (bytes != NULL)
        memcpy(value, bytes, size);
}

uint8_t mvvm_read_u8(struct mvvm_reader *r)
{
    uint8_t value = 0;
    read_into(r, &value, sizeof value);
    return value;
}

uint16_t mvvm_read_u16(struct mvvm_reader *r)
{
    uint16_t value = 0;
    read_into(r, &value, sizeof value);
    return value;
}

uint32_t mvvm_read_u32(struct mvvm_reader *r)
{
    uint32_t value = 0;
    read_into(r, &value, sizeof value);
    return value;
}

uint64_t mvvm_read_u64(struct mvvm_reader *r)
{
    uint64_t value = 0;
    read_into(r, &value, sizeof value);
    return value;
}

const char *mvvm_read_str(struct mvvm_reader *r, size_t *size)
{
    *size = mvvm_read_u32(r);
    const char *bytes = (const char *)mvvm_read_bytes(r, *size);
    if (bytes == NULL)
        *size = 0;
    return bytes;
}
