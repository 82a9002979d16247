/* Two hundred values of four types that are all alive across calls that pass points. */
#include "out.h"

#define TEN(M, n) M(n##0) M(n##1) M(n##2) M(n##3) M(n##4) M(n##5) M(n##6) M(n##7) M(n##8) M(n##9)
#define FIFTY(M) TEN(M, 1) TEN(M, 2) TEN(M, 3) TEN(M, 4) TEN(M, 5)

static uint32_t seed = 12345;

static __attribute__((noinline)) uint32_t next(void)
{
    seed = seed * 1103515245u + 12345u;
    return seed >> 8;
}

/* A callee with a loop, so that the caller's frame is suspended with everything in it. */
static __attribute__((noinline)) uint32_t churn(uint32_t rounds)
{
    for (uint32_t i = 0; i < rounds; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        if (seed == rounds) {
            write(2, "unlikely\n", 9);
        }
    }
    return seed;
}

#define DECLARE(n)                            \
    uint32_t a##n = next();                   \
    uint64_t b##n = (uint64_t)next() * 99991; \
    float c##n = (float)next();               \
    double d##n = (double)next() / 7.0;
#define MIX(n)                           \
    total ^= a##n * 31u + (total << 1);  \
    total += b##n ^ (total >> 3);        \
    sum += (double)c##n;                 \
    sum = sum * 0.5 + d##n;
#define CHANGE(n) \
    a##n += m;    \
    b##n ^= m;    \
    c##n *= 0.5f; \
    d##n -= 1.5;

int main(void)
{
    uint64_t total = 0;
    double sum = 0;
    FIFTY(DECLARE)
    for (int round = 0; round < 3; round++) {
        uint32_t m = churn(4);
        FIFTY(CHANGE)
    }
    churn(6);
    FIFTY(MIX)
    say("total", (int64_t)total);
    say_bits("sum", sum);
    return 0;
}
