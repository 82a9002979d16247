/* Cholesky decomposition, in place, of a symmetric matrix with a heavy diagonal. */
#include <math.h>
#include <stdio.h>

#include "../run.h"

enum { N = 480 };
static double m[N][N];

static void fill(int round)
{
    for (int i = 0; i < N; i++) {
        for (int j = 0; j <= i; j++) {
            m[i][j] = i == j ? N + round : (i * 31 + j * 17) % 101 * 0.01;
        }
    }
}

static void decompose(void)
{
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < i; j++) {
            for (int k = 0; k < j; k++) {
                m[i][j] -= m[i][k] * m[j][k];
            }
            m[i][j] /= m[j][j];
        }
        for (int k = 0; k < i; k++) {
            m[i][i] -= m[i][k] * m[i][k];
        }
        m[i][i] = sqrt(m[i][i]);
    }
}

int main(int argc, char **argv)
{
    int rounds = size_argument(argc, argv, 50);
    double sum = 0;
    for (int round = 0; round < rounds; round++) {
        fill(round);
        decompose();
        sum += m[N - 1][N - 1] + m[N / 2][N / 3];
    }
    printf("%.8f\n", sum);
    return 0;
}
