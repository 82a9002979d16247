/* Fills as many MiB as the first argument says with bytes that are not zero, then asks for a checkpoint. With a second
 * argument it goes on and prints the nanoseconds that the checkpoint took, and those that copying the memory within
 * itself takes. Without one it ends there; resumed, it prints when its first instruction ran (nanoseconds since 1970),
 * then when that was put out, and when every page had been read. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

__attribute__((import_module("env"), import_name("__checkpoint"))) void checkpoint(int stop);

static long long now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void resumed(const uint64_t *block, size_t size)
{
    const long long first = now(CLOCK_REALTIME);
    uint64_t odd = 0;
    printf("%lld\n", first);
    fflush(stdout);
    const long long put_out = now(CLOCK_REALTIME);
    for (size_t i = 0; i < size / 8; i += 512) {
        odd += block[i] & 1;
    }
    const long long all_read = now(CLOCK_REALTIME);
    printf("%lld\n%lld\n%d\n", put_out, all_read, odd == size / 4096);
}

static void went_on(uint64_t *block, size_t size, long long taken)
{
    const long long before = now(CLOCK_MONOTONIC);
    memcpy(block, block + size / 16, size / 2);
    __asm__ volatile("" : : "r"(block) : "memory"); /* somebody may look at it */
    printf("%lld\n%lld\n", taken, 2 * (now(CLOCK_MONOTONIC) - before));
}

int main(int argc, char **argv)
{
    const size_t size = (size_t)(argc > 1 ? atoi(argv[1]) : 1) << 20;
    const size_t page = __builtin_wasm_memory_grow(0, size >> 16); /* malloc ends below 2 GiB */
    uint64_t *block = (uint64_t *)(page << 16), state = 1;
    if (page == SIZE_MAX) {
        return 1;
    }
    for (size_t i = 0; i < size / 8; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        block[i] = state | 1;
    }
    const long long before = now(CLOCK_MONOTONIC);
    checkpoint(argc < 3);
    if (argc < 3) {
        resumed(block, size);
    } else {
        went_on(block, size, now(CLOCK_MONOTONIC) - before);
    }
    return 0;
}
