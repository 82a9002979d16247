/* The forward pass of a llama-like transformer, token by token, with weights from a generator: RMS norms, rotary
 * positions, attention over cached keys and values, SwiGLU. Prints the tokens it likes best. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../run.h"

enum { DIM = 288, HIDDEN = 768, LAYERS = 4, HEADS = 6, HEAD = DIM / HEADS, TOKENS = 2048, LONGEST = 256 };

static struct layer {
    float norm_attention[DIM], norm_feed[DIM];
    float query[DIM * DIM], key[DIM * DIM], value[DIM * DIM], output[DIM * DIM];
    float gate[HIDDEN * DIM], up[HIDDEN * DIM], down[DIM * HIDDEN];
    float keys[LONGEST * DIM], values[LONGEST * DIM]; /* the cache */
} layers[LAYERS];

static float embedding[TOKENS * DIM], norm_last[DIM];
static float x[DIM], normed[DIM], query[DIM], attended[DIM], delta[DIM], gate[HIDDEN], up[HIDDEN];
static float scores[LONGEST], logits[TOKENS];

static void fill(float *to, int count, float scale, uint64_t *state)
{
    for (int i = 0; i < count; i++) {
        to[i] = ((float)random_unit(state) - 0.5f) * scale;
    }
}

static void fill_layer(struct layer *l, uint64_t *state)
{
    for (int i = 0; i < DIM; i++) {
        l->norm_attention[i] = l->norm_feed[i] = 1;
    }
    fill(l->query, DIM * DIM, 0.2f, state);
    fill(l->key, DIM * DIM, 0.2f, state);
    fill(l->value, DIM * DIM, 0.2f, state);
    fill(l->output, DIM * DIM, 0.1f, state);
    fill(l->gate, HIDDEN * DIM, 0.2f, state);
    fill(l->up, HIDDEN * DIM, 0.2f, state);
    fill(l->down, DIM * HIDDEN, 0.1f, state);
}

static void rms_norm(float *out, const float *in, const float *weight)
{
    float square = 0;
    for (int i = 0; i < DIM; i++) {
        square += in[i] * in[i];
    }
    float factor = 1 / sqrtf(square / DIM + 1e-5f);
    for (int i = 0; i < DIM; i++) {
        out[i] = weight[i] * (factor * in[i]);
    }
}

static void multiply(float *out, const float *in, const float *matrix, int rows, int columns)
{
    for (int i = 0; i < rows; i++) {
        float sum = 0;
        for (int j = 0; j < columns; j++) {
            sum += matrix[i * columns + j] * in[j];
        }
        out[i] = sum;
    }
}

static void softmax(float *values, int count)
{
    float most = values[0], sum = 0;
    for (int i = 1; i < count; i++) {
        most = values[i] > most ? values[i] : most;
    }
    for (int i = 0; i < count; i++) {
        values[i] = expf(values[i] - most);
        sum += values[i];
    }
    for (int i = 0; i < count; i++) {
        values[i] /= sum;
    }
}

static void rotate(float *vector, int position)
{
    for (int i = 0; i < DIM; i += 2) {
        float angle = (float)position * powf(10000.0f, -(float)(i % HEAD) / HEAD);
        float c = cosf(angle), s = sinf(angle), a = vector[i], b = vector[i + 1];
        vector[i] = a * c - b * s;
        vector[i + 1] = a * s + b * c;
    }
}

static void attend(const struct layer *l, int position)
{
    for (int head = 0; head < HEADS; head++) {
        const float *q = query + head * HEAD;
        float *out = attended + head * HEAD;
        for (int t = 0; t <= position; t++) {
            const float *k = l->keys + t * DIM + head * HEAD;
            float score = 0;
            for (int i = 0; i < HEAD; i++) {
                score += q[i] * k[i];
            }
            scores[t] = score / sqrtf(HEAD);
        }
        softmax(scores, position + 1);
        memset(out, 0, HEAD * sizeof *out);
        for (int t = 0; t <= position; t++) {
            const float *v = l->values + t * DIM + head * HEAD;
            for (int i = 0; i < HEAD; i++) {
                out[i] += scores[t] * v[i];
            }
        }
    }
}

static void run_layer(struct layer *l, int position)
{
    float *k = l->keys + position * DIM;
    rms_norm(normed, x, l->norm_attention);
    multiply(query, normed, l->query, DIM, DIM);
    multiply(k, normed, l->key, DIM, DIM);
    multiply(l->values + position * DIM, normed, l->value, DIM, DIM);
    rotate(query, position);
    rotate(k, position);
    attend(l, position);
    multiply(delta, attended, l->output, DIM, DIM);
    for (int i = 0; i < DIM; i++) {
        x[i] += delta[i];
    }
    rms_norm(normed, x, l->norm_feed);
    multiply(gate, normed, l->gate, HIDDEN, DIM);
    multiply(up, normed, l->up, HIDDEN, DIM);
    for (int i = 0; i < HIDDEN; i++) {
        gate[i] = gate[i] / (1 + expf(-gate[i])) * up[i];
    }
    multiply(delta, gate, l->down, DIM, HIDDEN);
    for (int i = 0; i < DIM; i++) {
        x[i] += delta[i];
    }
}

static int next_token(int token, int position)
{
    int best = 0;
    memcpy(x, embedding + token * DIM, sizeof x);
    for (int n = 0; n < LAYERS; n++) {
        run_layer(&layers[n], position);
    }
    rms_norm(normed, x, norm_last);
    multiply(logits, normed, embedding, TOKENS, DIM);
    for (int i = 1; i < TOKENS; i++) {
        best = logits[i] > logits[best] ? i : best;
    }
    return best;
}

int main(int argc, char **argv)
{
    int tokens = size_argument(argc, argv, 200);
    uint64_t state = 20240229;
    fill(embedding, TOKENS * DIM, 2, &state);
    for (int n = 0; n < LAYERS; n++) {
        fill_layer(&layers[n], &state);
    }
    for (int i = 0; i < DIM; i++) {
        norm_last[i] = 1;
    }
    uint64_t sum = 0;
    for (int n = 0, token = 1; n < tokens; n++) {
        int best = next_token(token, n % LONGEST);
        sum = checksum(sum, (uint64_t)best);
        token = (best + n) % TOKENS; /* or it would say the same all the time */
    }
    printf("%d %016llx\n", tokens, (unsigned long long)sum);
    return 0;
}
