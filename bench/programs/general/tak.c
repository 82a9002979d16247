/* Takeuchi's function and Fibonacci numbers: nothing but calls. */
#include <stdio.h>

#include "../run.h"

static __attribute__((noinline)) int tak(int x, int y, int z)
{
    return y < x ? tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y)) : z;
}

static __attribute__((noinline)) unsigned fib(unsigned n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

int main(int argc, char **argv)
{
    int n = size_argument(argc, argv, 42);
    printf("%d %u\n", tak(n / 2 + 2, 16, 8), fib((unsigned)n));
    return 0;
}
