/* See fake_module.h. */
#include "fake_module.h"

#include <stdlib.h>
#include <string.h>

uint8_t fake_text[4096];
_Alignas(16) uint8_t fake_frame_table[1024];
static struct mvvm_context context;
static _Alignas(16) uint8_t global_slots[3 * 16];
static struct mvvm_table tables[1];

static void no_code(void)
{
    abort();
}

static const uint8_t wasm_bytes[] =
    "\0asm\1\0\0\0 not a real module, but the same bytes on both sides";
static const uint8_t i32_only[] = {MVVM_TYPE_I32};
static const uint8_t i64_only[] = {MVVM_TYPE_I64};
static const struct mvvm_type types[] = {
    {NULL, NULL, 0, 0, 0, no_code},
    {i32_only, NULL, 1, 0, 1, no_code},
    {i64_only, i64_only, 1, 1, 2, no_code},
};
static const struct mvvm_import imports[] = {{"env", "__checkpoint", MVVM_EXTERN_FUNC, 1}};
static const struct mvvm_export exports[] = {{"_start", MVVM_EXTERN_FUNC, 1}};
static const struct mvvm_func_desc funcs[] = {
    {no_code, "checkpoint", 1}, {no_code, "_start", 0}, {no_code, "inner", 2}};
static const struct mvvm_global_desc globals[] = {
    {MVVM_TYPE_I32, true, {MVVM_INIT_CONST, 0, {7, 0}}},
    {MVVM_TYPE_FUNCREF, true, {MVVM_INIT_FUNC, 2, {0, 0}}},
    {MVVM_TYPE_V128, true, {MVVM_INIT_CONST, 0, {1, 2}}},
};
static const struct mvvm_table_desc table_descs[] = {{MVVM_TYPE_FUNCREF, 4, 8}};
static const struct mvvm_data_desc datas[] = {{MVVM_SEGMENT_PASSIVE, {0}, wasm_bytes, 8}};
static const struct mvvm_init items[] = {{MVVM_INIT_FUNC, 1, {0, 0}}, {MVVM_INIT_NULL, 0, {0, 0}}};
static const struct mvvm_elem_desc elems[] = {{MVVM_SEGMENT_PASSIVE, 0, {0}, items, 2}};
static const struct mvvm_code codes[] = {{fake_text, fake_frame_table}};

struct mvvm_module fake_module = {
    .name = "fake",
    .wasm_bytes = wasm_bytes,
    .wasm_size = sizeof wasm_bytes,
    .sha256 = {0x68, 0xE6, 0xF8, 0x7D, 0x09, 0x0B, 0x8A, 0x79, 0x92, 0x22, 0x5F,
               0xB8, 0xFE, 0x40, 0x35, 0xB4, 0xCE, 0x24, 0x52, 0x8A, 0xC9, 0x3E,
               0x81, 0x41, 0xCD, 0xFD, 0xC0, 0x2C, 0xF7, 0x86, 0xDE, 0x3B},
    .migratable = true,
    .context = &context,
    .types = types,
    .imports = imports,
    .exports = exports,
    .funcs = funcs,
    .globals = globals,
    .global_slots = global_slots,
    .table_descs = table_descs,
    .tables = tables,
    .datas = datas,
    .elems = elems,
    .codes = codes,
    .type_count = 3,
    .import_count = 1,
    .export_count = 1,
    .func_count = 3,
    .imported_func_count = 1,
    .global_count = 3,
    .table_count = 1,
    .data_count = 1,
    .elem_count = 1,
    .code_count = 1,
    .memory_count = 1,
    .memory_min_pages = 1,
    .memory_max_pages = 4,
    .start_func = UINT32_MAX,
};

const struct mvvm_module *const mvvm_modules[] = {&fake_module};
const uint32_t mvvm_module_count = 1;
const struct mvvm_cpu_feature mvvm_cpu_features[] = {{0}};
const uint32_t mvvm_cpu_feature_count = 0;

/* -- WASI: nothing but the section ------------------------------------------------------------ */

const struct mvvm_host_func mvvm_wasi_funcs[] = {{NULL, NULL, NULL, NULL}};

struct mvvm_wasi_settings mvvm_wasi_settings;

const char *mvvm_wasi_save(struct mvvm_writer *w)
{
    mvvm_write_u32(w, 0); /* arguments */
    mvvm_write_u32(w, 0); /* environment */
    mvvm_write_u64(w, 1000); /* monotonic, real and CPU time */
    mvvm_write_u64(w, 2000);
    mvvm_write_u64(w, 3000);
    mvvm_write_u8(w, 0); /* no interrupted wait */
    mvvm_write_u64(w, 0);
    mvvm_write_u32(w, 0); /* descriptors */
    return NULL;
}

const char *mvvm_wasi_load(struct mvvm_reader *r, const char *dirs, bool *bad_snapshot)
{
    (void)dirs;
    *bad_snapshot = true;
    return mvvm_read_bytes(r, 45) != NULL ? NULL : "the WASI section is too short";
}

uint64_t mvvm_os_monotonic_ns(void)
{
    static uint64_t now;
    return now += 1000000000; /* os_file.c is left out: time flies */
}

/* -- The frame table -------------------------------------------------------------------------- */

static uint8_t *put(uint8_t *at, const uint32_t *words, size_t count)
{
    memcpy(at, words, count * sizeof *words);
    return at + count * sizeof *words;
}

size_t fake_build_table(uint8_t *out)
{
    /* func_id, begin, end, frame_size, fp_save, ra_save, fp_offset, homes */
    static const uint32_t function_rows[] = {
        0, 0x000, 0x100, 48, 16, 8, 16, 48,                          /* the import's stub */
        1, 0x100, 0x200, 112, 16, 8, 16, 96,                         /* _start */
        2, 0x200, 0x300, 96, 16, 8, 16, 64,                          /* inner */
        MVVM_THUNK_FUNC_ID | 0, 0x300, 0x400, 48, 16, 8, 16, 32,
    };
    static const uint32_t point_rows[] = {
        0x020, 0, 0, 0, MVVM_CALLEE_HOST,
        0x120, 1, START_CALL, 6, 2,
        0x140, 1, START_IMPORT, 22, 0,
        0x150, 1, START_CALL, 6, 2, /* LLVM may double a call */
        0x220, 2, INNER_POLL, 25, MVVM_CALLEE_POLL,
        0x320, 3, 0, 46, MVVM_CALLEE_THUNK,
    };
    static const uint32_t by_site[] = {0, 1, 3, 2, 4, 5};
    static const uint8_t values[] = {
        /* 0 */ 1, 0, MVVM_TYPE_I32, 0, 0, 0,
        /* 6 */ 3, 0, MVVM_TYPE_I32, 0, 2, MVVM_TYPE_F64, 1, 5, MVVM_TYPE_V128, 2,
        1, MVVM_TYPE_I64, 4, 0,
        /* 20 */ 0, 0,
        /* 22 */ 0, 0, 0,
        /* 25 */ 2, 0, MVVM_TYPE_I64, 0, 1, MVVM_TYPE_FUNCREF, 1, 0,
        3, 80, 4, 0xEF, 0xBE, 0xAD, 0xDE, 72, 0, 64, 96, 0, 48,
        /* 46 */ 0, 0, 1, 40, 0, 32,
    };
    const uint32_t functions_off = 48;
    const uint32_t points_off = functions_off + sizeof function_rows;
    const uint32_t by_site_off = points_off + sizeof point_rows;
    const uint32_t values_off = by_site_off + sizeof by_site;
    const uint32_t total = values_off + sizeof values;
    const uint32_t header[] = {
        0x5446564D, MVVM_FRAME_TABLE_VERSION, 4, 6, functions_off, points_off,
        by_site_off, values_off, sizeof values, sizeof fake_text, total, 0};
    uint8_t *at = put(out, header, 12);
    at = put(at, function_rows, sizeof function_rows / 4);
    at = put(at, point_rows, sizeof point_rows / 4);
    at = put(at, by_site, sizeof by_site / 4);
    memcpy(at, values, sizeof values);
    return total;
}

/* -- A state to save -------------------------------------------------------------------------- */

struct mvvm_instance *fake_instance(void)
{
    struct mvvm_failure failure;
    fake_build_table(fake_frame_table);
    if (mvvm_runtime_init(1 << 18) != 0)
        mvvm_fatal(1, "no stack");
    struct mvvm_instance *instance =
        mvvm_instance_prepare(&fake_module, mvvm_resolve_host, NULL, &failure);
    if (instance == NULL)
        mvvm_fatal(1, "%s", failure.message);
    return instance;
}

struct mvvm_frames fake_frames(void)
{
    struct mvvm_frames frames = {0};
    const struct mvvm_frame outer = {1, START_CALL, 3, 1, 0};
    const struct mvvm_frame inner = {2, INNER_POLL, 2, 0, 4};
    const struct mvvm_frame_value values[] = {
        {0, MVVM_TYPE_I32, {.i32 = 0xDEADBEEF}},
        {2, MVVM_TYPE_F64, {.f64 = -1.5}},
        {5, MVVM_TYPE_V128, {.v128 = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}}},
        {UINT32_MAX, MVVM_TYPE_I64, {.i64 = 0x0123456789ABCDEF}},
        {0, MVVM_TYPE_I64, {.i64 = UINT64_MAX}},
        {1, MVVM_TYPE_FUNCREF, {.i32 = 2}},
    };
    for (size_t k = 0; k < sizeof values / sizeof *values; k++)
        if (!mvvm_frames_add_value(&frames, &values[k]))
            abort();
    if (!mvvm_frames_add(&frames, &outer) || !mvvm_frames_add(&frames, &inner))
        abort();
    return frames;
}
