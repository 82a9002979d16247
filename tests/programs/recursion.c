/* Ten thousand frames deep, with values of four types alive in each frame; the last points that are passed are in the
 * loop at the bottom, where a checkpoint holds all the frames. */
#include "out.h"

static uint32_t bottom_state = 1;

static __attribute__((noinline)) double descend(uint32_t depth, uint64_t wide, float narrow)
{
    if (depth == 0) {
        for (int i = 0; i < 5; i++) {
            bottom_state = bottom_state * 1664525u + 1013904223u;
            if (bottom_state == 0) {
                return descend(3, wide, narrow);
            }
        }
        return (double)bottom_state;
    }
    uint32_t mixed = depth * 2654435761u ^ (uint32_t)wide;
    double below = descend(depth - 1, wide * 6364136223846793005u + depth, narrow + 0.25f);
    return below * 0.5 + (double)mixed + (double)(wide >> 40) + (double)narrow;
}

int main(void)
{
    say_bits("ten thousand", descend(10000, 88172645463325252u, 0.5f));
    say("state", bottom_state);
    return 0;
}
