/* Output without stdio: few loops, so a run passes few points. Lines leave through one write each. */
#ifndef TESTS_OUT_H
#define TESTS_OUT_H

#include <stdint.h>
#include <string.h>
#include <unistd.h>

static char out_line[256];
static unsigned out_used;

static inline void out_text(const char *text)
{
    while (*text != 0 && out_used < sizeof out_line - 1) {
        out_line[out_used++] = *text++;
    }
}

static inline void out_end(void)
{
    out_line[out_used++] = '\n';
    write(1, out_line, out_used);
    out_used = 0;
}

static inline void out_i64(int64_t value)
{
    char digits[24];
    unsigned at = sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0) {
        digits[--at] = '-';
    }
    memcpy(out_line + out_used, digits + at, sizeof digits - at);
    out_used += (unsigned)sizeof digits - at;
}

/* Sixteen hexadecimal digits. */
static inline void out_hex(uint64_t value)
{
    for (int shift = 60; shift >= 0; shift -= 4) {
        out_line[out_used++] = "0123456789abcdef"[value >> shift & 15];
    }
}

static inline void out_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    out_hex(bits);
}

/* "name value\n" */
static inline void say(const char *name, int64_t value)
{
    out_text(name);
    out_text(" ");
    out_i64(value);
    out_end();
}

static inline void say_bits(const char *name, double value)
{
    out_text(name);
    out_text(" ");
    out_bits(value);
    out_end();
}

#endif
