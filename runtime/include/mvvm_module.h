/* What a translated module tells the runtime. mvvm_aot/describe.py writes one C file per module that
 * fills in a `struct mvvm_module`; the layouts that generated machine code touches are asserted. */
#ifndef MVVM_MODULE_H
#define MVVM_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mvvm_abi.gen.h"

struct mvvm_instance;

/* Lives in generated code's data, one per module. */
struct mvvm_context {
    uint8_t *memory_base;
    uint64_t memory_bytes;
    struct mvvm_instance *instance;
    uint64_t reserved[5];
};

struct mvvm_func {
    void (*code)(void);
    uint32_t type_id;
    uint32_t func_index;
    struct mvvm_instance *instance;
    const char *name;
};

struct mvvm_elem {
    void (*code)(void); /* externref tables: the host's value */
    uint32_t type_id;
    uint32_t func_id; /* index into the process-wide array of functions */
};

struct mvvm_table {
    struct mvvm_elem *elems;
    uint32_t size;
    uint32_t max;
};

MVVM_ASSERT_LAYOUTS

/* A value in a 16-byte slot; references as the MVVM_TYPE_ code says. */
union mvvm_value {
    uint32_t i32;
    uint64_t i64;
    float f32;
    double f64;
    uint8_t v128[16];
    uint64_t ref;
};

struct mvvm_type {
    const uint8_t *params; /* MVVM_TYPE_ codes */
    const uint8_t *results;
    uint32_t param_count;
    uint32_t result_count;
    uint32_t type_id;
    void (*thunk)(void);
};

enum mvvm_extern_kind {
    MVVM_EXTERN_FUNC = 0,
    MVVM_EXTERN_TABLE = 1,
    MVVM_EXTERN_MEMORY = 2,
    MVVM_EXTERN_GLOBAL = 3,
};

struct mvvm_import {
    const char *module;
    const char *name;
    enum mvvm_extern_kind kind;
    uint32_t index; /* functions: type index; else: index into its index space */
};

struct mvvm_export {
    const char *name;
    enum mvvm_extern_kind kind;
    uint32_t index;
};

struct mvvm_func_desc {
    void (*code)(void);
    const char *name;
    uint32_t type_index; /* canonical: the first of equal types */
};

/* A constant expression, or one instruction of it. */
enum mvvm_init_kind {
    MVVM_INIT_CONST = 0,  /* bits */
    MVVM_INIT_GLOBAL = 1, /* index: global.get */
    MVVM_INIT_FUNC = 2,   /* index: ref.func */
    MVVM_INIT_NULL = 3,   /* ref.null */
    /* several instructions: index: the first in the module's init_steps; bits: how many, and how
     * many operands are on the stack at most */
    MVVM_INIT_STEPS = 4,
    /* in init_steps only: pop two operands, push one */
    MVVM_INIT_I32_ADD = 5,
    MVVM_INIT_I32_SUB = 6,
    MVVM_INIT_I32_MUL = 7,
    MVVM_INIT_I64_ADD = 8,
    MVVM_INIT_I64_SUB = 9,
    MVVM_INIT_I64_MUL = 10,
};

struct mvvm_init {
    enum mvvm_init_kind kind;
    uint32_t index;
    uint64_t bits[2];
};

struct mvvm_global_desc {
    uint8_t valtype;
    bool mutable_;
    struct mvvm_init init; /* unused for imports */
};

struct mvvm_table_desc {
    uint8_t reftype;
    uint32_t min;
    uint32_t max; /* UINT32_MAX: none */
};

enum mvvm_segment_mode { MVVM_SEGMENT_ACTIVE = 0, MVVM_SEGMENT_PASSIVE = 1, MVVM_SEGMENT_DECLARATIVE = 2 };

struct mvvm_data_desc {
    enum mvvm_segment_mode mode;
    struct mvvm_init offset;
    const uint8_t *bytes; /* inside wasm_bytes */
    uint32_t size;
};

struct mvvm_elem_desc {
    enum mvvm_segment_mode mode;
    uint32_t table;
    struct mvvm_init offset;
    const struct mvvm_init *items;
    uint32_t count;
};

/* One object file's machine code and its frame table. A module may have several. */
struct mvvm_code {
    const uint8_t *text;
    const uint8_t *frame_table;
};

struct mvvm_module {
    const char *name; /* for messages */
    const uint8_t *wasm_bytes;
    uint64_t wasm_size;
    uint8_t sha256[32];
    bool migratable; /* false: translated with --no-migration */
    bool has_tail_calls; /* a frame's callee may have left its place to another function */
    struct mvvm_context *context;
    const struct mvvm_type *types;
    const struct mvvm_import *imports;
    const struct mvvm_export *exports;
    const struct mvvm_func_desc *funcs; /* the whole index space, imports first */
    const struct mvvm_global_desc *globals; /* the whole index space */
    uint8_t *global_slots;                  /* 16 bytes per defined global */
    void **global_refs;                     /* one per imported global */
    const struct mvvm_table_desc *table_descs;
    struct mvvm_table *tables;
    const struct mvvm_data_desc *datas;
    const struct mvvm_elem_desc *elems;
    const struct mvvm_init *init_steps;
    const struct mvvm_code *codes;
    uint32_t type_count, import_count, export_count;
    uint32_t func_count, imported_func_count;
    uint32_t global_count, imported_global_count;
    uint32_t table_count, imported_table_count;
    uint32_t data_count, elem_count, code_count;
    uint32_t memory_count, imported_memory_count; /* 0 or 1 */
    uint64_t memory_min_pages, memory_max_pages;  /* max: 65536 when none is declared */
    uint32_t start_func; /* UINT32_MAX: none */
};

/* What the code demands of a CPU, and where it is told. x86-64: a bit of a register that cpuid
 * fills in (0 to 3: eax, ebx, ecx, edx), and the register state that the system has to save.
 * AArch64: a bit of an entry of the auxiliary vector, `leaf`. */
struct mvvm_cpu_feature {
    const char *name; /* LLVM's */
    uint32_t leaf, subleaf, reg, bit, xcr0;
};

/* Defined by the generated C file of an executable; an application has exactly one module. */
extern const struct mvvm_module *const mvvm_modules[];
extern const uint32_t mvvm_module_count;
extern const struct mvvm_cpu_feature mvvm_cpu_features[];
extern const uint32_t mvvm_cpu_feature_count;

#endif
