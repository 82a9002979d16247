/* Matrix product, 480 x 480, doubles, row by row. */
#include <stdio.h>

#include "../run.h"

enum { N = 480 };
static double a[N][N], b[N][N], c[N][N];

int main(int argc, char **argv)
{
    int rounds = size_argument(argc, argv, 40);
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            a[i][j] = (i * 7 + j * 3) % 11 * 0.25;
            b[i][j] = (i * 5 + j * 2) % 13 * 0.5;
        }
    }
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < N; i++) {
            for (int k = 0; k < N; k++) {
                double factor = a[i][k];
                for (int j = 0; j < N; j++) {
                    c[i][j] += factor * b[k][j];
                }
            }
        }
    }
    double trace = 0;
    for (int i = 0; i < N; i++) {
        trace += c[i][i];
    }
    printf("%.6f\n", trace);
    return 0;
}
