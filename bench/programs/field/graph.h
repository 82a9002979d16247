/* A Kronecker (R-MAT) graph in compressed rows: undirected, without loops and double edges, each row
 * sorted. 2^scale nodes, 16 edges a node before the double ones go; probabilities 0.57, 0.19, 0.19, 0.05. */
#ifndef BENCH_GRAPH_H
#define BENCH_GRAPH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../run.h"

enum { EDGES_PER_NODE = 16 };

struct graph {
    uint32_t nodes, edges; /* each undirected edge counts twice */
    uint32_t *first;       /* nodes + 1 places in `to` */
    uint32_t *to;
};

static inline void *allocate(size_t count, size_t size)
{
    void *block = calloc(count, size);
    if (block == NULL) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    return block;
}

static inline uint32_t degree(const struct graph *g, uint32_t node) { return g->first[node + 1] - g->first[node]; }

/* One end of the edge in the high half, the other in the low one; a quadrant a level, 16 random bits each. */
static inline uint64_t random_edge(int scale, uint64_t *state)
{
    uint64_t from = 0, to = 0, bits = 0;
    for (int level = 0; level < scale; level++) {
        bits = level % 4 == 0 ? random_next(state) : bits >> 16;
        uint32_t pick = bits & 0xffff; /* of 65536: 37356 + 12452 + 12452 + 3276 */
        from = from << 1 | (pick >= 49808);
        to = to << 1 | ((pick >= 37356 && pick < 49808) || pick >= 62260);
    }
    return from << 32 | to;
}

/* Sorts by one end (counting), where the input is sorted by the other or by nothing. */
static inline void sort_by_end(const uint64_t *in, uint64_t *out, uint32_t count, uint32_t nodes, int shift)
{
    uint32_t *place = allocate(nodes + 1, sizeof *place);
    for (uint32_t i = 0; i < count; i++) {
        place[(uint32_t)(in[i] >> shift) + 1]++;
    }
    for (uint32_t node = 0; node < nodes; node++) {
        place[node + 1] += place[node];
    }
    for (uint32_t i = 0; i < count; i++) {
        out[place[(uint32_t)(in[i] >> shift)]++] = in[i];
    }
    free(place);
}

static inline struct graph graph_create(int scale)
{
    struct graph g = {.nodes = 1u << scale};
    uint32_t count = 2 * EDGES_PER_NODE * g.nodes;
    uint64_t *edges = allocate(count, sizeof *edges), *sorted = allocate(count, sizeof *sorted);
    uint64_t state = 0x9e3779b97f4a7c15u;
    for (uint32_t i = 0; i < count; i += 2) {
        edges[i] = random_edge(scale, &state);
        edges[i + 1] = edges[i] << 32 | edges[i] >> 32;
    }
    sort_by_end(edges, sorted, count, g.nodes, 0);
    sort_by_end(sorted, edges, count, g.nodes, 32);
    g.first = allocate(g.nodes + 1, sizeof *g.first);
    g.to = allocate(count, sizeof *g.to);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t from = (uint32_t)(edges[i] >> 32), to = (uint32_t)edges[i];
        if (from != to && (i == 0 || edges[i] != edges[i - 1])) {
            g.to[g.edges++] = to;
            g.first[from + 1] = g.edges;
        }
    }
    for (uint32_t node = 0; node < g.nodes; node++) {
        g.first[node + 1] = g.first[node + 1] == 0 ? g.first[node] : g.first[node + 1];
    }
    free(edges);
    free(sorted);
    return g;
}

/* The round's start: a node that has neighbours. */
static inline uint32_t pick_source(const struct graph *g, uint32_t round)
{
    uint32_t node = round * 2654435761u % g->nodes;
    while (degree(g, node) == 0) {
        node = (node + 1) % g->nodes;
    }
    return node;
}

#endif
