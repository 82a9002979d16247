/* The most flips that any permutation of ten pancakes needs. */
#include <stdio.h>

#include "../run.h"

enum { N = 10 };

static int search(int *check)
{
    int order[N], flipped[N], count[N], most = 0, permutation = 0, r = N;
    for (int i = 0; i < N; i++) {
        order[i] = i;
    }
    for (;;) {
        for (; r != 1; r--) {
            count[r - 1] = r;
        }
        for (int i = 0; i < N; i++) {
            flipped[i] = order[i];
        }
        int flips = 0;
        for (int first; (first = flipped[0]) != 0; flips++) {
            for (int low = 0, high = first; low < high; low++, high--) {
                int t = flipped[low];
                flipped[low] = flipped[high];
                flipped[high] = t;
            }
        }
        most = flips > most ? flips : most;
        *check += permutation++ % 2 == 0 ? flips : -flips;
        for (;; r++) {
            if (r == N) {
                return most;
            }
            int first = order[0];
            for (int i = 0; i < r; i++) {
                order[i] = order[i + 1];
            }
            order[r] = first;
            if (--count[r] > 0) {
                break;
            }
        }
    }
}

int main(int argc, char **argv)
{
    int rounds = size_argument(argc, argv, 5), check = 0, most = 0;
    for (int round = 0; round < rounds; round++) {
        most += search(&check);
    }
    printf("%d %d\n", check, most);
    return 0;
}
