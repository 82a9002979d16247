/* A minimal runtime for tests of lowering: enough to call functions one by one, from a script on standard input.
 *
 * Each line is "<function> <argument bits in hexadecimal>..."; the answer is "<result bits>..." or "trap <code>".
 * The flag is always set, and leave and host calls fill every register that a point does not preserve with
 * poison, so that code which keeps a value over a point in a register gives a wrong answer. */
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "mvvm_module.h"

#define PRESERVE_NONE __attribute__((preserve_none))

struct entry {
    void (*code)(void);
    PRESERVE_NONE void (*thunk)(void);
    uint32_t param_count, result_count;
};

extern const struct entry entries[];
extern const uint64_t memory_pages;
extern struct mvvm_context m0_context;
extern struct mvvm_table m0_tables[];
extern uint8_t m0_globals[];
void stub_init(void);

uint32_t mvvm_flag = 1;
void *mvvm_invoke_target;
uint64_t mvvm_invoke_values[2 * MVVM_MAX_SPILL_VALUES] __attribute__((aligned(16)));
uint64_t mvvm_spill[2 * MVVM_MAX_SPILL_VALUES] __attribute__((aligned(16)));
uint64_t stub_leaves;

static sigjmp_buf escape;
static uint64_t max_pages = 100;

_Noreturn void mvvm_trap(int code)
{
    siglongjmp(escape, code);
}

_Noreturn void mvvm_trap_indirect(struct mvvm_table *table, uint32_t index)
{
    mvvm_trap(table->elems[index].type_id == MVVM_NULL_TYPE_ID ? MVVM_TRAP_UNINITIALIZED_ELEMENT
                                                             : MVVM_TRAP_INDIRECT_CALL_TYPE_MISMATCH);
}

static void on_fault(int number)
{
    (void)number;
    siglongjmp(escape, MVVM_TRAP_MEMORY_OUT_OF_BOUNDS);
}

int32_t mvvm_memory_grow(struct mvvm_context *context, uint32_t delta)
{
    uint64_t pages = context->memory_bytes / MVVM_WASM_PAGE;
    if (pages + delta > max_pages)
        return -1;
    mprotect(context->memory_base, (pages + delta) * MVVM_WASM_PAGE, PROT_READ | PROT_WRITE);
    context->memory_bytes = (pages + delta) * MVVM_WASM_PAGE;
    return (int32_t)pages;
}

/* "env.sum": adds up whatever integers it gets, as 64-bit numbers. */
void stub_host(struct mvvm_context *context, uint32_t func_index, uint64_t *homes)
{
    (void)context;
    (void)func_index;
    homes[0] = homes[0] * 3 + homes[2];
    homes[2] = homes[0] ^ 0x55;
    stub_leaves++;
}

static void missing(const char *name)
{
    fprintf(stderr, "%s is not in the stub\n", name);
    exit(3);
}
#define MISSING(name) \
    void name(void) { missing(#name); }
MISSING(mvvm_memory_init)
MISSING(mvvm_data_drop)
MISSING(mvvm_table_init)
MISSING(mvvm_elem_drop)
MISSING(mvvm_table_copy)
MISSING(mvvm_table_get)
MISSING(mvvm_table_set)
MISSING(mvvm_table_grow)
MISSING(mvvm_table_fill)
MISSING(mvvm_ref_func)

static void run_line(char *line)
{
    char *at = line;
    uint32_t index = (uint32_t)strtoul(at, &at, 10);
    const struct entry *entry = &entries[index];
    for (uint32_t k = 0; k < entry->param_count; k++)
        mvvm_invoke_values[2 * k] = strtoull(at, &at, 16);
    mvvm_invoke_target = (void *)entry->code;
    int code = sigsetjmp(escape, 0);
    if (code) {
        printf("trap %d\n", code);
        return;
    }
    entry->thunk();
    for (uint32_t k = 0; k < entry->result_count; k++)
        printf("%s%llx", k ? " " : "", (unsigned long long)mvvm_invoke_values[2 * k]);
    printf("\n");
}

int main(void)
{
    struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};
    sigaction(SIGSEGV, &action, NULL);
    m0_context.memory_base = mmap(NULL, MVVM_MEMORY_RESERVATION, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    m0_context.memory_bytes = 0;
    mvvm_memory_grow(&m0_context, (uint32_t)memory_pages);
    stub_init();
    static char line[1 << 20];
    while (fgets(line, sizeof line, stdin))
        run_line(line);
    return 0;
}
