/* C = beta C + alpha A A', the lower half: 420 x 360. */
#include <stdio.h>

#include "../run.h"

enum { N = 420, M = 360 };
static double a[N][M], c[N][N];

int main(int argc, char **argv)
{
    int rounds = size_argument(argc, argv, 50);
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < M; k++) {
            a[i][k] = (i * k + 1) % 29 * 0.03125;
        }
    }
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < N; i++) {
            for (int j = 0; j <= i; j++) {
                c[i][j] *= 0.75;
            }
            for (int k = 0; k < M; k++) {
                for (int j = 0; j <= i; j++) {
                    c[i][j] += 1.5 * a[i][k] * a[j][k];
                }
            }
        }
    }
    double sum = 0;
    for (int i = 0; i < N; i++) {
        sum += c[i][i / 2];
    }
    printf("%.8f\n", sum);
    return 0;
}
