/* Toeplitz systems of 1000 equations by Levinson and Durbin. */
#include <stdio.h>

#include "../run.h"

enum { N = 1000 };
static double r[N], y[N], z[N];

static void solve(void)
{
    double beta = 1, alpha = -r[0];
    y[0] = -r[0];
    for (int k = 1; k < N; k++) {
        double sum = 0;
        beta *= 1 - alpha * alpha;
        for (int i = 0; i < k; i++) {
            sum += r[k - i - 1] * y[i];
        }
        alpha = -(r[k] + sum) / beta;
        for (int i = 0; i < k; i++) {
            z[i] = y[i] + alpha * y[k - i - 1];
        }
        for (int i = 0; i < k; i++) {
            y[i] = z[i];
        }
        y[k] = alpha;
    }
}

int main(int argc, char **argv)
{
    int rounds = size_argument(argc, argv, 1000);
    double sum = 0;
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < N; i++) {
            r[i] = 0.5 / (i + 2 + round % 7);
        }
        solve();
        sum += y[N / 2] + y[N - 1];
    }
    printf("%.9f\n", sum);
    return 0;
}
