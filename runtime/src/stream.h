/* Where a snapshot's bytes go: a file written front to back through a buffer, with a running CRC.
 */
#ifndef MVVM_STREAM_H
#define MVVM_STREAM_H

#include "mvvm_runtime.h"

struct mvvm_writer {
    int fd;
    int error; /* errno of the first failure; nothing is written after it */
    uint64_t offset;
    uint32_t crc; /* see mvvm_writer_take_crc */
    bool to_disk;  /* is to be on the disk at the end: writing there starts early */
    uint64_t sent; /* so far */
    size_t used;
    size_t hashed; /* bytes of the buffer that are in `crc` already */
    size_t capacity;
    uint8_t *buffer;
};

void mvvm_writer_open(struct mvvm_writer *w, int fd);
/* Straight from the caller's memory, past the buffer. */
void mvvm_writer_large(struct mvvm_writer *w, const void *bytes, size_t size);
/* Zeros up to a multiple of `unit`. */
void mvvm_writer_pad(struct mvvm_writer *w, uint64_t unit);
/* The CRC of what was written since the last call. */
uint32_t mvvm_writer_take_crc(struct mvvm_writer *w);
void mvvm_writer_flush(struct mvvm_writer *w);
void mvvm_writer_close(struct mvvm_writer *w); /* frees the buffer; the descriptor stays open */

#endif
