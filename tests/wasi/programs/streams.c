/* Arguments, environment, clocks, random numbers, standard streams, polling, exit. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static long long now(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000ll + time.tv_nsec;
}

static void leave(void)
{
    puts("leaving");
}

int main(int argc, char **argv)
{
    char line[100];
    unsigned char random[64] = {0};
    unsigned sum = 0;
    for (int i = 1; i < argc; i++)
        printf("argument [%s]\n", argv[i]);
    printf("FOO=%s, NONE=%s\n", getenv("FOO"), getenv("NONE") == NULL ? "(none)" : "set");
    while (fgets(line, sizeof line, stdin) != NULL)
        printf("line of %d: %s", (int)strlen(line), line);
    printf("end of input %d\n", feof(stdin));
    fprintf(stderr, "to standard error\n");
    long long before = now(CLOCK_MONOTONIC);
    const struct timespec nap = {0, 30000000};
    printf("nanosleep %d\n", nanosleep(&nap, NULL));
    long long slept = now(CLOCK_MONOTONIC) - before;
    printf("slept %d, real time %d\n", slept >= 30000000 && slept < 5000000000ll,
           now(CLOCK_REALTIME) > 1600000000000000000ll);
    getentropy(random, sizeof random);
    for (int i = 0; i < 64; i++)
        sum += random[i];
    printf("random %d, yield %d\n", sum > 0, sched_yield());
    struct pollfd fd = {.fd = 1, .events = POLLOUT};
    printf("poll %d %d\n", poll(&fd, 1, 1000), fd.revents & POLLOUT ? 1 : 0);
    printf("tty %d\n", isatty(1));
    for (int i = 0; i < 3000; i++)
        printf("%d ", i);
    puts("");
    fclose(stderr);
    atexit(leave);
    exit(41);
}
