/* A histogram of words: text from a generator, an open hash table. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "../run.h"

enum { TEXT = 1 << 21, SLOTS = 1 << 16 };
static char text[TEXT + 1];
static struct {
    uint32_t hash, at, length, count;
} slots[SLOTS];

static void generate(uint32_t seed)
{
    for (int i = 0; i < TEXT; i++) {
        seed = seed * 1664525u + 1013904223u;
        uint32_t pick = seed >> 24;
        text[i] = pick < 50 ? ' ' : (char)('a' + (pick * pick >> 12));
    }
}

static void count(uint32_t at, uint32_t length, uint32_t hash)
{
    uint32_t slot = hash & (SLOTS - 1);
    while (slots[slot].count != 0 &&
           (slots[slot].hash != hash || slots[slot].length != length || memcmp(text + slots[slot].at, text + at, length) != 0)) {
        slot = (slot + 1) & (SLOTS - 1);
    }
    slots[slot].hash = hash;
    slots[slot].at = at;
    slots[slot].length = length;
    slots[slot].count++;
}

int main(int argc, char **argv)
{
    int rounds = size_argument(argc, argv, 150);
    uint32_t most = 0, words = 0;
    generate(1);
    for (int round = 0; round < rounds; round++) {
        memset(slots, 0, sizeof slots);
        for (uint32_t i = 0; i < TEXT;) {
            uint32_t start = i, hash = 2166136261u;
            for (; text[i] > ' '; i++) {
                hash = (hash ^ (unsigned char)text[i]) * 16777619u;
            }
            if (i - start > 0 && i - start < 4) {
                count(start, i - start, hash);
                words++;
            }
            i++;
        }
        for (int i = 0; i < SLOTS; i++) {
            most = slots[i].count > most ? slots[i].count : most;
        }
    }
    printf("%u %u\n", words, most);
    return 0;
}
