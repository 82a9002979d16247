/* What all programs share: the size argument and deterministic random numbers. */
#ifndef BENCH_RUN_H
#define BENCH_RUN_H

#include <stdint.h>
#include <stdlib.h>

/* The first argument, or `full` without one. */
static inline int size_argument(int argc, char **argv, int full) { return argc > 1 ? atoi(argv[1]) : full; }

/* xorshift64: never zero when it begins with another number. */
static inline uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* From 0 up to, not including, 1. */
static inline double random_unit(uint64_t *state) { return (double)(random_next(state) >> 11) * 0x1p-53; }

/* Mixes a number into a checksum. */
static inline uint64_t checksum(uint64_t sum, uint64_t value) { return (sum ^ value) * 0x100000001b3u + (sum >> 47); }

#endif
