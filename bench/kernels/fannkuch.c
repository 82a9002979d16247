/* The most flips that any permutation of ten pancakes needs. */
#include <stdio.h>

enum { N = 10 };

int main(void)
{
    int order[N], flipped[N], count[N], most = 0, check = 0, permutation = 0, r = N;
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
        check += permutation++ % 2 == 0 ? flips : -flips;
        for (;; r++) {
            if (r == N) {
                printf("%d %d\n", check, most);
                return 0;
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
