/* Matrix product and elimination. */
#include "out.h"

enum { N = 5 };

static __attribute__((noinline)) void product(double c[N][N], double a[N][N], double b[N][N], int n)
{
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int k = 0; k < n; k++) {
                sum += a[i][k] * b[k][j];
            }
            c[i][j] = sum;
        }
    }
}

static __attribute__((noinline)) double determinant(double a[N][N], int n)
{
    double result = 1;
    for (int column = 0; column < n; column++) {
        int pivot = column;
        for (int row = column + 1; row < n; row++) {
            if (a[row][column] * a[row][column] > a[pivot][column] * a[pivot][column]) {
                pivot = row;
            }
        }
        if (pivot != column) {
            for (int k = 0; k < n; k++) {
                double t = a[pivot][k];
                a[pivot][k] = a[column][k];
                a[column][k] = t;
            }
            result = -result;
        }
        result *= a[column][column];
        for (int row = column + 1; row < n; row++) {
            double factor = a[row][column] / a[column][column];
            for (int k = column; k < n; k++) {
                a[row][k] -= factor * a[column][k];
            }
        }
    }
    return result;
}

int main(void)
{
    static double a[N][N], b[N][N], c[N][N];
    volatile int n = N;
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            a[i][j] = 1.0 / (1 + i + j) + (i == j);
            b[i][j] = i * 2 - j * 0.5;
        }
    }
    product(c, a, b, n);
    say_bits("corner", c[N - 1][0]);
    say_bits("determinant", determinant(a, n));
    return 0;
}
