/* Compresses and decompresses as many KiB of text as the argument says, in memory, and compares. */
#include <stdio.h>
#include <string.h>

#include "../run.h"
#include "bzlib.h"

void bz_internal_error(int code)
{
    fprintf(stderr, "libbz2: internal error %d\n", code);
    exit(3);
}

/* Words of a small vocabulary, the short ones more often, with line breaks. */
static void write_text(char *text, uint32_t size, uint64_t *state)
{
    char words[512][12];
    for (int i = 0; i < 512; i++) {
        int length = 2 + i / 64;
        for (int k = 0; k < length; k++) {
            words[i][k] = (char)('a' + random_next(state) % 26);
        }
        words[i][length] = 0;
    }
    for (uint32_t at = 0; at < size;) {
        uint32_t pick = (uint32_t)(random_next(state) % 512), other = (uint32_t)(random_next(state) % 512);
        for (const char *c = words[pick < other ? pick : other]; *c != 0 && at < size; c++) {
            text[at++] = *c;
        }
        if (at < size) {
            text[at++] = pick % 13 == 0 ? '\n' : ' ';
        }
    }
}

int main(int argc, char **argv)
{
    uint32_t size = (uint32_t)size_argument(argc, argv, 6144) << 10;
    uint32_t room = size + size / 100 + 600, packed = room, unpacked = size;
    char *text = malloc(size), *small = malloc(room), *again = malloc(size);
    uint64_t state = 42, sum = 0;
    if (text == NULL || small == NULL || again == NULL) {
        return 1;
    }
    write_text(text, size, &state);
    if (BZ2_bzBuffToBuffCompress(small, &packed, text, size, 9, 0, 0) != BZ_OK ||
        BZ2_bzBuffToBuffDecompress(again, &unpacked, small, packed, 0, 0) != BZ_OK || unpacked != size ||
        memcmp(text, again, size) != 0) {
        return 2;
    }
    for (uint32_t i = 0; i < packed; i++) {
        sum = checksum(sum, (unsigned char)small[i]);
    }
    printf("%u %u %016llx\n", size, packed, (unsigned long long)sum);
    return 0;
}
