/* Connected components by Shiloach and Vishkin: hook every edge's higher root, then shorten all paths, until
 * nothing changes. */
#include "graph.h"

static uint32_t find_components(const struct graph *g, uint32_t *component)
{
    uint32_t passes = 0;
    for (uint32_t node = 0; node < g->nodes; node++) {
        component[node] = node;
    }
    for (int changed = 1; changed; passes++) {
        changed = 0;
        for (uint32_t node = 0; node < g->nodes; node++) {
            for (uint32_t e = g->first[node]; e < g->first[node + 1]; e++) {
                uint32_t a = component[node], b = component[g->to[e]];
                uint32_t high = a > b ? a : b, low = a + b - high;
                if (high != low && component[high] == high) {
                    component[high] = low;
                    changed = 1;
                }
            }
        }
        for (uint32_t node = 0; node < g->nodes; node++) {
            while (component[node] != component[component[node]]) {
                component[node] = component[component[node]];
            }
        }
    }
    return passes;
}

int main(int argc, char **argv)
{
    int rounds = size_argument(argc, argv, 100);
    struct graph g = graph_create(16);
    uint32_t *component = allocate(g.nodes, sizeof *component), passes = 0;
    uint64_t sum = 0;
    for (int round = 0; round < rounds; round++) {
        passes += find_components(&g, component);
        for (uint32_t node = 0; node < g.nodes; node++) {
            sum += component[node];
        }
    }
    printf("%u %llu\n", passes, (unsigned long long)sum);
    return 0;
}
