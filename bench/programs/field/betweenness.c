/* Betweenness centrality from a few sources by Brandes: a breadth-first search that counts shortest paths, then
 * dependencies gathered from the farthest nodes back. */
#include "graph.h"

static uint32_t *order;
static int32_t *depth;
static double *paths, *dependency, *score;

static uint32_t count_paths(const struct graph *g, uint32_t source)
{
    uint32_t tail = 1;
    memset(depth, 0xff, g->nodes * sizeof *depth);
    memset(paths, 0, g->nodes * sizeof *paths);
    depth[source] = 0;
    paths[source] = 1;
    order[0] = source;
    for (uint32_t head = 0; head < tail; head++) {
        uint32_t node = order[head];
        for (uint32_t e = g->first[node]; e < g->first[node + 1]; e++) {
            uint32_t next = g->to[e];
            if (depth[next] < 0) {
                depth[next] = depth[node] + 1;
                order[tail++] = next;
            }
            if (depth[next] == depth[node] + 1) {
                paths[next] += paths[node];
            }
        }
    }
    return tail;
}

static void gather(const struct graph *g, uint32_t reached)
{
    memset(dependency, 0, g->nodes * sizeof *dependency);
    for (uint32_t at = reached; at-- > 1;) {
        uint32_t node = order[at];
        double sum = 0;
        for (uint32_t e = g->first[node]; e < g->first[node + 1]; e++) {
            uint32_t next = g->to[e];
            if (depth[next] == depth[node] + 1) {
                sum += paths[node] / paths[next] * (1 + dependency[next]);
            }
        }
        dependency[node] = sum;
        score[node] += sum;
    }
}

int main(int argc, char **argv)
{
    int sources = size_argument(argc, argv, 120);
    struct graph g = graph_create(15);
    order = allocate(g.nodes, sizeof *order);
    depth = allocate(g.nodes, sizeof *depth);
    paths = allocate(g.nodes, sizeof *paths);
    dependency = allocate(g.nodes, sizeof *dependency);
    score = allocate(g.nodes, sizeof *score);
    for (int round = 0; round < sources; round++) {
        gather(&g, count_paths(&g, pick_source(&g, (uint32_t)round)));
    }
    double most = 0, sum = 0;
    for (uint32_t node = 0; node < g.nodes; node++) {
        most = score[node] > most ? score[node] : most;
        sum += score[node];
    }
    printf("%.3f %.3f\n", most, sum);
    return 0;
}
