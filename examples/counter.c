/* Counts from 0 to 9, once a second, and asks to be stopped at the fifth tick.
 *
 *     counter [SECONDS_PER_TICK]
 *
 * Stopped there by its own call of env.__checkpoint, it ends with exit status 75 and leaves a
 * snapshot; resumed from it, on whatever machine, it counts on as if nothing had been. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

__attribute__((import_module("env"), import_name("__checkpoint"))) void checkpoint(int stop);

static void wait_for(double seconds)
{
    const struct timespec pause = {
        .tv_sec = (time_t)seconds,
        .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9),
    };
    nanosleep(&pause, NULL);
}

int main(int argc, char **argv)
{
    const double seconds = argc > 1 ? atof(argv[1]) : 1.0;
    for (int tick = 0; tick < 10; tick++) {
        printf("%d\n", tick);
        fflush(stdout);
        if (tick == 4)
            checkpoint(1);
        wait_for(seconds);
    }
    return 0;
}
