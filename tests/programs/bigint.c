/* Factorials and Fibonacci numbers in base 10^9. */
#include "out.h"

enum { LIMBS = 12 };
typedef struct { uint32_t limb[LIMBS]; int used; } number;

static __attribute__((noinline)) void multiply(number *n, uint32_t factor)
{
    uint64_t carry = 0;
    for (int i = 0; i < n->used; i++) {
        carry += (uint64_t)n->limb[i] * factor;
        n->limb[i] = (uint32_t)(carry % 1000000000u);
        carry /= 1000000000u;
    }
    if (carry != 0) {
        n->limb[n->used++] = (uint32_t)carry;
    }
}

static __attribute__((noinline)) void add(number *a, const number *b)
{
    uint32_t carry = 0;
    for (int i = 0; i < b->used || carry != 0; i++) {
        if (i == a->used) {
            a->limb[a->used++] = 0;
        }
        uint32_t sum = a->limb[i] + (i < b->used ? b->limb[i] : 0) + carry;
        carry = sum >= 1000000000u;
        a->limb[i] = sum - carry * 1000000000u;
    }
}

static void show(const number *n)
{
    for (int i = n->used; i-- > 0;) {
        out_i64(n->limb[i]);
        out_text(" ");
    }
    out_end();
}

int main(void)
{
    number factorial = {{1}, 1}, a = {{0}, 1}, b = {{1}, 1};
    for (uint32_t i = 2; i <= 25; i++) {
        multiply(&factorial, i);
    }
    show(&factorial);
    for (int i = 0; i < 30; i++) {
        add(&a, &b);
        number t = a;
        a = b;
        b = t;
    }
    show(&b);
    return 0;
}
