/* Triangles: for each edge to a lower node, the common neighbours that are lower still, by merging sorted rows. */
#include "graph.h"

static uint64_t count_triangles(const struct graph *g)
{
    uint64_t total = 0;
    for (uint32_t u = 0; u < g->nodes; u++) {
        for (uint32_t e = g->first[u]; e < g->first[u + 1] && g->to[e] < u; e++) {
            uint32_t v = g->to[e], at = g->first[u];
            for (uint32_t f = g->first[v]; f < g->first[v + 1]; f++) {
                uint32_t w = g->to[f];
                if (w > v) {
                    break;
                }
                while (g->to[at] < w) {
                    at++;
                }
                total += g->to[at] == w;
            }
        }
    }
    return total;
}

int main(int argc, char **argv)
{
    int scale = size_argument(argc, argv, 16);
    struct graph g = graph_create(scale);
    printf("%u %llu\n", g.edges, (unsigned long long)count_triangles(&g));
    return 0;
}
