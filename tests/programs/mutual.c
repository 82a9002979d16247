/* Mutual recursion without any loop: the cycle is polled at an entry. */
#include "out.h"

static int is_odd(unsigned n, unsigned salt);
static __attribute__((noinline)) int is_even(unsigned n, unsigned salt)
{
    return n == 0 ? (int)(salt & 1) : is_odd(n - 1, salt + 3) ^ 1;
}

static __attribute__((noinline)) int is_odd(unsigned n, unsigned salt)
{
    return n == 0 ? (int)(salt >> 1 & 1) : is_even(n - 1, salt * 5) + 2;
}

static __attribute__((noinline)) unsigned ackermann(unsigned m, unsigned n)
{
    if (m == 0) {
        return n + 1;
    }
    if (n == 0) {
        return ackermann(m - 1, 1);
    }
    return ackermann(m - 1, ackermann(m, n - 1));
}

static __attribute__((noinline)) int female(int n);
static __attribute__((noinline)) int male(int n)
{
    return n == 0 ? 0 : n - female(male(n - 1));
}

static __attribute__((noinline)) int female(int n)
{
    return n == 0 ? 1 : n - male(female(n - 1));
}

int main(void)
{
    say("even", is_even(25, 9));
    say("odd", is_odd(24, 2));
    say("ackermann", ackermann(2, 2));
    say("hofstadter", male(7) * 100 + female(8));
    return 0;
}
