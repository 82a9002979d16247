/* A function with so many points that lowering keeps its values at home: a decoder in the manner of bzip2's, whose states
 * each follow a list (a loop that polls), sometimes call, and leave a dozen variables to the states behind. */
#include "out.h"

struct link {
    struct link *next;
    unsigned value;
};

static struct link links[8];

static __attribute__((noinline)) unsigned stir(unsigned seed, const struct link *at)
{
    for (; at != 0; at = at->next) {
        seed = seed * 31 + at->value;
    }
    links[seed % 8].value ^= seed >> 7;
    return seed;
}

/* One state: sums a list into its own variable; on one way it calls, on the other it sets its neighbours. */
#define STATE(number, own, left, right)                                  \
    case number:                                                         \
        for (const struct link *at = &links[(input >> 2) % 8]; at != 0; at = at->next) { \
            own += at->value ^ input;                                    \
            if (own % 7 == input % 5) {                                  \
                own++;                                                   \
                break;                                                   \
            }                                                            \
        }                                                                \
        if (input & 1) {                                                 \
            left ^= stir(own, &links[own % 8]);                          \
        } else {                                                         \
            left += right >> 3;                                          \
            right = own - left;                                          \
        }                                                                \
        if (input % 3 == 0) {                                            \
            break;                                                       \
        }                                                                \
        /* fall through */

#define ROUND(n)              \
    STATE(n + 0, a, b, c)     \
    STATE(n + 1, b, d, e)     \
    STATE(n + 2, c, f, g)     \
    STATE(n + 3, d, h, i)     \
    STATE(n + 4, e, j, k)     \
    STATE(n + 5, f, l, a)     \
    STATE(n + 6, g, b, d)     \
    STATE(n + 7, h, c, e)     \
    STATE(n + 8, i, k, j)     \
    STATE(n + 9, j, g, f)     \
    STATE(n + 10, k, l, h)    \
    STATE(n + 11, l, i, a)

static __attribute__((noinline)) unsigned decode(unsigned seed, unsigned steps)
{
    unsigned a = seed, b = seed + 1, c = 3, d = 4, e = seed * 5, f = 6, g = 7, h = 8, i = 9, j = seed ^ 10, k = 11, l = 12;
    unsigned input = seed;
    while (steps-- > 0) {
        input = input * 1103515245 + 12345;
        switch ((input >> 16) % 36) {
            ROUND(0)
            ROUND(12)
            ROUND(24)
        default:
            a += stir(l, &links[3]);
        }
    }
    return a ^ b ^ c ^ d ^ e ^ f ^ g ^ h ^ i ^ j ^ k ^ l;
}

int main(void)
{
    for (unsigned n = 0; n < 8; n++) {
        links[n].value = n * 2654435761u;
        links[n].next = n % 3 == 2 ? 0 : &links[n + 1 < 8 ? n + 1 : 0];
    }
    links[7].next = 0;
    for (unsigned seed = 1; seed <= 3; seed++) {
        say("decoded", decode(seed, 12));
    }
    return 0;
}
