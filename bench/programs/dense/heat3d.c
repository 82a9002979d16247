/* Heat in a 100 x 100 x 100 block, explicit steps between two buffers. */
#include <stdio.h>

#include "../run.h"

enum { N = 100 };
static double block[2][N][N][N];

static void step(double (*from)[N][N], double (*to)[N][N])
{
    for (int i = 1; i < N - 1; i++) {
        for (int j = 1; j < N - 1; j++) {
            for (int k = 1; k < N - 1; k++) {
                double here = from[i][j][k];
                to[i][j][k] = 0.125 * (from[i + 1][j][k] - 2 * here + from[i - 1][j][k]) +
                              0.125 * (from[i][j + 1][k] - 2 * here + from[i][j - 1][k]) +
                              0.125 * (from[i][j][k + 1] - 2 * here + from[i][j][k - 1]) + here;
            }
        }
    }
}

int main(int argc, char **argv)
{
    int rounds = size_argument(argc, argv, 500);
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            for (int k = 0; k < N; k++) {
                block[0][i][j][k] = block[1][i][j][k] = (i + j + (N - k)) * 10.0 / N;
            }
        }
    }
    for (int round = 0; round < rounds; round++) {
        step(block[round & 1], block[~round & 1]);
    }
    double sum = 0;
    for (int i = 0; i < N; i++) {
        sum += block[rounds & 1][i][N / 3][N - 1 - i];
    }
    printf("%.8f\n", sum);
    return 0;
}
