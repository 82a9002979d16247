/* Works a little, then traps in the way its argument names. */
#include <stdlib.h>

#include "out.h"

static volatile int zero, minimum = -2147483647 - 1, minus_one = -1;
static volatile float huge = 1e20f, not_a_number = __builtin_nanf("");
static volatile uint32_t far = 0xfffffff0u;
typedef int wrong_fn(double, double);
static int right(int a) { return a + 1; }
static int (*volatile table[2])(int) = {right, 0};

static __attribute__((noinline)) unsigned work(unsigned rounds)
{
    unsigned state = 7;
    for (unsigned i = 0; i < rounds; i++) {
        do { /* as often as nobody can tell: about eight times */
            state = state * 69069u + i;
        } while (state >> 29 != 0);
    }
    return state;
}

static __attribute__((noinline)) int fault(const char *kind)
{
    switch (kind[0]) {
    case 'd': return 7 / zero;
    case 'o': return minimum / minus_one;
    case 'c': return __builtin_wasm_trunc_s_i32_f32(not_a_number);
    case 'h': return __builtin_wasm_trunc_s_i32_f32(huge);
    case 'm': return *(volatile int *)far;
    case 'u': __builtin_trap();
    case 'n': return ((int (*volatile)(int))12345)(1);
    case 't': return ((wrong_fn *)table[0])(1.0, 2.0);
    default: return 0;
    }
}

int main(int argc, char **argv)
{
    say("before", work(40));
    int result = 0;
    for (int i = 0; i < 3; i++) {
        result += i == 2 ? fault(argc > 1 ? argv[1] : "") : (int)work(9);
        say("at", i);
    }
    return result & 1;
}
