/* Iterations until escape, 1100 x 1100 points. */
#include <stdio.h>

#include "../run.h"

enum { LIMIT = 1200 };

int main(int argc, char **argv)
{
    int size = size_argument(argc, argv, 1100);
    int64_t total = 0;
    for (int y = 0; y < size; y++) {
        for (int x = 0; x < size; x++) {
            double cr = 3.0 * x / size - 2.2, ci = 2.4 * y / size - 1.2, zr = 0, zi = 0;
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
    printf("%lld\n", (long long)total);
    return 0;
}
