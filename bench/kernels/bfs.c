/* Breadth-first search over a random graph of 400,000 nodes with eight edges each. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { NODES = 400000, DEGREE = 8, ROUNDS = 12 };
static uint32_t edges[NODES][DEGREE], queue[NODES];
static int32_t distance[NODES];

int main(void)
{
    uint64_t state = 88172645463325252u;
    for (uint32_t i = 0; i < NODES; i++) {
        for (int k = 0; k < DEGREE; k++) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            edges[i][k] = k == 0 ? (i + 1) % NODES : (uint32_t)(state % NODES);
        }
    }
    long total = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        memset(distance, -1, sizeof distance);
        uint32_t head = 0, tail = 0;
        queue[tail++] = round * 1000;
        distance[round * 1000] = 0;
        while (head < tail) {
            uint32_t node = queue[head++];
            total += distance[node];
            for (int k = 0; k < DEGREE; k++) {
                uint32_t next = edges[node][k];
                if (distance[next] < 0) {
                    distance[next] = distance[node] + 1;
                    queue[tail++] = next;
                }
            }
        }
    }
    printf("%ld\n", total);
    return 0;
}
