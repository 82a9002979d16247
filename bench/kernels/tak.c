/* Takeuchi's function and Fibonacci numbers: nothing but calls. */
#include <stdio.h>

static __attribute__((noinline)) int tak(int x, int y, int z)
{
    return y < x ? tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y)) : z;
}

static __attribute__((noinline)) unsigned fib(unsigned n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

int main(void)
{
    printf("%d %u\n", tak(22, 16, 8), fib(40));
    return 0;
}
