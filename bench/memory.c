/* Fills as many MiB as the first argument says with bytes that are not zero, then asks for a checkpoint. With a second
 * argument it goes on and prints the nanoseconds that the checkpoint took; without one it ends there. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

__attribute__((import_module("env"), import_name("__checkpoint"))) void checkpoint(int stop);

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

int main(int argc, char **argv)
{
    size_t size = (size_t)(argc > 1 ? atoi(argv[1]) : 1) << 20;
    uint64_t *block = malloc(size), state = 1;
    if (block == 0) {
        return 1;
    }
    for (size_t i = 0; i < size / 8; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        block[i] = state | 1;
    }
    long long before = now();
    checkpoint(argc < 3);
    long long after = now();
    printf("%lld\n", argc < 3 ? (long long)(block[size / 16] & 1) : after - before);
    return 0;
}
