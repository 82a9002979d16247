/* One sleep of as many milliseconds as the argument says; awake 1 means that it was too short. */
#include <stdlib.h>
#include <time.h>

#include "out.h"

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int main(int argc, char **argv)
{
    int64_t length = (argc > 1 ? atoi(argv[1]) : 10) * (int64_t)1000000;
    out_text("asleep");
    out_end();
    int64_t before = now();
    struct timespec pause = {length / 1000000000, length % 1000000000};
    nanosleep(&pause, 0);
    say("awake", now() - before < length);
    return 0;
}
