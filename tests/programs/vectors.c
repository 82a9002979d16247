/* Loops over arrays that compilers vectorise, with wide values alive around calls in between: native code
 * spills 16 to 64 byte registers here and may realign its frame. */
#include "out.h"

enum { COUNT = 20000 }; /* several chunks of a strip-mined loop */
static float left[COUNT], right[COUNT];
static double wide[COUNT];
static int counts[COUNT];

static __attribute__((noinline)) float touch(float x)
{
    static volatile unsigned calls;
    for (unsigned i = 0; i < 2; i++) {
        calls += i;
    }
    return x + (float)calls;
}

static __attribute__((noinline)) void fill(void)
{
    for (int i = 0; i < COUNT; i++) {
        left[i] = (float)(i % 97) * 0.5f;
        right[i] = (float)(i % 31) - 8.0f;
        wide[i] = (double)i * 0.125;
        counts[i] = i * 7 - 100;
    }
}

static __attribute__((noinline)) void saxpy(float a, float *restrict x, const float *restrict y, int n)
{
    for (int i = 0; i < n; i++) {
        x[i] += a * y[i];
    }
}

/* Sixteen running sums: they fill the vector registers of either machine, and a call stands between. */
static __attribute__((noinline)) double sixteen(const float *x, const double *w, int n)
{
    float s[8] = {0};
    double t[8] = {0};
    for (int part = 0; part < 4; part++) {
        for (int i = part * n / 4; i + 8 <= (part + 1) * n / 4; i += 8) {
            for (int k = 0; k < 8; k++) {
                s[k] += x[i + k] * 1.5f;
                t[k] = t[k] * 0.5 + w[i + k];
            }
        }
        s[part] = touch(s[part]);
    }
    double sum = 0;
    for (int k = 0; k < 8; k++) {
        sum += (double)s[k] + t[k];
    }
    return sum;
}

static __attribute__((noinline)) int dot(const int *x, int n)
{
    int a = 0, b = 0, c = 0;
    for (int i = 0; i < n; i++) {
        a += x[i] * x[i];
        b ^= x[i] << 1;
        c = c > x[i] ? c : x[i];
    }
    return a + b * 3 + c;
}

static __attribute__((noinline)) void stencil(double *x, int n)
{
    for (int i = 1; i < n - 1; i++) {
        x[i] = (x[i - 1] + x[i + 1]) * 0.5;
    }
}

int main(void)
{
    fill();
    saxpy(touch(0.5f), left, right, COUNT);
    saxpy(-1.25f, right, left, COUNT - 3);
    say_bits("sixteen", sixteen(left, wide, COUNT));
    say("dot", dot(counts, COUNT));
    stencil(wide, COUNT);
    say_bits("sixteen", sixteen(right, wide, COUNT));
    say_bits("last", wide[COUNT - 2]);
    return 0;
}
