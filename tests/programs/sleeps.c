/* Sleeps between computations; a clock that goes back is an error. */
#include <time.h>

#include "out.h"

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int main(void)
{
    int64_t before = now();
    for (int i = 0; i < 4; i++) {
        struct timespec pause = {0, 3000000};
        nanosleep(&pause, 0);
        int64_t after = now();
        if (after - before < 3000000) {
            say("slept too short or clock went back", after - before);
            return 1;
        }
        before = after;
        say("slept", i);
    }
    return 0;
}
