/* Five-point stencil on a 1000 x 1000 grid, two buffers. */
#include <stdio.h>

#include "../run.h"

enum { N = 1000 };
static double grid[2][N][N];

int main(int argc, char **argv)
{
    int rounds = size_argument(argc, argv, 1200);
    for (int i = 0; i < N; i++) {
        grid[0][0][i] = grid[1][0][i] = i % 10;
        grid[0][i][0] = grid[1][i][0] = i % 7;
    }
    for (int round = 0; round < rounds; round++) {
        double(*from)[N] = grid[round & 1], (*to)[N] = grid[~round & 1];
        for (int y = 1; y < N - 1; y++) {
            for (int x = 1; x < N - 1; x++) {
                to[y][x] = 0.2 * (from[y][x] + from[y][x - 1] + from[y][x + 1] + from[y - 1][x] + from[y + 1][x]);
            }
        }
    }
    double sum = 0;
    for (int i = 0; i < N; i++) {
        sum += grid[0][i][N / 50];
    }
    printf("%.9f\n", sum);
    return 0;
}
