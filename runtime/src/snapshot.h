/* The fixed parts of a snapshot file: docs/internals.md, section 4. */
#ifndef MVVM_SNAPSHOT_H
#define MVVM_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "mvvm_abi.gen.h"

#define MVVM_SNAPSHOT_MAGIC "MVVMSNAP"

enum {
    MVVM_SECTION_SOURCE = 1,
    MVVM_SECTION_MODULE,
    MVVM_SECTION_FRAMES,
    MVVM_SECTION_GLOBALS,
    MVVM_SECTION_TABLES,
    MVVM_SECTION_MEMORIES,
    MVVM_SECTION_PAGES,
    MVVM_SECTION_SEGMENTS,
    MVVM_SECTION_WASI,
    MVVM_SECTION_COUNT = MVVM_SECTION_WASI,
};

struct mvvm_snapshot_header {
    uint8_t magic[8];
    uint32_t version, section_count;
    uint64_t file_size;
    uint32_t directory_crc, header_crc;
    uint8_t sha256[32];
};

struct mvvm_snapshot_section {
    uint32_t id, reserved0;
    uint64_t offset, size;
    uint32_t crc, reserved1;
};

struct mvvm_snapshot_front {
    struct mvvm_snapshot_header header;
    struct mvvm_snapshot_section sections[MVVM_SECTION_COUNT];
};

_Static_assert(sizeof(struct mvvm_snapshot_header) == 64, "snapshot header");
_Static_assert(offsetof(struct mvvm_snapshot_header, sha256) == 32, "snapshot header");
_Static_assert(sizeof(struct mvvm_snapshot_section) == 32, "snapshot directory");
_Static_assert(sizeof(struct mvvm_snapshot_front) == 64 + 32 * MVVM_SECTION_COUNT,
               "snapshot front");

/* Bytes of a value's payload; 0 for a byte that is no value type. */
static inline size_t mvvm_snapshot_value_size(uint8_t valtype)
{
    switch (valtype) {
    case MVVM_TYPE_I32:
    case MVVM_TYPE_F32:
    case MVVM_TYPE_FUNCREF:
    case MVVM_TYPE_EXTERNREF:
        return 4;
    case MVVM_TYPE_I64:
    case MVVM_TYPE_F64:
        return 8;
    case MVVM_TYPE_V128:
        return 16;
    default:
        return 0;
    }
}

#endif
