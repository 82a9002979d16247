/* See crc32.h. Sixteen tables, sixteen bytes a step; arch/<isa>/crc32_fast.c does long runs. */
#include "crc32.h"

#include <stdbool.h>
#include <string.h>

#define POLYNOMIAL 0xEDB88320u

static uint32_t tables[16][256];
static bool tables_ready;

void mvvm_crc32_prepare(void)
{
    static const uint8_t some[256];
    uint32_t state = 0;
    if (tables_ready)
        return;
    tables_ready = true;
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        tables[0][byte] = crc;
    }
    for (uint32_t byte = 0; byte < 256; byte++)
        for (int k = 1; k < 16; k++)
            tables[k][byte] = tables[k - 1][byte] >> 8 ^ tables[0][tables[k - 1][byte] & 0xFF];
    mvvm_crc32_fast(&state, some, sizeof some); /* looks at the processor */
}

static uint32_t load32(const uint8_t *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* `crc` is inverted here. */
static uint32_t step_portable(uint32_t crc, const uint8_t *at, size_t size)
{
    mvvm_crc32_prepare();
    for (; size >= 16; at += 16, size -= 16) {
        uint32_t words[4] = {load32(at) ^ crc, load32(at + 4), load32(at + 8), load32(at + 12)};
        crc = 0;
        for (int k = 0; k < 4; k++)
            for (int byte = 0; byte < 4; byte++)
                crc ^= tables[15 - 4 * k - byte][words[k] >> 8 * byte & 0xFF];
    }
    for (; size > 0; at++, size--)
        crc = crc >> 8 ^ tables[0][(crc ^ *at) & 0xFF];
    return crc;
}

/* a * b modulo the polynomial; x^0 is the highest bit. */
static uint32_t multiply(uint32_t a, uint32_t b)
{
    uint32_t product = 0;
    for (uint32_t bit = 1u << 31; bit != 0; bit >>= 1) {
        if (a & bit)
            product ^= b;
        b = b >> 1 ^ (b & 1 ? POLYNOMIAL : 0);
    }
    return product;
}

uint32_t mvvm_crc32_combine(uint32_t first, uint32_t second, uint64_t second_size)
{
    uint32_t power = 1u << 23; /* x^8: a byte */
    for (; second_size != 0; second_size >>= 1, power = multiply(power, power))
        if (second_size & 1)
            first = multiply(first, power);
    return first ^ second;
}

uint32_t mvvm_crc32_portable(uint32_t crc, const void *bytes, size_t size)
{
    return ~step_portable(~crc, bytes, size);
}

uint32_t mvvm_crc32(uint32_t crc, const void *bytes, size_t size)
{
    uint32_t state = ~crc;
    const size_t done = mvvm_crc32_fast(&state, bytes, size);
    return ~step_portable(state, (const uint8_t *)bytes + done, size - done);
}
