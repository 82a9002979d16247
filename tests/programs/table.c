/* A hash table that grows, on the heap. */
#include <stdlib.h>

#include "out.h"

struct entry {
    struct entry *next;
    uint32_t key;
    double value;
};

static struct entry **buckets;
static uint32_t bucket_count, entry_count;

static uint32_t place(uint32_t key) { return (key * 2654435761u >> 7) & (bucket_count - 1); }

static __attribute__((noinline)) void resize(uint32_t count)
{
    struct entry **old = buckets;
    uint32_t old_count = bucket_count;
    buckets = calloc(count, sizeof *buckets);
    bucket_count = count;
    for (uint32_t i = 0; i < old_count; i++) {
        struct entry *entry = old[i];
        while (entry != 0) {
            struct entry *next = entry->next;
            entry->next = buckets[place(entry->key)];
            buckets[place(entry->key)] = entry;
            entry = next;
        }
    }
    free(old);
}

static __attribute__((noinline)) double *lookup(uint32_t key)
{
    for (struct entry *entry = buckets[place(key)]; entry != 0; entry = entry->next) {
        if (entry->key == key) {
            return &entry->value;
        }
    }
    if (++entry_count > bucket_count) {
        resize(bucket_count * 2);
    }
    struct entry *entry = malloc(sizeof *entry);
    *entry = (struct entry){buckets[place(key)], key, 0};
    buckets[place(key)] = entry;
    return &entry->value;
}

int main(void)
{
    resize(2);
    uint32_t key = 1;
    for (int i = 0; i < 24; i++) {
        key = key * 75 % 65537;
        *lookup(key % 17) += (double)key * 0.25;
    }
    double sum = 0;
    for (uint32_t i = 0; i < 17; i++) {
        sum = sum * 1.5 + *lookup(i);
    }
    say("entries", entry_count);
    say("buckets", bucket_count);
    say_bits("sum", sum);
    return 0;
}
