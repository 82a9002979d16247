/* Waits for a line of input, then sleeps for three seconds; says when each begins and ends. */
#include <stdio.h>
#include <string.h>
#include <time.h>

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(void)
{
    char line[100];
    const struct timespec nap = {3, 0};
    setvbuf(stdout, NULL, _IONBF, 0);
    puts("waiting");
    while (fgets(line, sizeof line, stdin) != NULL && strcmp(line, "sleep\n") != 0)
        printf("got %s", line);
    puts("sleeping");
    double before = now();
    nanosleep(&nap, NULL);
    double slept = now() - before;
    printf("slept %s\n", slept < 3.0 ? "too little" : slept < 3.9 ? "as asked" : "too long");
    return 5;
}
