/* See frame_table.h. The rows are read in place: the bytes are little-endian and 4-byte aligned. */
#include "frame_table.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct mvvm_function_row) == 32, "function row");
_Static_assert(sizeof(struct mvvm_point_row) == 20, "point row");

enum { HEADER_SIZE = 48, MAGIC = 0x5446564D };

static struct mvvm_frame_table *open_tables;
static uint32_t open_count;

static bool inside(uint64_t offset, uint64_t count, uint64_t unit, uint64_t total)
{
    return offset % 4 == 0 && offset <= total && count * unit <= total - offset;
}

/* Orders rows of by_site: by function, module offset, return address. */
static int compare_site(const struct mvvm_frame_table *table, uint32_t row, uint32_t func_id,
                        uint32_t offset)
{
    const struct mvvm_point_row *point = &table->points[row];
    const uint32_t id = table->functions[point->function].func_id;
    if (id != func_id)
        return id < func_id ? -1 : 1;
    if (point->offset != offset)
        return point->offset < offset ? -1 : 1;
    return 0;
}

static const char *check_functions(const struct mvvm_frame_table *table)
{
    uint32_t end = 0;
    for (uint32_t k = 0; k < table->function_count; k++) {
        const struct mvvm_function_row *row = &table->functions[k];
        if (row->code_begin < end || row->code_end <= row->code_begin ||
            row->code_end > table->text_size)
            return "functions out of order";
        end = row->code_end;
    }
    return NULL;
}

/* A frame that can be walked: its caller's two words and its homes lie inside it. */
static bool sound_frame(const struct mvvm_function_row *row)
{
    return row->frame_size % 16 == 0 && row->frame_size <= 1u << 28 && row->fp_save >= 8 &&
           row->ra_save >= 8 && row->fp_save <= row->frame_size &&
           row->ra_save <= row->frame_size && row->fp_save % 8 == 0 && row->ra_save % 8 == 0 &&
           row->fp_save != row->ra_save && row->fp_offset <= row->frame_size &&
           row->homes <= row->frame_size && row->homes % 8 == 0;
}

static const char *check_points(const struct mvvm_frame_table *table)
{
    for (uint32_t k = 0; k < table->point_count; k++) {
        const struct mvvm_point_row *row = &table->points[k];
        if (k > 0 && row->return_address <= table->points[k - 1].return_address)
            return "points out of order";
        if (row->function >= table->function_count || row->values >= table->values_size)
            return "a point's row is out of range";
        if (!sound_frame(&table->functions[row->function]))
            return "a function with points has no sound frame";
        if (table->by_site[k] >= table->point_count)
            return "the site index is out of range";
    }
    for (uint32_t k = 1; k < table->point_count; k++) {
        const struct mvvm_point_row *row = &table->points[table->by_site[k]];
        const int order = compare_site(table, table->by_site[k - 1],
                                       table->functions[row->function].func_id, row->offset);
        if (order > 0 || (order == 0 && table->by_site[k - 1] >= table->by_site[k]))
            return "the site index is out of order";
    }
    return NULL;
}

const char *mvvm_frame_table_open(struct mvvm_frame_table *table, const uint8_t *bytes,
                                  const uint8_t *text)
{
    uint32_t header[HEADER_SIZE / 4];
    if ((uintptr_t)bytes % 4 != 0)
        return "not aligned";
    memcpy(header, bytes, HEADER_SIZE);
    if (header[0] != MAGIC)
        return "no frame table";
    if (header[1] != MVVM_FRAME_TABLE_VERSION)
        return "another version of the frame table";
    const uint64_t total = header[10];
    *table = (struct mvvm_frame_table){
        .text = text,
        .function_count = header[2],
        .point_count = header[3],
        .values_size = header[8],
        .text_size = header[9],
    };
    if (total < HEADER_SIZE || header[11] != 0 ||
        !inside(header[4], table->function_count, sizeof *table->functions, total) ||
        !inside(header[5], table->point_count, sizeof *table->points, total) ||
        !inside(header[6], table->point_count, sizeof *table->by_site, total) ||
        header[7] > total || table->values_size > total - header[7])
        return "a part is out of range";
    table->functions = (const struct mvvm_function_row *)(const void *)(bytes + header[4]);
    table->points = (const struct mvvm_point_row *)(const void *)(bytes + header[5]);
    table->by_site = (const uint32_t *)(const void *)(bytes + header[6]);
    table->values = bytes + header[7];
    const char *message = check_functions(table);
    return message != NULL ? message : check_points(table);
}

const char *mvvm_frame_tables_init(void)
{
    uint32_t count = 0;
    for (uint32_t m = 0; m < mvvm_module_count; m++)
        count += mvvm_modules[m]->code_count;
    free(open_tables);
    open_count = 0;
    open_tables = calloc(count == 0 ? 1 : count, sizeof *open_tables);
    if (open_tables == NULL)
        return "out of memory";
    for (uint32_t m = 0; m < mvvm_module_count; m++) {
        for (uint32_t k = 0; k < mvvm_modules[m]->code_count; k++) {
            const struct mvvm_code *code = &mvvm_modules[m]->codes[k];
            struct mvvm_frame_table *table = &open_tables[open_count];
            const char *message = mvvm_frame_table_open(table, code->frame_table, code->text);
            if (message != NULL)
                return message;
            table->module = mvvm_modules[m];
            open_count++;
        }
    }
    return NULL;
}

size_t mvvm_largest_frame(void)
{
    size_t largest = 0;
    for (uint32_t t = 0; t < open_count; t++)
        for (uint32_t k = 0; k < open_tables[t].function_count; k++)
            if (open_tables[t].functions[k].frame_size > largest)
                largest = open_tables[t].functions[k].frame_size;
    return largest <= 1u << 28 ? largest : 1u << 28;
}

static const struct mvvm_frame_table *table_of(uintptr_t pc)
{
    for (uint32_t t = 0; t < open_count; t++)
        if (pc - (uintptr_t)open_tables[t].text <= open_tables[t].text_size)
            return &open_tables[t];
    return NULL;
}

bool mvvm_find_point(uintptr_t pc, struct mvvm_site *out)
{
    for (uint32_t t = 0; t < open_count; t++) {
        const struct mvvm_frame_table *table = &open_tables[t];
        const uintptr_t address = pc - (uintptr_t)table->text;
        uint32_t low = 0, high = table->point_count;
        if (address > table->text_size)
            continue;
        while (low < high) {
            const uint32_t middle = low + (high - low) / 2;
            if (table->points[middle].return_address < address)
                low = middle + 1;
            else
                high = middle;
        }
        if (low < table->point_count && table->points[low].return_address == address) {
            const struct mvvm_point_row *point = &table->points[low];
            *out = (struct mvvm_site){table, point, &table->functions[point->function]};
            return true;
        }
    }
    return false;
}

bool mvvm_find_site(const struct mvvm_module *module, uint32_t func_id, uint32_t offset,
                    struct mvvm_site *out)
{
    for (uint32_t t = 0; t < open_count; t++) {
        const struct mvvm_frame_table *table = &open_tables[t];
        uint32_t low = 0, high = table->point_count;
        if (table->module != module)
            continue;
        while (low < high) {
            const uint32_t middle = low + (high - low) / 2;
            if (compare_site(table, table->by_site[middle], func_id, offset) < 0)
                low = middle + 1;
            else
                high = middle;
        }
        if (low < table->point_count &&
            compare_site(table, table->by_site[low], func_id, offset) == 0) {
            const struct mvvm_point_row *point = &table->points[table->by_site[low]];
            *out = (struct mvvm_site){table, point, &table->functions[point->function]};
            return true;
        }
    }
    return false;
}

const struct mvvm_function_row *mvvm_find_function(uintptr_t pc,
                                                   const struct mvvm_frame_table **out)
{
    const struct mvvm_frame_table *table = table_of(pc);
    if (table == NULL)
        return NULL;
    const uintptr_t address = pc - (uintptr_t)table->text;
    uint32_t low = 0, high = table->function_count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (table->functions[middle].code_end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == table->function_count || table->functions[low].code_begin > address)
        return NULL;
    *out = table;
    return &table->functions[low];
}

/* -- The value stream ------------------------------------------------------------------------- */

struct mvvm_values mvvm_values_of(const struct mvvm_site *site)
{
    const uint8_t *values = site->table->values;
    return (struct mvvm_values){.at = values + site->point->values,
                                .end = values + site->table->values_size};
}

static uint32_t read_leb(struct mvvm_values *values)
{
    uint32_t result = 0;
    for (unsigned shift = 0; shift < 32; shift += 7) {
        if (values->at == values->end)
            break;
        const uint8_t byte = *values->at++;
        result |= (uint32_t)(byte & 0x7F) << shift;
        if ((byte & 0x80) == 0)
            return result;
    }
    values->failed = true;
    return 0;
}

static uint8_t read_byte(struct mvvm_values *values)
{
    if (values->at < values->end)
        return *values->at++;
    values->failed = true;
    return 0;
}

uint32_t mvvm_values_list(struct mvvm_values *values)
{
    values->left = values->failed ? 0 : read_leb(values);
    return values->left;
}

static bool take(struct mvvm_values *values)
{
    if (values->left == 0 || values->failed)
        return false;
    values->left--;
    return true;
}

bool mvvm_values_local(struct mvvm_values *values, struct mvvm_home *out)
{
    if (!take(values))
        return false;
    out->local_index = read_leb(values);
    out->valtype = read_byte(values);
    out->slot = read_leb(values);
    return !values->failed;
}

bool mvvm_values_operand(struct mvvm_values *values, struct mvvm_home *out)
{
    if (!take(values))
        return false;
    out->local_index = UINT32_MAX;
    out->valtype = read_byte(values);
    out->slot = read_leb(values);
    return !values->failed;
}

bool mvvm_values_fill(struct mvvm_values *values, struct mvvm_fill *out)
{
    if (!take(values))
        return false;
    out->cfa_minus = read_leb(values);
    out->size = read_byte(values);
    out->address_minus = 0;
    if (out->size == 0) {
        out->size = sizeof(uint64_t);
        out->bytes = NULL;
        out->address_minus = read_leb(values);
        return !values->failed;
    }
    out->bytes = values->at;
    if (values->failed || out->size > 64 || (size_t)(values->end - values->at) < out->size) {
        values->failed = true;
        return false;
    }
    values->at += out->size;
    return true;
}
