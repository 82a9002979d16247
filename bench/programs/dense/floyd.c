/* All shortest paths between 500 nodes by Floyd and Warshall. */
#include <stdio.h>

#include "../run.h"

enum { N = 500 };
static int path[N][N];

int main(int argc, char **argv)
{
    int rounds = size_argument(argc, argv, 10);
    int64_t sum = 0;
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < N; i++) {
            for (int j = 0; j < N; j++) {
                path[i][j] = (i * j + i + j + round) % 7 == 0 ? (i * 31 + j * 17) % 97 + 1 : 999;
            }
        }
        for (int k = 0; k < N; k++) {
            for (int i = 0; i < N; i++) {
                for (int j = 0; j < N; j++) {
                    int over = path[i][k] + path[k][j];
                    path[i][j] = over < path[i][j] ? over : path[i][j];
                }
            }
        }
        for (int i = 0; i < N; i++) {
            sum += path[i][(i * 7 + round) % N];
        }
    }
    printf("%lld\n", (long long)sum);
    return 0;
}
