// Kernels written with the intrinsics of wasm_simd128.h and with vector types: a scanner of JSON, base64 both
// ways, a cipher of rotations, a FIR filter that saturates, matrices, fractals. A line for each round tells
// what came out, as numbers and hashes.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasm_simd128.h>

enum { TEXT = 1 << 14, SAMPLES = 1 << 12, TAPS = 32, SIDE = 24 };

static uint32_t state = 12345;

static uint32_t chance(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static uint64_t hash(const void *data, size_t size)
{
    const uint8_t *at = data;
    uint64_t h = 14695981039346656037u;
    for (size_t k = 0; k < size; k++)
        h = (h ^ at[k]) * 1099511628211u;
    return h;
}

// -- JSON: where its structure is, outside of strings -----------------------------------------------

struct counts {
    uint32_t braces, colons, commas, strings, digits, depth;
};

static size_t make_json(char *out, size_t limit)
{
    size_t at = 0;
    at += (size_t)snprintf(out, limit, "[");
    while (at + 120 < limit)
        at += (size_t)snprintf(out + at, limit - at, "{\"k%u\": [%u, -%u.5e%u], \"a{b\\\"c:\": \"%c,%c\"},\n",
                               chance() % 1000, chance(), chance() % 77, chance() % 9,
                               'a' + (int)(chance() % 26), "{}[]:,"[chance() % 6]);
    return at + (size_t)snprintf(out + at, limit - at, "null]");
}

static uint32_t mask_of(v128_t text, char wanted)
{
    return wasm_i8x16_bitmask(wasm_i8x16_eq(text, wasm_i8x16_splat(wanted)));
}

/* Bit k is the parity of bits 0 to k: what is between quotes. */
static uint32_t prefix_parity(uint32_t bits)
{
    for (int shift = 1; shift < 16; shift *= 2)
        bits ^= bits << shift;
    return bits & 0xFFFF;
}

static struct counts scan(const char *text, size_t size)
{
    // What a byte is by its low four bits and by its high ones: both tables must agree in a bit.
    const v128_t low = wasm_i8x16_const(16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 2, 1, 8, 1, 0, 0);
    const v128_t high = wasm_i8x16_const(0, 0, 8, 16 | 2, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0);
    struct counts found = {0};
    uint32_t carried_quote = 0, carried_escape = 0;
    int32_t depth = 0;
    for (size_t at = 0; at + 16 <= size; at += 16) {
        const v128_t bytes = wasm_v128_load(text + at);
        const v128_t nibbles = wasm_v128_and(bytes, wasm_i8x16_splat(15));
        const v128_t kind = wasm_v128_and(wasm_i8x16_swizzle(low, nibbles),
                                          wasm_i8x16_swizzle(high, wasm_u8x16_shr(bytes, 4)));
        const uint32_t escapes = mask_of(bytes, '\\'), escaped = escapes << 1 | carried_escape;
        const uint32_t quotes = mask_of(bytes, '"') & ~escaped;
        const uint32_t inside = prefix_parity(quotes) ^ (carried_quote ? 0xFFFF : 0);
        const v128_t zero = wasm_i8x16_splat(0);
        const v128_t one = wasm_i8x16_splat(1), two = wasm_i8x16_splat(2), eight = wasm_i8x16_splat(8);
        const uint32_t braces = wasm_i8x16_bitmask(wasm_i8x16_ne(wasm_v128_and(kind, one), zero)) & ~inside;
        const uint32_t colons = wasm_i8x16_bitmask(wasm_i8x16_ne(wasm_v128_and(kind, two), zero)) & ~inside;
        const uint32_t commas = wasm_i8x16_bitmask(wasm_i8x16_ne(wasm_v128_and(kind, eight), zero)) & ~inside;
        const v128_t digits = wasm_v128_and(wasm_u8x16_ge(bytes, wasm_i8x16_splat('0')),
                                            wasm_u8x16_le(bytes, wasm_i8x16_splat('9')));
        found.braces += (uint32_t)__builtin_popcount(braces);
        found.colons += (uint32_t)__builtin_popcount(colons);
        found.commas += (uint32_t)__builtin_popcount(commas);
        found.strings += (uint32_t)__builtin_popcount(quotes);
        found.digits += (uint32_t)__builtin_popcount(wasm_i8x16_bitmask(digits) & ~inside);
        for (uint32_t rest = braces; rest != 0; rest &= rest - 1) {
            const char c = text[at + (size_t)__builtin_ctz(rest)];
            depth += c == '{' || c == '[' ? 1 : -1;
            if (depth > (int32_t)found.depth)
                found.depth = (uint32_t)depth;
        }
        carried_quote ^= (uint32_t)__builtin_popcount(quotes) & 1;
        carried_escape = escapes >> 15 & 1;
    }
    return found;
}

// -- base64 ----------------------------------------------------------------------------------------

static size_t encode(const uint8_t *in, size_t size, char *out)
{
    size_t written = 0;
    for (size_t at = 0; at + 16 <= size; at += 12, written += 16) {
        v128_t x = wasm_v128_load(in + at);
        x = wasm_i8x16_shuffle(x, x, 1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
        const v128_t a = wasm_u32x4_shr(wasm_v128_and(x, wasm_i32x4_splat(0x0000FC00)), 10);
        const v128_t b = wasm_i32x4_shl(wasm_v128_and(x, wasm_i32x4_splat(0x000003F0)), 4);
        const v128_t c = wasm_u32x4_shr(wasm_v128_and(x, wasm_i32x4_splat(0x0FC00000)), 6);
        const v128_t d = wasm_i32x4_shl(wasm_v128_and(x, wasm_i32x4_splat(0x003F0000)), 8);
        const v128_t six = wasm_v128_or(wasm_v128_or(a, b), wasm_v128_or(c, d));
        v128_t offset = wasm_i8x16_splat('A');
        offset = wasm_v128_bitselect(wasm_i8x16_splat('a' - 26), offset, wasm_u8x16_gt(six, wasm_i8x16_splat(25)));
        offset = wasm_v128_bitselect(wasm_i8x16_splat('0' - 52), offset, wasm_u8x16_gt(six, wasm_i8x16_splat(51)));
        offset = wasm_v128_bitselect(wasm_i8x16_splat('+' - 62), offset, wasm_i8x16_eq(six, wasm_i8x16_splat(62)));
        offset = wasm_v128_bitselect(wasm_i8x16_splat('/' - 63), offset, wasm_i8x16_eq(six, wasm_i8x16_splat(63)));
        wasm_v128_store(out + written, wasm_i8x16_add(six, offset));
    }
    return written;
}

static size_t decode(const char *in, size_t size, uint8_t *out)
{
    size_t written = 0;
    for (size_t at = 0; at + 16 <= size; at += 16, written += 12) {
        const v128_t x = wasm_v128_load(in + at);
        v128_t offset = wasm_i8x16_splat(4); // digits
        offset = wasm_v128_bitselect(wasm_i8x16_splat(-65), offset, wasm_i8x16_ge(x, wasm_i8x16_splat('A')));
        offset = wasm_v128_bitselect(wasm_i8x16_splat(-71), offset, wasm_i8x16_ge(x, wasm_i8x16_splat('a')));
        offset = wasm_v128_bitselect(wasm_i8x16_splat(19), offset, wasm_i8x16_eq(x, wasm_i8x16_splat('+')));
        offset = wasm_v128_bitselect(wasm_i8x16_splat(16), offset, wasm_i8x16_eq(x, wasm_i8x16_splat('/')));
        const v128_t six = wasm_i8x16_add(x, offset);
        const v128_t even = wasm_v128_and(six, wasm_i16x8_splat(0x3F));
        const v128_t pairs = wasm_v128_or(wasm_i16x8_shl(even, 6), wasm_u16x8_shr(six, 8));
        const v128_t words = wasm_i32x4_dot_i16x8(pairs, wasm_i32x4_splat(0x00011000));
        const v128_t order = wasm_i8x16_const(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
        wasm_v128_store(out + written, wasm_i8x16_swizzle(words, order));
    }
    return written;
}

// -- A cipher of additions, rotations and exclusive ors ----------------------------------------------

static v128_t rotate(v128_t x, uint32_t by)
{
    return wasm_v128_or(wasm_i32x4_shl(x, by), wasm_u32x4_shr(x, 32 - by));
}

#define QUARTER(a, b, c, d) \
    (a = wasm_i32x4_add(a, b), d = rotate(wasm_v128_xor(d, a), 16), c = wasm_i32x4_add(c, d), \
     b = rotate(wasm_v128_xor(b, c), 12), a = wasm_i32x4_add(a, b), d = rotate(wasm_v128_xor(d, a), 8), \
     c = wasm_i32x4_add(c, d), b = rotate(wasm_v128_xor(b, c), 7))

static void cipher(uint8_t *data, size_t size, uint32_t key)
{
    for (size_t at = 0; at + 64 <= size; at += 64) {
        v128_t a = wasm_i32x4_const(0x61707865, 0x3320646E, 0x79622D32, 0x6B206574);
        v128_t b = wasm_i32x4_splat((int32_t)key), c = wasm_i32x4_make(1, 2, 3, (int32_t)(key >> 7));
        v128_t d = wasm_i32x4_make((int32_t)(at / 64), 0, (int32_t)key, -1);
        const v128_t start[4] = {a, b, c, d};
        for (int round = 0; round < 10; round++) {
            QUARTER(a, b, c, d);
            b = wasm_i32x4_shuffle(b, b, 1, 2, 3, 0);
            c = wasm_i32x4_shuffle(c, c, 2, 3, 0, 1);
            d = wasm_i32x4_shuffle(d, d, 3, 0, 1, 2);
            QUARTER(a, b, c, d);
            b = wasm_i32x4_shuffle(b, b, 3, 0, 1, 2);
            c = wasm_i32x4_shuffle(c, c, 2, 3, 0, 1);
            d = wasm_i32x4_shuffle(d, d, 1, 2, 3, 0);
        }
        const v128_t end[4] = {a, b, c, d};
        for (int k = 0; k < 4; k++) {
            uint8_t *place = data + at + 16 * k;
            wasm_v128_store(place, wasm_v128_xor(wasm_v128_load(place), wasm_i32x4_add(start[k], end[k])));
        }
    }
}

// -- Numbers -----------------------------------------------------------------------------------------

/* Filters, doubles and saturates to 16 bits; returns how many samples were clipped. */
static uint32_t filter(const int16_t *in, const float *taps, int16_t *out, size_t size)
{
    v128_t clipped = wasm_i16x8_splat(0);
    for (size_t at = 0; at + TAPS + 8 <= size; at += 8) {
        v128_t low = wasm_f32x4_splat(0), high = wasm_f32x4_splat(0);
        for (size_t k = 0; k < TAPS; k++) {
            const v128_t x = wasm_v128_load(in + at + k), tap = wasm_v128_load32_splat(taps + k);
            low = wasm_f32x4_add(low, wasm_f32x4_mul(tap, wasm_f32x4_convert_i32x4(wasm_i32x4_extend_low_i16x8(x))));
            high = wasm_f32x4_add(high, wasm_f32x4_mul(tap, wasm_f32x4_convert_i32x4(wasm_i32x4_extend_high_i16x8(x))));
        }
        v128_t y = wasm_i16x8_narrow_i32x4(wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_nearest(low)),
                                           wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_floor(high)));
        y = wasm_i16x8_add_sat(y, y);
        const v128_t edge = wasm_v128_or(wasm_i16x8_eq(y, wasm_i16x8_splat(32767)),
                                         wasm_i16x8_eq(y, wasm_i16x8_splat(-32768)));
        clipped = wasm_i16x8_sub(clipped, edge);
        wasm_v128_store(out + at, wasm_i16x8_max(y, wasm_i16x8_q15mulr_sat(y, wasm_i16x8_splat(-3277))));
    }
    const v128_t pairs = wasm_i32x4_extadd_pairwise_i16x8(clipped);
    return (uint32_t)(wasm_i32x4_extract_lane(pairs, 0) + wasm_i32x4_extract_lane(pairs, 1) +
                      wasm_i32x4_extract_lane(pairs, 2) + wasm_i32x4_extract_lane(pairs, 3));
}

typedef double pair __attribute__((vector_size(16)));
typedef float quad __attribute__((vector_size(16)));

/* c = a * b by pairs of columns; the first column of c is divided by its greatest element. */
static __attribute__((noinline)) void multiply(double (*restrict c)[SIDE], double (*a)[SIDE], double (*b)[SIDE])
{
    for (int row = 0; row < SIDE; row++)
        for (int column = 0; column < SIDE; column += 2) {
            pair sum = {0, 0};
            for (int k = 0; k < SIDE; k++)
                sum += (pair){a[row][k], a[row][k]} * (pair){b[k][column], b[k][column + 1]};
            c[row][column] = sum[0];
            c[row][column + 1] = sum[1];
        }
    v128_t greatest = wasm_f64x2_splat(0);
    for (int row = 0; row < SIDE; row++)
        greatest = wasm_f64x2_pmax(greatest, wasm_f64x2_abs(wasm_v128_load(&c[row][0])));
    for (int row = 0; row < SIDE; row++)
        wasm_v128_store(&c[row][0], wasm_f64x2_div(wasm_v128_load(&c[row][0]), greatest));
}

/* How long points of a grid stay near, four at a time. */
static uint32_t fractal(float zoom)
{
    quad total = {0, 0, 0, 0};
    for (int y = 0; y < 24; y++)
        for (int x = 0; x < 24; x += 4) {
            const v128_t cr = wasm_f32x4_add(wasm_f32x4_splat(-0.75f), wasm_f32x4_mul(wasm_f32x4_splat(zoom),
                wasm_f32x4_make((float)x - 12, (float)x - 11, (float)x - 10, (float)x - 9)));
            const v128_t ci = wasm_f32x4_splat(0.1f + zoom * (float)(y - 12));
            v128_t r = wasm_f32x4_splat(0), i = r, count = wasm_i32x4_splat(0);
            for (int step = 0; step < 60; step++) {
                const v128_t rr = wasm_f32x4_mul(r, r), ii = wasm_f32x4_mul(i, i);
                const v128_t near = wasm_f32x4_le(wasm_f32x4_add(rr, ii), wasm_f32x4_splat(4));
                if (!wasm_v128_any_true(near))
                    break;
                count = wasm_i32x4_sub(count, near);
                i = wasm_f32x4_add(wasm_f32x4_mul(wasm_f32x4_add(r, r), i), ci);
                r = wasm_f32x4_add(wasm_f32x4_sub(rr, ii), cr);
            }
            total += (quad)wasm_f32x4_sqrt(wasm_f32x4_convert_u32x4(count));
        }
    return (uint32_t)(total[0] + total[1] + total[2] + total[3]);
}

static void one_round(unsigned round)
{
    static char text[TEXT], coded[TEXT * 2];
    static uint8_t plain[TEXT + 16];
    static int16_t samples[SAMPLES], filtered[SAMPLES];
    static double a[SIDE][SIDE], b[SIDE][SIDE], c[SIDE][SIDE];
    float taps[TAPS];
    const size_t size = make_json(text, sizeof text);
    const struct counts found = scan(text, size);
    cipher((uint8_t *)text, size, round);
    const size_t length = encode((const uint8_t *)text, size, coded);
    const size_t back = decode(coded, length, plain);
    for (int k = 0; k < SAMPLES; k++)
        samples[k] = (int16_t)chance();
    for (int k = 0; k < TAPS; k++)
        taps[k] = (float)(k % 7 - 2) / (float)(TAPS + round % 5);
    const uint32_t clipped = filter(samples, taps, filtered, SAMPLES);
    for (int k = 0; k < SIDE * SIDE; k++) {
        a[k / SIDE][k % SIDE] = (double)(int32_t)chance() / 65536;
        b[k % SIDE][k / SIDE] = round + k * 0.125;
    }
    multiply(c, a, b);
    multiply(a, c, b);
    printf("%u json %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32, round, found.braces,
           found.colons, found.commas, found.strings, found.digits, found.depth);
    printf(" base64 %zu %s %016" PRIx64, length, memcmp(text, plain, back) == 0 ? "same" : "DIFFERENT",
           hash(coded, length));
    printf(" fir %" PRIu32 " %016" PRIx64 " matrix %.15g %016" PRIx64, clipped, hash(filtered, sizeof filtered),
           a[3][4], hash(a, sizeof a));
    printf(" fractal %" PRIu32 "\n", fractal(0.002f + 0.0005f * (float)(round % 64)));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 10;
    for (unsigned round = 0; round < rounds; round++)
        one_round(round);
    return 0;
}
