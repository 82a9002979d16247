/* Five queens, by recursion with masks. */
#include "out.h"

static __attribute__((noinline)) int place(unsigned all, unsigned columns, unsigned left, unsigned right)
{
    if (columns == all) {
        return 1;
    }
    int count = 0;
    for (unsigned free = all & ~(columns | left | right); free != 0; free &= free - 1) {
        unsigned bit = free & -free;
        count += place(all, columns | bit, (left | bit) << 1, (right | bit) >> 1);
    }
    return count;
}

int main(void)
{
    volatile unsigned size = 5;
    say("solutions", place((1u << size) - 1, 0, 0, 0));
    return 0;
}
