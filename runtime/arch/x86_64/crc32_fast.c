/* CRC-32 by carry-less multiplication: 64 bytes at a time are folded onto the next 64. What is left
 * over, 16 bytes that are congruent to all before them, goes through the table. */
#include <stdbool.h>
#include <string.h>

#include <immintrin.h>

#include "crc32.h"

/* x^(D+32) and x^(D-32) modulo the polynomial, bits reversed: what the low and the high half of a
 * block are multiplied with to move them D bits ahead. */
#define FOLD_512 _mm_set_epi64x(0x1C6E41596, 0x154442BD4)
#define FOLD_128 _mm_set_epi64x(0x0CCAA009E, 0x1751997D0)

__attribute__((target("pclmul,sse2"))) static __m128i fold(__m128i block, __m128i factors,
                                                           __m128i next)
{
    const __m128i low = _mm_clmulepi64_si128(block, factors, 0x00);
    const __m128i high = _mm_clmulepi64_si128(block, factors, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

static __m128i load(const uint8_t *at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

__attribute__((target("pclmul,sse2"))) static void fold_all(uint32_t crc, const uint8_t *at,
                                                            size_t size, uint8_t rest[16])
{
    __m128i a = _mm_xor_si128(load(at), _mm_cvtsi32_si128((int)crc));
    __m128i b = load(at + 16), c = load(at + 32), d = load(at + 48);
    for (at += 64, size -= 64; size >= 64; at += 64, size -= 64) {
        a = fold(a, FOLD_512, load(at));
        b = fold(b, FOLD_512, load(at + 16));
        c = fold(c, FOLD_512, load(at + 32));
        d = fold(d, FOLD_512, load(at + 48));
    }
    a = fold(fold(fold(a, FOLD_128, b), FOLD_128, c), FOLD_128, d);
    _mm_storeu_si128((__m128i *)(void *)rest, a);
}

static bool has_pclmul(void)
{
    static int known; /* 1: yes, 2: no */
    if (known == 0) {
        uint32_t a = 1, b, c = 0, d;
        __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
        known = (c >> 1 & 1) != 0 ? 1 : 2;
    }
    return known == 1;
}

size_t mvvm_crc32_fast(uint32_t *crc, const uint8_t *bytes, size_t size)
{
    const size_t done = size / 64 * 64;
    uint8_t rest[16];
    if (done < 128 || !has_pclmul())
        return 0;
    fold_all(*crc, bytes, done, rest);
    *crc = ~mvvm_crc32_portable(~(uint32_t)0, rest, sizeof rest);
    return done;
}
