/* PageRank: every node pulls its neighbours' shares, damping 0.85. */
#include "graph.h"

static double iterate(const struct graph *g, float *rank, float *share)
{
    float base = 0.15f / (float)g->nodes;
    double change = 0;
    for (uint32_t node = 0; node < g->nodes; node++) {
        share[node] = degree(g, node) > 0 ? rank[node] / (float)degree(g, node) : 0;
    }
    for (uint32_t node = 0; node < g->nodes; node++) {
        float sum = 0;
        for (uint32_t e = g->first[node]; e < g->first[node + 1]; e++) {
            sum += share[g->to[e]];
        }
        float next = base + 0.85f * sum;
        change += next > rank[node] ? next - rank[node] : rank[node] - next;
        rank[node] = next;
    }
    return change;
}

int main(int argc, char **argv)
{
    int iterations = size_argument(argc, argv, 150);
    struct graph g = graph_create(17);
    float *rank = allocate(g.nodes, sizeof *rank), *share = allocate(g.nodes, sizeof *share);
    double change = 0, sum = 0;
    for (int n = 0; n < iterations; n++) {
        if (n % 20 == 0) {
            for (uint32_t node = 0; node < g.nodes; node++) {
                rank[node] = 1.0f / (float)g.nodes;
            }
        }
        change += iterate(&g, rank, share);
    }
    for (uint32_t node = 0; node < g.nodes; node++) {
        sum += rank[node] * (node % 7);
    }
    printf("%.5f %.5f\n", change, sum);
    return 0;
}
