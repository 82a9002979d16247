/* Loops of all shapes: signed and unsigned bounds, odd steps, counting down, nothing to do, long enough to be
 * split in chunks, bounds that only memory knows, several exits. */
#include "out.h"

static volatile unsigned knob = 1;
static unsigned cells[64];

static __attribute__((noinline)) unsigned up_signed(int from, int to, int step)
{
    unsigned sum = 0;
    for (int i = from; i < to; i += step) {
        sum = sum * 33 + (unsigned)i;
        cells[i & 63] ^= sum;
    }
    return sum;
}

static __attribute__((noinline)) unsigned up_unsigned(unsigned from, unsigned to)
{
    unsigned sum = 1;
    for (unsigned i = from; i < to; i += 3) {
        sum += i ^ sum << 5;
        cells[i & 63] += sum;
    }
    return sum;
}

static __attribute__((noinline)) unsigned not_equal(unsigned end)
{
    unsigned sum = 2;
    for (unsigned i = 0; i != end; i += 7) {
        sum = sum * 5 + i;
        cells[i & 63] = sum;
    }
    return sum;
}

static __attribute__((noinline)) unsigned down(unsigned n)
{
    unsigned sum = 3;
    while (n-- > 0) {
        sum = (sum ^ n) * 16777619u;
        cells[n & 63] ^= sum;
    }
    return sum;
}

static __attribute__((noinline)) unsigned down_by_five(int n)
{
    unsigned sum = 4;
    for (int i = n; i > 0; i -= 5) {
        sum = sum * 3 + (unsigned)i;
        cells[i & 63] ^= sum;
    }
    return sum;
}

static __attribute__((noinline)) unsigned nested(unsigned rows)
{
    unsigned sum = 5;
    for (unsigned row = 0; row < rows; row++) {
        for (unsigned column = row; column < rows; column++) {
            sum = sum * 7 + row * column;
            if (sum % 11 == 0) {
                continue;
            }
            cells[column & 63] ^= sum;
        }
    }
    return sum;
}

static __attribute__((noinline)) unsigned two_exits(unsigned limit)
{
    unsigned value = limit, rounds = 0;
    do {
        value = value % 2 ? 3 * value + 1 : value / 2;
        if (++rounds > 40) {
            return value * 1000 + rounds;
        }
    } while (value != 1);
    return rounds;
}

static __attribute__((noinline)) uint64_t wide_counter(uint64_t from, uint64_t to)
{
    uint64_t sum = 6;
    for (uint64_t i = from; i < to; i += 11) {
        sum = (sum ^ i) * 1099511628211u;
        cells[i & 63] += (unsigned)(sum >> 32);
    }
    return sum;
}

int main(void)
{
    say("up", up_signed(-5, 20000, 1));
    say("odd step", up_signed(3, 9000, 17));
    say("trip count 0", up_signed(10, 10, 1) + up_unsigned(7, 3));
    say("unsigned", up_unsigned(0x7ffffff0u, 0x80003000u));
    say("not equal", not_equal(7 * 5000 * knob));
    say("down", down(10000 * knob));
    say("down by five", down_by_five(30001));
    say("nested", nested(9 * knob));
    say("two exits", two_exits(27) + two_exits(7));
    say("wide", (int64_t)wide_counter(0xfffffff000000000u, 0xfffffff00000c000u));
    unsigned all = 0;
    for (int i = 0; i < 64; i++) {
        all = all * 31 + cells[i];
    }
    say("cells", all);
    return 0;
}
