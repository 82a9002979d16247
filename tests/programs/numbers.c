/* Integer and floating-point arithmetic at the edges, in C. */
#include <math.h>
#include <stdint.h>

#include "out.h"

static volatile int64_t wide[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX, 0x123456789abcdef0};
static volatile double real[] = {0.0, -0.0, 1.0, -1.5, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, INFINITY, -INFINITY};

static __attribute__((noinline)) uint64_t fold(uint64_t hash, uint64_t value) { return (hash ^ value) * 1099511628211u; }

static uint64_t bits(double value)
{
    uint64_t result;
    memcpy(&result, &value, sizeof result);
    return value != value ? 0x7ff8000000000000u : result;
}

int main(void)
{
    uint64_t hash = 14695981039346656037u;
    for (int i = 0; i < 7; i++) {
        int64_t a = wide[i], b = wide[6 - i];
        hash = fold(hash, (uint64_t)a * (uint64_t)b);
        hash = fold(hash, (uint64_t)a >> (b & 63));
        hash = fold(hash, (uint64_t)(a >> (b & 63)));
        hash = fold(hash, b != 0 ? (uint64_t)a / (uint64_t)b : 1);
        hash = fold(hash, b != 0 && b != -1 ? (uint64_t)(a % b) : 2);
        hash = fold(hash, (uint64_t)(int64_t)(int32_t)a + (uint64_t)__builtin_popcountll((uint64_t)b));
    }
    out_hex(hash);
    out_end();
    for (int i = 0; i < 9; i++) {
        double a = real[i], b = real[8 - i];
        hash = fold(hash, bits(a + b));
        hash = fold(hash, bits(a * b));
        hash = fold(hash, bits(a / b));
        hash = fold(hash, bits(sqrt(a)));
        hash = fold(hash, bits((double)(float)a));
        hash = fold(hash, bits(floor(a) + ceil(b) + trunc(a) + rint(b)));
        hash = fold(hash, bits(copysign(a, b)));
        hash = fold(hash, (uint64_t)(a < b) | (uint64_t)(a <= b) << 1 | (uint64_t)(a == b) << 2);
    }
    out_hex(hash);
    out_end();
    return 0;
}
