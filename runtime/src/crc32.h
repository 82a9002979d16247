/* CRC-32 as in zlib (IEEE 802.3, reflected). */
#ifndef MVVM_CRC32_H
#define MVVM_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* `crc`: of what came before; 0 at the start. */
uint32_t mvvm_crc32(uint32_t crc, const void *bytes, size_t size);

/* Of two texts' concatenation, from the CRC of each. */
uint32_t mvvm_crc32_combine(uint32_t first, uint32_t second, uint64_t second_size);

/* Before two threads compute at the same time. */
void mvvm_crc32_prepare(void);

/* The portable way, for tests to hold the fast one against. */
uint32_t mvvm_crc32_portable(uint32_t crc, const void *bytes, size_t size);

/* arch/<isa>/crc32_fast.c: takes the front of the bytes into `*crc`, which is inverted, and returns
 * how many it took. */
size_t mvvm_crc32_fast(uint32_t *crc, const uint8_t *bytes, size_t size);

#endif
