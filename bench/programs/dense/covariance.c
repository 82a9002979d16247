/* Covariances of 300 quantities over 400 observations. */
#include <stdio.h>

#include "../run.h"

enum { WHAT = 300, SEEN = 400 };
static double data[SEEN][WHAT], mean[WHAT], result[WHAT][WHAT];

static void fill(int round)
{
    for (int i = 0; i < SEEN; i++) {
        for (int j = 0; j < WHAT; j++) {
            data[i][j] = (i * 7 + j * 13 + round) % 97 * 0.125;
        }
    }
}

static void compute(void)
{
    for (int j = 0; j < WHAT; j++) {
        mean[j] = 0;
        for (int i = 0; i < SEEN; i++) {
            mean[j] += data[i][j];
        }
        mean[j] /= SEEN;
    }
    for (int i = 0; i < SEEN; i++) {
        for (int j = 0; j < WHAT; j++) {
            data[i][j] -= mean[j];
        }
    }
    for (int i = 0; i < WHAT; i++) {
        for (int j = i; j < WHAT; j++) {
            double sum = 0;
            for (int k = 0; k < SEEN; k++) {
                sum += data[k][i] * data[k][j];
            }
            result[i][j] = result[j][i] = sum / (SEEN - 1);
        }
    }
}

int main(int argc, char **argv)
{
    int rounds = size_argument(argc, argv, 60);
    double sum = 0;
    for (int round = 0; round < rounds; round++) {
        fill(round);
        compute();
        sum += result[1][WHAT - 1] + result[WHAT / 2][WHAT / 2];
    }
    printf("%.8f\n", sum);
    return 0;
}
