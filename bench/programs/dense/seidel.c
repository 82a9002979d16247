/* Nine-point Gauss-Seidel on a 600 x 600 grid: each point needs the one before, so nothing can be vectorised. */
#include <stdio.h>

#include "../run.h"

enum { N = 600 };
static double grid[N][N];

int main(int argc, char **argv)
{
    int rounds = size_argument(argc, argv, 200);
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            grid[i][j] = (i * (j + 2) + 2) % 64 * 0.25;
        }
    }
    for (int round = 0; round < rounds; round++) {
        for (int i = 1; i < N - 1; i++) {
            for (int j = 1; j < N - 1; j++) {
                grid[i][j] = (grid[i - 1][j - 1] + grid[i - 1][j] + grid[i - 1][j + 1] + grid[i][j - 1] + grid[i][j] +
                              grid[i][j + 1] + grid[i + 1][j - 1] + grid[i + 1][j] + grid[i + 1][j + 1]) /
                             9.0;
            }
        }
    }
    double sum = 0;
    for (int i = 0; i < N; i++) {
        sum += grid[i][N - 1 - i];
    }
    printf("%.8f\n", sum);
    return 0;
}
