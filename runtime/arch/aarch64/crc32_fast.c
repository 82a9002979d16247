/* CRC-32 by the instructions of the CRC32 extension, eight bytes at a time. */
#include <string.h>
#include <sys/auxv.h>

#include <arm_acle.h>

#include "crc32.h"

enum { HAS_CRC32 = 1 << 7 }; /* HWCAP_CRC32 */

__attribute__((target("crc"))) static uint32_t run(uint32_t crc, const uint8_t *at, size_t size)
{
    for (; size >= 8; at += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        crc = __crc32d(crc, word);
    }
    return crc;
}

size_t mvvm_crc32_fast(uint32_t *crc, const uint8_t *bytes, size_t size)
{
    const size_t done = size / 8 * 8;
    if (done < 64 || (getauxval(AT_HWCAP) & HAS_CRC32) == 0)
        return 0;
    *crc = run(*crc, bytes, done);
    return done;
}
