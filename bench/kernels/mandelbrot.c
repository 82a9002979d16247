/* Iterations until escape, 700 x 700 points. */
#include <stdio.h>

enum { SIZE = 700, LIMIT = 1200 };

int main(void)
{
    long total = 0;
    for (int y = 0; y < SIZE; y++) {
        for (int x = 0; x < SIZE; x++) {
            double cr = 3.0 * x / SIZE - 2.2, ci = 2.4 * y / SIZE - 1.2, zr = 0, zi = 0;
            int n = 0;
            while (n < LIMIT && zr * zr + zi * zi < 4.0) {
                double t = zr * zr - zi * zi + cr;
                zi = 2 * zr * zi + ci;
                zr = t;
                n++;
            }
            total += n;
        }
    }
    printf("%ld\n", total);
    return 0;
}
