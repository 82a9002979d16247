/* The heap grows between points, over the memory's first size; each block is checked at the end. */
#include <stdlib.h>

#include "out.h"

int main(void)
{
    enum { BLOCKS = 10 };
    static unsigned char *block[BLOCKS];
    size_t before = __builtin_wasm_memory_size(0);
    for (unsigned i = 0; i < BLOCKS; i++) {
        size_t size = 40000 + 30000 * i;
        block[i] = malloc(size);
        if (block[i] == 0) {
            say("no memory", i);
            return 1;
        }
        block[i][0] = (unsigned char)(i + 1);
        block[i][size / 2] = (unsigned char)(i * 3);
        block[i][size - 1] = (unsigned char)(i * 5);
        if (i == 4) {
            say("grew", __builtin_wasm_memory_size(0) > before);
        }
    }
    unsigned sum = 0;
    for (unsigned i = 0; i < BLOCKS; i++) {
        size_t size = 40000 + 30000 * i;
        sum = sum * 31 + block[i][0] + block[i][size / 2] * 7u + block[i][size - 1] * 11u;
    }
    say("sum", sum);
    say("grew", __builtin_wasm_memory_size(0) > before);
    return 0;
}
