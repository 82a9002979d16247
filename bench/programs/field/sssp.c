/* Shortest paths from one node by delta stepping: buckets of nodes whose distances are within `DELTA` of each
 * other; weights 1 to 255. */
#include "graph.h"

enum { DELTA = 32 };
static uint32_t *distance;
static uint8_t *weight;

struct bucket {
    uint32_t *nodes, count, room;
};

static struct bucket *buckets;
static uint32_t bucket_count;

static void put(uint32_t number, uint32_t node)
{
    if (number >= bucket_count) {
        uint32_t more = number * 2 + 16;
        buckets = realloc(buckets, more * sizeof *buckets);
        memset(buckets + bucket_count, 0, (more - bucket_count) * sizeof *buckets);
        bucket_count = more;
    }
    struct bucket *bucket = &buckets[number];
    if (bucket->count == bucket->room) {
        bucket->room = bucket->room * 2 + 64;
        bucket->nodes = realloc(bucket->nodes, bucket->room * sizeof *bucket->nodes);
    }
    bucket->nodes[bucket->count++] = node;
}

static void relax(const struct graph *g, uint32_t node)
{
    for (uint32_t e = g->first[node]; e < g->first[node + 1]; e++) {
        uint32_t next = g->to[e], found = distance[node] + weight[e];
        if (found < distance[next]) {
            distance[next] = found;
            put(found / DELTA, next);
        }
    }
}

static void search(const struct graph *g, uint32_t source)
{
    memset(distance, 0xff, g->nodes * sizeof *distance);
    distance[source] = 0;
    put(0, source);
    for (uint32_t number = 0; number < bucket_count; number++) {
        while (buckets[number].count > 0) {
            uint32_t node = buckets[number].nodes[--buckets[number].count];
            if (distance[node] / DELTA == number) {
                relax(g, node);
            }
        }
    }
}

int main(int argc, char **argv)
{
    int rounds = size_argument(argc, argv, 40);
    struct graph g = graph_create(15);
    uint64_t state = 4711, sum = 0;
    distance = allocate(g.nodes, sizeof *distance);
    weight = allocate(g.edges, 1);
    for (uint32_t e = 0; e < g.edges; e++) {
        weight[e] = (uint8_t)(1 + random_next(&state) % 255);
    }
    for (int round = 0; round < rounds; round++) {
        search(&g, pick_source(&g, (uint32_t)round));
        for (uint32_t node = 0; node < g.nodes; node++) {
            sum += distance[node] == UINT32_MAX ? 0 : distance[node];
        }
    }
    printf("%llu\n", (unsigned long long)sum);
    return 0;
}
