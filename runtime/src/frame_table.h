/* The frame table's reader: what the compiler says of each point's native frame. The layout is
 * drawn in docs/internals.md, section 3; stackmaps/table.py writes it. */
#ifndef MVVM_FRAME_TABLE_H
#define MVVM_FRAME_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mvvm_module.h"

struct mvvm_function_row {
    uint32_t func_id, code_begin, code_end;
    uint32_t frame_size, fp_save, ra_save, fp_offset, homes;
};

struct mvvm_point_row {
    uint32_t return_address, function, offset, values, callee;
};

struct mvvm_frame_table {
    const struct mvvm_module *module;
    const uint8_t *text;
    uint32_t function_count, point_count, values_size, text_size;
    const struct mvvm_function_row *functions;
    const struct mvvm_point_row *points;
    const uint32_t *by_site;
    const uint8_t *values;
};

/* One point of one table. */
struct mvvm_site {
    const struct mvvm_frame_table *table;
    const struct mvvm_point_row *point;
    const struct mvvm_function_row *function;
};

/* NULL, or what is wrong with the bytes. O(points); the value stream is checked as it is read. */
const char *mvvm_frame_table_open(struct mvvm_frame_table *table, const uint8_t *bytes,
                                  const uint8_t *text);

/* Opens the tables of all modules. */
const char *mvvm_frame_tables_init(void);
size_t mvvm_largest_frame(void); /* frame_size, over all functions */

/* The point whose return address is exactly `pc`. */
bool mvvm_find_point(uintptr_t pc, struct mvvm_site *out);
/* A point (any of several) of `module` for a function and a module offset. */
bool mvvm_find_site(const struct mvvm_module *module, uint32_t func_id, uint32_t offset,
                    struct mvvm_site *out);
/* The function whose code holds `pc`. */
const struct mvvm_function_row *mvvm_find_function(uintptr_t pc,
                                                   const struct mvvm_frame_table **table);

static inline uintptr_t mvvm_site_pc(const struct mvvm_site *site)
{
    return (uintptr_t)site->table->text + site->point->return_address;
}

/* Walks a point's value lists. Each step yields false at the list's end; `failed` is set on
 * malformed bytes. */
struct mvvm_values {
    const uint8_t *at, *end;
    uint32_t left;
    bool failed;
};

struct mvvm_home {
    uint32_t local_index; /* of a local */
    uint8_t valtype;
    uint32_t slot;
};

struct mvvm_fill {
    uint32_t cfa_minus;
    uint8_t size;
    const uint8_t *bytes;   /* NULL: the slot holds the address CFA - address_minus */
    uint32_t address_minus;
};

/* Starts at the locals; each mvvm_values_list call goes on to the next list and returns its length.
 */
struct mvvm_values mvvm_values_of(const struct mvvm_site *site);
uint32_t mvvm_values_list(struct mvvm_values *values);
bool mvvm_values_local(struct mvvm_values *values, struct mvvm_home *out);
bool mvvm_values_operand(struct mvvm_values *values, struct mvvm_home *out);
bool mvvm_values_fill(struct mvvm_values *values, struct mvvm_fill *out);

#endif
