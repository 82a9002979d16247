/* Leaves with a status of its own from deep inside, handlers included. */
#include <stdlib.h>

#include "out.h"

static int depth;

static void first(void) { say("first handler", depth); }
static void second(void) { say("second handler", depth + 1); }

static __attribute__((noinline)) int dive(int n)
{
    depth++;
    for (int i = 0; i < 2; i++) {
        if (n == 0) {
            exit(100 + i);
        }
        n = dive(n - 1);
    }
    return n;
}

int main(void)
{
    atexit(first);
    atexit(second);
    return dive(6);
}
