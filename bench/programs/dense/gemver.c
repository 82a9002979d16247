/* A += u1 v1' + u2 v2'; x = beta A' y + z; w = alpha A x: 1200 x 1200. */
#include <stdio.h>

#include "../run.h"

enum { N = 1200 };
static double a[N][N], u1[N], v1[N], u2[N], v2[N], w[N], x[N], y[N], z[N];

static void fill(void)
{
    for (int i = 0; i < N; i++) {
        u1[i] = i % 13 * 0.01;
        u2[i] = i % 7 * 0.02 - 0.05;
        v1[i] = i % 11 * 0.01;
        v2[i] = i % 5 * 0.03 - 0.06;
        y[i] = i % 9 * 0.125;
        z[i] = i % 3 * 0.5;
        for (int j = 0; j < N; j++) {
            a[i][j] = (i * 3 + j) % 17 * 0.0625;
        }
    }
}

static void step(double alpha, double beta)
{
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            a[i][j] += u1[i] * v1[j] + u2[i] * v2[j];
        }
    }
    for (int i = 0; i < N; i++) {
        x[i] = 0;
    }
    for (int j = 0; j < N; j++) {
        for (int i = 0; i < N; i++) {
            x[i] += beta * a[j][i] * y[j];
        }
    }
    for (int i = 0; i < N; i++) {
        x[i] += z[i];
        w[i] = 0;
    }
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            w[i] += alpha * a[i][j] * x[j];
        }
    }
}

int main(int argc, char **argv)
{
    int rounds = size_argument(argc, argv, 250);
    fill();
    for (int round = 0; round < rounds; round++) {
        step(1e-3, 1e-2);
    }
    double sum = 0;
    for (int i = 0; i < N; i++) {
        sum += w[i];
    }
    printf("%.8f\n", sum);
    return 0;
}
