/* Traps: their messages, the Wasm backtrace, and the ends of the process. */
#include "internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint.h"
#include "frame_table.h"

enum { FIRST_FRAMES = 20, LAST_FRAMES = 5 };

struct mvvm_fault mvvm_fault;

/* One line of a backtrace. The last trap's are kept: the outermost ones in a ring. */
struct line {
    const char *name;
    uint32_t func_index;
    uint32_t offset; /* 0: unknown */
};

static struct line first_lines[FIRST_FRAMES];
static struct line last_lines[LAST_FRAMES];
static uint64_t line_count;

const char *mvvm_trap_message(int code)
{
    switch (code) {
#define CASE(number, text) \
    case number: \
        return text;
        MVVM_TRAP_MESSAGES(CASE)
#undef CASE
    default:
        return "unknown trap";
    }
}

static void add_line(const struct mvvm_frame_table *table, const struct mvvm_function_row *row,
                     uint32_t offset)
{
    if (row->func_id >= MVVM_THUNK_FUNC_ID || row->func_id >= table->module->func_count)
        return;
    const struct line line = {table->module->funcs[row->func_id].name, row->func_id, offset};
    if (line_count < FIRST_FRAMES)
        first_lines[line_count] = line;
    else
        last_lines[(line_count - FIRST_FRAMES) % LAST_FRAMES] = line;
    line_count++;
}

/* The function whose code holds the address before `pc` (a return address) with its point's offset,
 * if any. */
static bool add_address(uintptr_t pc)
{
    const struct mvvm_frame_table *table;
    const struct mvvm_function_row *row = mvvm_find_function(pc - 1, &table);
    struct mvvm_site site;
    if (row == NULL)
        return false;
    const bool known = mvvm_find_point(pc, &site) && site.function == row;
    add_line(table, row, known ? site.point->offset : 0);
    return true;
}

/* Follows frame pointers: on both ISAs the register points at {caller's frame pointer, return
 * address}. C frames of helpers may be innermost; the walk passes over what is not Wasm code. */
static void walk(uintptr_t fp)
{
    while (mvvm_stack_contains(&mvvm_stack, fp) && fp % 8 == 0 &&
           fp - (uintptr_t)mvvm_stack.reservation >= mvvm_stack.guard_size) {
        const uintptr_t *pair = (const uintptr_t *)fp;
        if (pair[1] == (uintptr_t)mvvm_wasm_return || (pair[0] != 0 && pair[0] <= fp))
            return;
        add_address(pair[1]);
        fp = pair[0];
    }
}

/* A fault: the instruction itself is in the innermost function, whose prologue may not have been
 * done. */
static void walk_fault(const struct mvvm_fault *fault)
{
    const struct mvvm_frame_table *table;
    const struct mvvm_function_row *row = mvvm_find_function(fault->pc, &table);
    if (row != NULL) {
        add_line(table, row, 0);
        const uintptr_t begin = (uintptr_t)table->text + row->code_begin;
        const bool before_prologue = fault->pc == begin || fault->fp >= fault->sp + row->frame_size;
        if (fault->entry_return != 0 && before_prologue)
            add_address(fault->entry_return);
    }
    walk(fault->fp);
}

void mvvm_on_trap(int code)
{
    line_count = 0;
    if (mvvm_fault.valid) {
        walk_fault(&mvvm_fault);
        mvvm_fault.valid = false;
    } else {
        add_address(mvvm_last_frame.pc);
        walk(mvvm_last_frame.fp);
    }
    mvvm_unwind(code);
}

static void print_line(FILE *out, const struct line *line)
{
    fprintf(out, "  at %s (func %" PRIu32 ")", line->name, line->func_index);
    if (line->offset != 0)
        fprintf(out, " +%#" PRIx32, line->offset);
    fputc('\n', out);
}

void mvvm_print_backtrace(FILE *out)
{
    for (uint64_t k = 0; k < line_count && k < FIRST_FRAMES; k++)
        print_line(out, &first_lines[k]);
    if (line_count <= FIRST_FRAMES)
        return;
    const uint64_t rest = line_count - FIRST_FRAMES;
    const uint64_t shown = rest < LAST_FRAMES ? rest : LAST_FRAMES;
    if (rest > shown)
        fprintf(out, "  ... %" PRIu64 " more ...\n", rest - shown);
    for (uint64_t k = rest - shown; k < rest; k++)
        print_line(out, &last_lines[k % LAST_FRAMES]);
}

void mvvm_fatal(int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("mvvm-aot: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    fflush(stderr);
    _exit(status);
}

void mvvm_exit(int status)
{
    mvvm_settle();
    mvvm_test_exit(false);
    _exit(status);
}
