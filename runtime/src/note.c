/* An ELF note that tells our executables from others: `mvvm-aot checkpoint PID` looks for it before
 * it sends a signal that would end any other program. */
#include <stdint.h>

#include "mvvm_abi.gen.h"

struct note {
    uint32_t name_size, desc_size, type;
    char name[12]; /* padded to four bytes */
    uint32_t snapshot_version, frame_table_version;
};

_Static_assert(sizeof(struct note) == 32, "a note has no padding");

__attribute__((section(".note.mvvm"), used, aligned(4))) static const struct note note = {
    .name_size = sizeof "mvvm-aot",
    .desc_size = 2 * sizeof(uint32_t),
    .type = 1,
    .name = "mvvm-aot",
    .snapshot_version = MVVM_SNAPSHOT_VERSION,
    .frame_table_version = MVVM_FRAME_TABLE_VERSION,
};
