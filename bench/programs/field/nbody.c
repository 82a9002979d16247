/* Eight bodies that attract each other, leapfrog steps. */
#include <math.h>
#include <stdio.h>

#include "../run.h"

enum { BODIES = 8 };
static double position[BODIES][3], velocity[BODIES][3], mass[BODIES];

static void step(double dt)
{
    for (int i = 0; i < BODIES; i++) {
        for (int j = i + 1; j < BODIES; j++) {
            double d[3], square = 0.01;
            for (int k = 0; k < 3; k++) {
                d[k] = position[i][k] - position[j][k];
                square += d[k] * d[k];
            }
            double pull = dt / (square * sqrt(square));
            for (int k = 0; k < 3; k++) {
                velocity[i][k] -= d[k] * mass[j] * pull;
                velocity[j][k] += d[k] * mass[i] * pull;
            }
        }
    }
    for (int i = 0; i < BODIES; i++) {
        for (int k = 0; k < 3; k++) {
            position[i][k] += dt * velocity[i][k];
        }
    }
}

int main(int argc, char **argv)
{
    int steps = size_argument(argc, argv, 5000000);
    for (int i = 0; i < BODIES; i++) {
        mass[i] = 1.0 / (i + 1);
        for (int k = 0; k < 3; k++) {
            position[i][k] = (i * 7 + k * 5) % 11 - 5;
            velocity[i][k] = ((i * 3 + k * 2) % 7 - 3) * 0.1;
        }
    }
    for (int n = 0; n < steps; n++) {
        step(0.0001);
    }
    printf("%.6f %.6f\n", position[0][0], velocity[BODIES - 1][2]);
    return 0;
}
