/* The MVVM_TEST_ variables (docs/internals.md, section 5): checkpoints at chosen points, round
 * trips within the process, a hash of the final state. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"
#include "crc32.h"
#include "options.h"

bool mvvm_test_active;
bool mvvm_test_poison;
uint64_t mvvm_test_moves;
void (*mvvm_test_on_leave)(void);
struct mvvm_test_stay mvvm_test_stays[MVVM_TEST_STAYS];

static uint64_t leave_count; /* points passed */
static uint64_t leave_at;    /* UINT64_MAX: never */
static uint64_t roundtrip_every;
static const char *each_prefix;
static char *each_path;
static size_t each_size;

void mvvm_test_init(void)
{
    const uint64_t never = UINT64_MAX;
    mvvm_test_timing_init();
    mvvm_test_poison = mvvm_option_number("MVVM_TEST_POISON", 1, 0) == 1;
    leave_at = mvvm_option_number("MVVM_TEST_LEAVE_AT", never - 1, never);
    roundtrip_every = mvvm_option_number("MVVM_TEST_ROUNDTRIP", never - 1, 0);
    each_prefix = getenv("MVVM_TEST_SNAPSHOT_EACH");
    if (each_prefix != NULL) {
        each_size = strlen(each_prefix) + 24;
        each_path = malloc(each_size);
        if (each_path == NULL)
            mvvm_fatal(MVVM_EXIT_SYSTEM, "out of memory");
    }
    mvvm_test_active = leave_at != never || roundtrip_every != 0 || each_prefix != NULL ||
                       getenv("MVVM_TEST_COUNT") != NULL;
    if (mvvm_test_active)
        mvvm_flag = 1; /* never 0: a request may have come already */
}

/* Every n-th leave; n doubles after so many round trips, so that long programs end. */
enum { ROUNDTRIPS_BEFORE_DOUBLING = 100000 };

static bool is_roundtrip_due(void)
{
    static uint64_t due;
    if (roundtrip_every == 0 || leave_count % roundtrip_every != 0)
        return false;
    if (++due % ROUNDTRIPS_BEFORE_DOUBLING == 0)
        roundtrip_every *= 2;
    return true;
}

struct mvvm_test_action mvvm_test_leave(void)
{
    leave_count++;
    struct mvvm_test_action action = {
        .stop = leave_count == leave_at,
        .roundtrip = is_roundtrip_due(),
    };
    if (each_prefix != NULL) {
        snprintf(each_path, each_size, "%s.%" PRIu64, each_prefix, leave_count);
        action.path = each_path;
    }
    return action;
}

void mvvm_test_stay(const char *reason)
{
    uint32_t row = 0;
    while (row + 1 < MVVM_TEST_STAYS && mvvm_test_stays[row].reason != NULL &&
           strcmp(mvvm_test_stays[row].reason, reason) != 0)
        row++;
    if (row + 1 == MVVM_TEST_STAYS)
        mvvm_test_stays[row].reason = "other reasons";
    else if (mvvm_test_stays[row].reason == NULL)
        mvvm_test_stays[row].reason = strdup(reason);
    mvvm_test_stays[row].count++;
}

bool mvvm_test_stop_at_resume(void)
{
    return leave_at == 0;
}

/* MVVM_TEST_DUMP_STACK=1. `path`.stack holds, little-endian: u64 sp, fp, pc, return address where
 * walking ends, number of codes, size of the image; per code: u64 address of the text, size of the
 * frame table, the table; the image from sp up. */
void mvvm_test_dump_stack(const char *path)
{
    char name[4096];
    if (getenv("MVVM_TEST_DUMP_STACK") == NULL ||
        snprintf(name, sizeof name, "%s.stack", path) >= (int)sizeof name)
        return;
    FILE *file = fopen(name, "wb");
    if (file == NULL)
        mvvm_fatal(MVVM_EXIT_SYSTEM, "cannot write %s: %s", name, strerror(errno));
    const struct mvvm_module *module = mvvm_modules[0];
    const struct mvvm_position *position = &mvvm_last_frame;
    const uint64_t image_size = (uintptr_t)mvvm_stack_top(&mvvm_stack) - position->sp;
    const uint64_t head[] = {position->sp,       position->fp,
                             position->pc,       (uintptr_t)mvvm_wasm_return,
                             module->code_count, image_size};
    fwrite(head, sizeof head, 1, file);
    for (uint32_t k = 0; k < module->code_count; k++) {
        uint32_t table_size;
        memcpy(&table_size, module->codes[k].frame_table + 40, sizeof table_size);
        const uint64_t code[] = {(uintptr_t)module->codes[k].text, table_size};
        fwrite(code, sizeof code, 1, file);
        fwrite(module->codes[k].frame_table, table_size, 1, file);
    }
    fwrite((const void *)position->sp, image_size, 1, file);
    if (fclose(file) != 0)
        mvvm_fatal(MVVM_EXIT_SYSTEM, "cannot write %s: %s", name, strerror(errno));
}

static FILE *open_report(const char *path)
{
    FILE *file = fopen(path, "w");
    if (file == NULL)
        fprintf(stderr, "mvvm-aot: cannot write %s: %s\n", path, strerror(errno));
    return file;
}

/* References as function indices, so that the hash is the same in every executable. */
static uint32_t hash_globals(const struct mvvm_instance *instance)
{
    const struct mvvm_module *module = instance->module;
    uint32_t hash = 0;
    for (uint32_t k = module->imported_global_count; k < module->global_count; k++) {
        union mvvm_value value;
        const uint8_t valtype = module->globals[k].valtype;
        const void *slot = mvvm_global_slot(instance, k);
        memset(&value, 0, sizeof value);
        if (valtype == MVVM_TYPE_FUNCREF || valtype == MVVM_TYPE_EXTERNREF)
            mvvm_ref_to_index(instance, valtype, *(const uint64_t *)slot, &value.i32);
        else
            memcpy(&value, slot,
                   valtype == MVVM_TYPE_I32 || valtype == MVVM_TYPE_F32 ? 4
                   : valtype == MVVM_TYPE_V128                          ? 16
                                                                        : 8);
        hash = mvvm_crc32(hash, &value, sizeof value);
    }
    return hash;
}

void mvvm_test_exit(bool checkpointed)
{
    mvvm_test_timing_exit();
    const char *count_path = getenv("MVVM_TEST_COUNT");
    const char *hash_path = checkpointed ? NULL : getenv("MVVM_TEST_HASH");
    FILE *file = count_path != NULL ? open_report(count_path) : NULL;
    if (file != NULL) {
        fprintf(file, "%" PRIu64 "\n", leave_count);
        fclose(file);
    }
    file = hash_path != NULL ? open_report(hash_path) : NULL;
    if (file == NULL)
        return;
    const struct mvvm_instance *instance = mvvm_modules[0]->context->instance;
    const struct mvvm_context *context = mvvm_modules[0]->context;
    fprintf(file, "memory %" PRIu64 " %08" PRIx32 "\n", context->memory_bytes,
            mvvm_crc32(0, context->memory_base, context->memory_bytes));
    fprintf(file, "globals %" PRIu32 " %08" PRIx32 "\n", mvvm_modules[0]->global_count,
            instance != NULL ? hash_globals(instance) : 0);
    fclose(file);
}
