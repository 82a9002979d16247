/* Computes for as long as its argument says (rounds of about a millisecond), printing now and then. Recursion,
 * calls through pointers, floating point and the heap take turns. */
#include <stdio.h>
#include <stdlib.h>

typedef double step_fn(double, unsigned);

static unsigned char *arena;
static size_t arena_size;

static __attribute__((noinline)) double spread(double x, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        arena[(i * 7919u + (unsigned)x) % arena_size] += (unsigned char)i;
        x = x * 0.999 + arena[i % arena_size];
    }
    return x;
}

static __attribute__((noinline)) double climb(double x, unsigned n)
{
    if (n < 2) {
        return x;
    }
    return climb(x + 0.5, n - 1) * 0.25 + climb(x - 0.25, n - 2);
}

static __attribute__((noinline)) double walk(double x, unsigned n)
{
    unsigned long long state = (unsigned long long)n * 2654435761u + 1;
    while (n-- > 0) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    return x + (double)(state % 1000);
}

int main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 100;
    step_fn *steps[] = {spread, climb, walk};
    unsigned sizes[] = {200000, 20, 300000};
    double x = 1;
    arena_size = 1 << 16;
    arena = calloc(arena_size, 1);
    for (unsigned i = 0; i < rounds; i++) {
        x = steps[i % 3](x, sizes[i % 3]);
        if (i % 50 == 0) {
            printf("%u %.17g\n", i, x);
            fflush(stdout);
            arena = realloc(arena, arena_size += 10007);
        }
        if (x > 1e9) {
            x = 1;
        }
    }
    printf("end %.17g\n", x);
    return 0;
}
