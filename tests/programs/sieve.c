/* Primes. */
#include "out.h"

static unsigned char composite[20000];

int main(void)
{
    volatile unsigned limit = sizeof composite;
    unsigned n = limit, count = 0, last = 0;
    for (unsigned i = 2; i * i < n; i++) {
        if (!composite[i]) {
            for (unsigned k = i * i; k < n; k += i) {
                composite[k] = 1;
            }
        }
    }
    for (unsigned i = 2; i < n; i++) {
        count += !composite[i];
        last = composite[i] ? last : i;
    }
    say("count", count);
    say("last", last);
    return 0;
}
