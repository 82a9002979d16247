/* LU decomposition in place without pivoting, of a matrix with a heavy diagonal. */
#include <stdio.h>

#include "../run.h"

enum { N = 640 };
static double m[N][N];

int main(int argc, char **argv)
{
    int rounds = size_argument(argc, argv, 40);
    double sum = 0;
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < N; i++) {
            for (int j = 0; j < N; j++) {
                m[i][j] = i == j ? N + round : (i * 31 + j * 17) % 101 * 0.01;
            }
        }
        for (int k = 0; k < N; k++) {
            for (int i = k + 1; i < N; i++) {
                double factor = m[i][k] /= m[k][k];
                for (int j = k + 1; j < N; j++) {
                    m[i][j] -= factor * m[k][j];
                }
            }
        }
        sum += m[N - 1][N - 1] + m[N / 2][N / 3];
    }
    printf("%.9f\n", sum);
    return 0;
}
