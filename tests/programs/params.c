/* Functions with more parameters than registers, integers and floats mixed, direct, indirect and recursive. */
#include "out.h"

typedef double many_fn(int a, double b, uint64_t c, float d, int e, double f, uint64_t g, float h, int i,
                       double j, uint64_t k, float l, int m, double n, uint64_t o, float p, int q, double r,
                       uint64_t s, float t, int u, double v, uint64_t w, float x);

static __attribute__((noinline)) int spin(int rounds)
{
    static volatile int cell;
    for (int i = 0; i < rounds; i++) {
        cell = cell * 3 + i;
    }
    return cell & 7;
}

static __attribute__((noinline)) double many(int a, double b, uint64_t c, float d, int e, double f, uint64_t g,
                                             float h, int i, double j, uint64_t k, float l, int m, double n,
                                             uint64_t o, float p, int q, double r, uint64_t s, float t, int u,
                                             double v, uint64_t w, float x)
{
    int depth = spin(2);
    double below = 0;
    if (a > 0) {
        below = many(a - 1, x, w, (float)v, u, t, s, (float)r, q, p, o, (float)n, m, l, k, (float)j, i, h, g,
                     (float)f, e, d, c + (uint64_t)depth, (float)b);
    }
    return below + a * 1.0 + b * 2.0 + (double)c * 3.0 + d * 4.0 + e * 5.0 + f * 6.0 + (double)g * 7.0 + h * 8.0 +
           i * 9.0 + j * 10.0 + (double)k * 11.0 + l * 12.0 + m * 13.0 + n * 14.0 + (double)o * 15.0 + p * 16.0 +
           q * 17.0 + r * 18.0 + (double)s * 19.0 + t * 20.0 + u * 21.0 + v * 22.0 + (double)w * 23.0 + x * 24.0;
}

static __attribute__((noinline)) uint64_t many_ints(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
                                                    uint64_t f, uint64_t g, uint64_t h, uint64_t i, uint64_t j,
                                                    uint64_t k, uint64_t l, uint64_t m, uint64_t n, uint64_t o,
                                                    uint64_t p, uint64_t q, uint64_t r, uint64_t s, uint64_t t,
                                                    uint64_t u)
{
    uint64_t hash = 14695981039346656037u + (uint64_t)spin(3);
    uint64_t all[] = {a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u};
    for (unsigned at = 0; at < sizeof all / sizeof all[0]; at++) {
        hash = (hash ^ all[at]) * 1099511628211u;
    }
    return hash;
}

int main(void)
{
    many_fn *volatile through = many;
    say_bits("direct", many(4, 1.5, 2, 3.5f, 4, 5.5, 6, 7.5f, 8, 9.5, 10, 11.5f, 12, 13.5, 14, 15.5f, 16, 17.5, 18,
                            19.5f, 20, 21.5, 22, 23.5f));
    say_bits("indirect", through(2, -1.5, 1ull << 40, 3.25f, -4, 1e10, 6, -0.0f, 8, 9.5, 10, 11.5f, -12, 13.5, 14,
                                 15.5f, 16, 17.5, 18, 19.5f, 20, 21.5, 22, 1e-3f));
    say("ints", (int64_t)many_ints(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21));
    return 0;
}
