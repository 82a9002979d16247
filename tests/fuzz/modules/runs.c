/* Runs generated programs: a line of standard input names a module by its number, a line of standard output
 * says what became of it, flushed at once.
 *
 *   STEP | STEP ... | memory BYTES CRC
 *
 * A step is the instantiation or one export, called in order with its number as the externref:
 *
 *   ok CALLS CRC    trap MESSAGE CALLS CRC
 *
 * CALLS host functions were called since the program began, CRC is of their arguments. What follows a trap shows the
 * state that it left behind, but for traps that a fault of the machine reports (memory, stack): with those the program
 * ends, and with a trap of the instantiation.
 */
#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"
#include "crc32.h"
#include "mvvm_embed.h"
#include "options.h"

static uint32_t calls, crc;
static bool verbose;

static void note(uint8_t kind, uint64_t bits)
{
    uint8_t record[9] = {kind};
    for (int k = 0; k < 8; k++)
        record[1 + k] = (uint8_t)(bits >> 8 * k);
    crc = mvvm_crc32(crc, record, sizeof record);
    calls++;
    if (verbose)
        fprintf(stderr, "%u %016llx\n", kind, (unsigned long long)bits);
}

/* The bits of a NaN differ between machines. */
static uint64_t clean_f32(uint64_t slot)
{
    const uint32_t bits = (uint32_t)slot;
    return (bits & 0x7fffffff) > 0x7f800000 ? 0x7fc00000 : bits;
}

static uint64_t clean_f64(uint64_t bits)
{
    return (bits & ~(1ull << 63)) > 0x7ffull << 52 ? 0xfffull << 51 : bits;
}

#define TRACE(name, kind, bits) \
    static enum mvvm_host_status name(struct mvvm_instance *instance, uint64_t *slots) \
    { \
        (void)instance; \
        note(kind, bits); \
        return MVVM_HOST_DONE; \
    }

TRACE(trace_i32, 0, (uint32_t)slots[0])
TRACE(trace_i64, 1, slots[0])
TRACE(trace_f32, 2, clean_f32(slots[0]))
TRACE(trace_f64, 3, clean_f64(slots[0]))

static enum mvvm_host_status mix(struct mvvm_instance *instance, uint64_t *slots)
{
    (void)instance;
    note(4, slots[0]);
    slots[0] = slots[0] * 6364136223846793005ull + 1442695040888963407ull;
    return MVVM_HOST_DONE;
}

static enum mvvm_host_status swap(struct mvvm_instance *instance, uint64_t *slots)
{
    (void)instance;
    const uint32_t number = (uint32_t)slots[0];
    note(5, number);
    slots[0] = slots[2];
    slots[2] = number + 1;
    return MVVM_HOST_DONE;
}

static const struct mvvm_host_func host_funcs[] = {
    {"fuzz", "trace_i32", "i:", trace_i32}, {"fuzz", "trace_i64", "I:", trace_i64},
    {"fuzz", "trace_f32", "f:", trace_f32}, {"fuzz", "trace_f64", "F:", trace_f64},
    {"fuzz", "mix", "I:I", mix},            {"fuzz", "swap", "iF:Fi", swap},
    {NULL, NULL, NULL, NULL},
};

static bool resolve(void *data, const struct mvvm_module *module, const struct mvvm_import *import,
                    struct mvvm_extern *out)
{
    (void)data;
    (void)module;
    for (const struct mvvm_host_func *func = host_funcs; func->name != NULL; func++) {
        if (strcmp(func->name, import->name) == 0) {
            out->host = func;
            return import->kind == MVVM_EXTERN_FUNC;
        }
    }
    return false;
}

/* Returns whether the program goes on. */
static bool step(int trap)
{
    const bool goes_on =
        trap != MVVM_TRAP_MEMORY_OUT_OF_BOUNDS && trap != MVVM_TRAP_CALL_STACK_EXHAUSTED;
    if (trap == 0)
        printf("ok %u %08x", calls, crc);
    else
        printf("trap %s %u %08x", mvvm_trap_message(trap), calls, crc);
    if (goes_on)
        printf(" | ");
    return goes_on;
}

static void run(const struct mvvm_module *module)
{
    struct mvvm_failure failure;
    memset(&failure, 0, sizeof failure);
    calls = crc = 0;
    struct mvvm_instance *instance = mvvm_instantiate(module, resolve, NULL, &failure);
    if (instance == NULL && failure.kind != MVVM_FAILURE_TRAP) {
        printf("error %s", failure.message);
        return;
    }
    if (!step(instance == NULL ? failure.trap_code : 0) || instance == NULL)
        return;
    for (uint32_t k = 0; k < module->export_count; k++) {
        union mvvm_value values[1], results[1];
        if (module->exports[k].kind != MVVM_EXTERN_FUNC)
            continue;
        memset(values, 0, sizeof values);
        values[0].ref = k + 1;
        if (!step(mvvm_invoke(instance, module->exports[k].index, values, results)))
            return;
    }
    const struct mvvm_context *context = module->context;
    printf("memory %llu %08x", (unsigned long long)context->memory_bytes,
           mvvm_crc32(0, context->memory_base, context->memory_bytes));
}

int main(void)
{
    mvvm_test_init();
    verbose = getenv("MVVM_TEST_TRACE") != NULL;
    if (mvvm_runtime_init(mvvm_option_number("MVVM_STACK_SIZE", 1 << 30, 0)) != 0) {
        fprintf(stderr, "runs: cannot set up the runtime\n");
        return 1;
    }
    char line[32];
    while (fgets(line, sizeof line, stdin) != NULL) {
        const uint32_t number = (uint32_t)strtoul(line, NULL, 10);
        if (number < mvvm_module_count)
            run(mvvm_modules[number]);
        printf("\n");
        fflush(stdout);
    }
    return 0;
}
