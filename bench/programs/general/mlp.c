/* Inference with a perceptron of 784, 256, 128 and 10 neurons, a batch of inputs at a time. */
#include <stdio.h>

#include "../run.h"

enum { BATCH = 16, WIDEST = 784 };
static const int widths[] = {784, 256, 128, 10};
static float weights[3][WIDEST * 256], biases[3][256], buffers[2][BATCH * WIDEST];

/* out[b][o] = max(0, bias[o] + sum over i of in[b][i] * weight[i][o]); the last layer without max. */
static void layer(float *out, const float *in, int number)
{
    int inputs = widths[number], outputs = widths[number + 1];
    for (int b = 0; b < BATCH; b++) {
        float *row = out + b * outputs;
        for (int o = 0; o < outputs; o++) {
            row[o] = biases[number][o];
        }
        for (int i = 0; i < inputs; i++) {
            float value = in[b * inputs + i];
            for (int o = 0; o < outputs; o++) {
                row[o] += value * weights[number][i * outputs + o];
            }
        }
        for (int o = 0; o < outputs && number < 2; o++) {
            row[o] = row[o] > 0 ? row[o] : 0;
        }
    }
}

int main(int argc, char **argv)
{
    int rounds = size_argument(argc, argv, 1500);
    uint64_t state = 1913, sum = 0;
    for (int n = 0; n < 3; n++) {
        for (int i = 0; i < widths[n] * widths[n + 1]; i++) {
            weights[n][i] = ((float)random_unit(&state) - 0.5f) * 0.1f;
        }
        for (int i = 0; i < widths[n + 1]; i++) {
            biases[n][i] = ((float)random_unit(&state) - 0.5f) * 0.1f;
        }
    }
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < BATCH * WIDEST; i++) {
            buffers[0][i] = (float)(random_next(&state) >> 40) * 0x1p-24f;
        }
        layer(buffers[1], buffers[0], 0);
        layer(buffers[0], buffers[1], 1);
        layer(buffers[1], buffers[0], 2);
        for (int b = 0; b < BATCH; b++) {
            int best = 0;
            for (int o = 1; o < 10; o++) {
                best = buffers[1][b * 10 + o] > buffers[1][b * 10 + best] ? o : best;
            }
            sum = checksum(sum, (uint64_t)best);
        }
    }
    printf("%016llx\n", (unsigned long long)sum);
    return 0;
}
