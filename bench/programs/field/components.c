/* Connected components by Afforest: a few edges of each node first, then the rest of those that are not in the
 * largest component yet. */
#include "graph.h"

enum { FIRST_EDGES = 2, SAMPLES = 1024 };
static uint32_t *component;

/* Hangs the higher of two roots under the lower one. */
static void link_nodes(uint32_t u, uint32_t v)
{
    uint32_t p1 = component[u], p2 = component[v];
    while (p1 != p2) {
        uint32_t high = p1 > p2 ? p1 : p2, low = p1 + p2 - high, above = component[high];
        if (above == low) {
            return;
        }
        if (above == high) {
            component[high] = low;
            return;
        }
        p1 = component[component[high]];
        p2 = component[low];
    }
}

static void compress(uint32_t nodes)
{
    for (uint32_t node = 0; node < nodes; node++) {
        while (component[node] != component[component[node]]) {
            component[node] = component[component[node]];
        }
    }
}

/* The component that most of a few random nodes are in. */
static uint32_t most_frequent(uint32_t nodes, uint32_t *counts, uint64_t *state)
{
    uint32_t best = 0;
    memset(counts, 0, nodes * sizeof *counts);
    for (int i = 0; i < SAMPLES; i++) {
        uint32_t found = component[random_next(state) % nodes];
        counts[found]++;
        best = counts[found] > counts[best] ? found : best;
    }
    return best;
}

static void find_components(const struct graph *g, uint32_t *counts, uint64_t *state)
{
    for (uint32_t node = 0; node < g->nodes; node++) {
        component[node] = node;
    }
    for (uint32_t k = 0; k < FIRST_EDGES; k++) {
        for (uint32_t node = 0; node < g->nodes; node++) {
            if (k < degree(g, node)) {
                link_nodes(node, g->to[g->first[node] + k]);
            }
        }
        compress(g->nodes);
    }
    uint32_t largest = most_frequent(g->nodes, counts, state);
    for (uint32_t node = 0; node < g->nodes; node++) {
        if (component[node] == largest) {
            continue;
        }
        for (uint32_t e = g->first[node] + FIRST_EDGES; e < g->first[node + 1]; e++) {
            link_nodes(node, g->to[e]);
        }
    }
    compress(g->nodes);
}

int main(int argc, char **argv)
{
    int rounds = size_argument(argc, argv, 700);
    struct graph g = graph_create(16);
    uint32_t *counts = allocate(g.nodes, sizeof *counts), roots = 0;
    uint64_t state = 12345, sum = 0;
    component = allocate(g.nodes, sizeof *component);
    for (int round = 0; round < rounds; round++) {
        find_components(&g, counts, &state);
        for (uint32_t node = 0; node < g.nodes; node++) {
            roots += component[node] == node;
            sum += component[node];
        }
    }
    printf("%u %llu\n", roots, (unsigned long long)sum);
    return 0;
}
