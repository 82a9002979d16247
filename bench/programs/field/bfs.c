/* Breadth-first search that changes direction: from the front's nodes outwards while the front is small, from
 * all nodes that are not reached yet while it is large. */
#include "graph.h"

static uint32_t *parent, *queue;
static uint8_t *in_front, *in_next;

/* Outwards; returns the queue's new end. */
static uint32_t step_down(const struct graph *g, uint32_t begin, uint32_t end)
{
    uint32_t tail = end;
    for (uint32_t at = begin; at < end; at++) {
        uint32_t node = queue[at];
        for (uint32_t e = g->first[node]; e < g->first[node + 1]; e++) {
            uint32_t next = g->to[e];
            if (parent[next] == UINT32_MAX) {
                parent[next] = node;
                queue[tail++] = next;
            }
        }
    }
    return tail;
}

/* Inwards: who is not reached looks for a neighbour in the front. Returns how many found one. */
static uint32_t step_up(const struct graph *g)
{
    uint32_t found = 0;
    memset(in_next, 0, g->nodes);
    for (uint32_t node = 0; node < g->nodes; node++) {
        if (parent[node] != UINT32_MAX) {
            continue;
        }
        for (uint32_t e = g->first[node]; e < g->first[node + 1]; e++) {
            if (in_front[g->to[e]]) {
                parent[node] = g->to[e];
                in_next[node] = 1;
                found++;
                break;
            }
        }
    }
    uint8_t *swap = in_front;
    in_front = in_next;
    in_next = swap;
    return found;
}

static uint32_t front_edges(const struct graph *g, uint32_t begin, uint32_t end)
{
    uint32_t edges = 0;
    for (uint32_t at = begin; at < end; at++) {
        edges += degree(g, queue[at]);
    }
    return edges;
}

static uint32_t search(const struct graph *g, uint32_t source)
{
    uint32_t begin = 0, end = 1, levels = 0;
    memset(parent, 0xff, g->nodes * sizeof *parent);
    parent[source] = source;
    queue[0] = source;
    while (begin < end) {
        if (front_edges(g, begin, end) < g->edges / 15) {
            uint32_t tail = step_down(g, begin, end);
            levels++;
            begin = end;
            end = tail;
            continue;
        }
        memset(in_front, 0, g->nodes);
        for (uint32_t at = begin; at < end; at++) {
            in_front[queue[at]] = 1;
        }
        uint32_t found;
        do {
            found = step_up(g);
            levels++;
        } while (found > g->nodes / 18);
        begin = end = 0;
        for (uint32_t node = 0; node < g->nodes; node++) {
            if (in_front[node]) {
                queue[end++] = node;
            }
        }
    }
    return levels;
}

int main(int argc, char **argv)
{
    int rounds = size_argument(argc, argv, 800);
    struct graph g = graph_create(16);
    parent = allocate(g.nodes, sizeof *parent);
    queue = allocate(g.nodes, sizeof *queue);
    in_front = allocate(g.nodes, 1);
    in_next = allocate(g.nodes, 1);
    uint64_t sum = 0;
    for (int round = 0; round < rounds; round++) {
        sum = checksum(sum, search(&g, pick_source(&g, (uint32_t)round)));
        for (uint32_t node = 0; node < g.nodes; node++) {
            sum += parent[node];
        }
    }
    printf("%u %u %llu\n", g.nodes, g.edges, (unsigned long long)sum);
    return 0;
}
