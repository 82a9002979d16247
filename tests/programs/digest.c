/* A block hash in the manner of SHA-2: rotations, a message schedule, eight running words. */
#include "out.h"

static uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

static inline uint32_t rotate(uint32_t x, int n) { return x >> n | x << (32 - n); }

static __attribute__((noinline)) void block(const uint8_t *bytes, int rounds)
{
    uint32_t w[64];
    for (int i = 0; i < 16; i++) {
        memcpy(&w[i], bytes + 4 * i, 4);
    }
    for (int i = 16; i < rounds; i++) {
        uint32_t s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < rounds; i++) {
        uint32_t t1 = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + w[i] + 0x428a2f98u * (unsigned)i;
        uint32_t t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g;
        g = f;
        f = e;
        e = d + t1;
        d = c;
        c = b;
        b = a;
        a = t1 + t2;
    }
    uint32_t mixed[8] = {a, b, c, d, e, f, g, h};
    for (int i = 0; i < 8; i++) {
        state[i] += mixed[i];
    }
}

int main(void)
{
    uint8_t bytes[64];
    volatile int rounds = 24;
    for (int i = 0; i < 64; i++) {
        bytes[i] = (uint8_t)(i * 37 + 11);
    }
    block(bytes, rounds);
    block(bytes, rounds + 8);
    for (int i = 0; i < 8; i += 2) {
        out_hex((uint64_t)state[i] << 32 | state[i + 1]);
    }
    out_end();
    return 0;
}
