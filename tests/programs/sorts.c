/* Five sorts of the same numbers. */
#include "out.h"

enum { COUNT = 10 };
static int values[COUNT];

static void fill(unsigned seed)
{
    for (int i = 0; i < COUNT; i++) {
        seed = seed * 1103515245u + 12345u;
        values[i] = (int)(seed >> 16 & 1023) - 512;
    }
}

static __attribute__((noinline)) void insertion(int *v, int n)
{
    for (int i = 1; i < n; i++) {
        int x = v[i], j = i;
        while (j > 0 && v[j - 1] > x) {
            v[j] = v[j - 1];
            j--;
        }
        v[j] = x;
    }
}

static __attribute__((noinline)) void quick(int *v, int low, int high)
{
    while (low < high) {
        int pivot = v[(low + high) / 2], i = low, j = high;
        while (i <= j) {
            while (v[i] < pivot) {
                i++;
            }
            while (v[j] > pivot) {
                j--;
            }
            if (i <= j) {
                int t = v[i];
                v[i++] = v[j];
                v[j--] = t;
            }
        }
        quick(v, low, j);
        low = i;
    }
}

static void sift(int *v, int root, int n)
{
    for (int child; (child = 2 * root + 1) < n; root = child) {
        child += child + 1 < n && v[child + 1] > v[child];
        if (v[root] >= v[child]) {
            return;
        }
        int t = v[root];
        v[root] = v[child];
        v[child] = t;
    }
}

static __attribute__((noinline)) void heap(int *v, int n)
{
    for (int i = n / 2; i-- > 0;) {
        sift(v, i, n);
    }
    for (int end = n; --end > 0;) {
        int t = v[0];
        v[0] = v[end];
        v[end] = t;
        sift(v, 0, end);
    }
}

static __attribute__((noinline)) void shell(int *v, int n)
{
    for (int gap = n / 2; gap > 0; gap /= 2) {
        for (int i = gap; i < n; i++) {
            int x = v[i], j = i;
            for (; j >= gap && v[j - gap] > x; j -= gap) {
                v[j] = v[j - gap];
            }
            v[j] = x;
        }
    }
}

static void check(const char *name)
{
    int64_t sum = 0;
    for (int i = 0; i < COUNT; i++) {
        sum = sum * 7 + values[i];
        if (i > 0 && values[i - 1] > values[i]) {
            say("out of order", i);
        }
    }
    say(name, sum);
}

int main(void)
{
    fill(1);
    insertion(values, COUNT);
    check("insertion");
    fill(2);
    quick(values, 0, COUNT - 1);
    check("quick");
    fill(3);
    heap(values, COUNT);
    check("heap");
    fill(4);
    shell(values, COUNT);
    check("shell");
    return 0;
}
