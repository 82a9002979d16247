/* Runs the commands of one test script against the script's translated modules.
 *
 * One command per line of standard input, one answer per line of standard output, flushed at once, so that
 * after a crash the number of answers tells which command it was. Modules are numbered as in mvvm_modules; number
 * 0 is spectest.wat. Exports are named by index, since a name may hold any byte.
 *
 *   instantiate MODULE               ok | trap MESSAGE | unlinkable MESSAGE | system MESSAGE
 *   register MODULE HEXNAME          ok
 *   invoke MODULE EXPORT VALUE...    ok VALUE... | trap MESSAGE | error MESSAGE
 *   get MODULE EXPORT                ok VALUE | error MESSAGE
 *   moves                            ok COUNT[;COUNT REASON]...  round trips made since the start, those not made
 *   move COUNT PATH                  ok              at the COUNT-th point from here, or at the first one behind it at
 *                                                    which frames can move, a snapshot is written to PATH and the
 *                                                    command under way answers: moved[;COUNT REASON]...; the process ends
 *   resume MODULE PATH               as the command that answered "moved" would have
 *
 * VALUE is `type:bits`, bits in hexadecimal (a v128: lane 0 lowest), or `type:null`. An externref's bits are the
 * script's number; the value in the program is one more, since 0 is null.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint.h"
#include "mvvm_embed.h"
#include "options.h"

#define MAX_REGISTERED 64
#define MAX_VALUES 64

struct registration {
    char *name;
    struct mvvm_instance *instance;
};

static struct mvvm_instance **instances;
static struct registration registered[MAX_REGISTERED];
static uint32_t registered_count;
static uint64_t points_before_move; /* 0: no move is asked for */
static char *move_path;

static enum mvvm_host_status print(struct mvvm_instance *instance, uint64_t *slots)
{
    (void)instance;
    (void)slots;
    return MVVM_HOST_DONE;
}

static const struct mvvm_host_func harness_funcs[] = {
    {"harness", "print", ":", print},
    {"harness", "print_i32", "i:", print},
    {"harness", "print_i64", "I:", print},
    {"harness", "print_f32", "f:", print},
    {"harness", "print_f64", "F:", print},
    {"harness", "print_i32_f32", "if:", print},
    {"harness", "print_f64_f64", "FF:", print},
    {NULL, NULL, NULL, NULL},
};

static const struct {
    const char *name;
    uint8_t code;
    uint8_t bytes;
} valtypes[] = {
    {"i32", MVVM_TYPE_I32, 4},         {"i64", MVVM_TYPE_I64, 8},
    {"f32", MVVM_TYPE_F32, 4},         {"f64", MVVM_TYPE_F64, 8},
    {"v128", MVVM_TYPE_V128, 16},      {"funcref", MVVM_TYPE_FUNCREF, 8},
    {"externref", MVVM_TYPE_EXTERNREF, 8},
};

/* The latest registration of a name counts. */
static struct mvvm_instance *find_instance(const char *name)
{
    for (uint32_t i = registered_count; i-- > 0;)
        if (strcmp(registered[i].name, name) == 0)
            return registered[i].instance;
    return NULL;
}

static bool resolve(void *data, const struct mvvm_module *module, const struct mvvm_import *import,
                    struct mvvm_extern *out)
{
    (void)data;
    (void)module;
    for (const struct mvvm_host_func *func = harness_funcs; func->name != NULL; func++) {
        if (strcmp(func->module, import->module) == 0 && strcmp(func->name, import->name) == 0) {
            out->host = func;
            return import->kind == MVVM_EXTERN_FUNC;
        }
    }
    struct mvvm_instance *instance = find_instance(import->module);
    if (instance == NULL)
        return false;
    const struct mvvm_export *export = mvvm_find_export(instance, import->name);
    if (export == NULL || export->kind != import->kind)
        return false;
    out->instance = instance;
    out->index = export->index;
    return true;
}

static void print_value(uint8_t code, const void *value)
{
    uint8_t bytes[16];
    for (size_t i = 0; i < sizeof valtypes / sizeof valtypes[0]; i++) {
        if (valtypes[i].code != code)
            continue;
        memcpy(bytes, value, valtypes[i].bytes);
        printf(" %s:", valtypes[i].name);
        uint64_t ref;
        memcpy(&ref, value, 8);
        if (code == MVVM_TYPE_FUNCREF || code == MVVM_TYPE_EXTERNREF) {
            if (ref == 0) {
                printf("null");
                return;
            }
            ref -= code == MVVM_TYPE_EXTERNREF;
            memcpy(bytes, &ref, 8);
        }
        for (unsigned k = valtypes[i].bytes; k-- > 0;)
            printf("%02x", bytes[k]);
        return;
    }
    printf(" unknown:%02x", code);
}

static int hex_digit(char digit)
{
    return digit <= '9' ? digit - '0' : digit - 'a' + 10;
}

/* Reads `type:bits`; bits have all their digits. Returns the type's code, 0 when there is no such type. */
static uint8_t parse_value(const char *word, union mvvm_value *out)
{
    memset(out, 0, sizeof *out);
    const char *bits = strchr(word, ':');
    for (size_t i = 0; bits != NULL && i < sizeof valtypes / sizeof valtypes[0]; i++) {
        if (strncmp(valtypes[i].name, word, (size_t)(bits - word)) != 0)
            continue;
        if (strcmp(bits + 1, "null") == 0)
            return valtypes[i].code;
        size_t digits = strlen(bits + 1);
        for (size_t k = 0; k + 1 < digits && k / 2 < 16; k += 2)
            out->v128[digits / 2 - 1 - k / 2] = (uint8_t)(hex_digit(bits[1 + k]) << 4 | hex_digit(bits[2 + k]));
        if (valtypes[i].code == MVVM_TYPE_EXTERNREF)
            out->ref += 1;
        return valtypes[i].code;
    }
    return 0;
}

static void instantiate(uint32_t module)
{
    static const char *const kinds[] = {
        [MVVM_FAILURE_LINK] = "unlinkable", [MVVM_FAILURE_TRAP] = "trap", [MVVM_FAILURE_SYSTEM] = "system"};
    struct mvvm_failure failure;
    memset(&failure, 0, sizeof failure);
    instances[module] = mvvm_instantiate(mvvm_modules[module], resolve, NULL, &failure);
    if (instances[module] != NULL)
        printf("ok\n");
    else if (failure.kind == MVVM_FAILURE_TRAP)
        printf("trap %s\n", mvvm_trap_message(failure.trap_code));
    else
        printf("%s %s\n", kinds[failure.kind], failure.message);
}

static void register_instance(uint32_t module, const char *hex_name)
{
    size_t length = strlen(hex_name) / 2;
    char *name = calloc(1, length + 1);
    if (name == NULL || registered_count == MAX_REGISTERED) {
        printf("error too many registrations\n");
        free(name);
        return;
    }
    for (size_t i = 0; i < length; i++)
        name[i] = (char)(hex_digit(hex_name[2 * i]) << 4 | hex_digit(hex_name[2 * i + 1]));
    registered[registered_count++] = (struct registration){name, instances[module]};
    printf("ok\n");
}

/* What became of a call. */
static void answer(const struct mvvm_type *type, int trap, const union mvvm_value *results)
{
    if (trap != 0) {
        printf("trap %s\n", mvvm_trap_message(trap));
        return;
    }
    printf("ok");
    for (uint32_t i = 0; i < type->result_count; i++)
        print_value(type->results[i], &results[i]);
    printf("\n");
}

static void invoke(uint32_t module, uint32_t export)
{
    static union mvvm_value values[MAX_VALUES], results[MAX_VALUES];
    uint32_t func_index = mvvm_modules[module]->exports[export].index;
    const struct mvvm_type *type = mvvm_func_type(instances[module], func_index);
    uint32_t count = 0;
    for (char *word = strtok(NULL, " "); word != NULL; word = strtok(NULL, " "), count++) {
        uint8_t code = count < MAX_VALUES ? parse_value(word, &values[count]) : 0;
        if (count >= type->param_count || code != type->params[count]) {
            printf("error argument %u does not fit\n", count);
            return;
        }
    }
    if (count != type->param_count || type->result_count > MAX_VALUES) {
        printf("error %u arguments for %u parameters\n", count, type->param_count);
        return;
    }
    answer(type, mvvm_invoke(instances[module], func_index, values, results), results);
}

static void get(uint32_t module, uint32_t export)
{
    uint32_t index = mvvm_modules[module]->exports[export].index;
    printf("ok");
    print_value(mvvm_modules[module]->globals[index].valtype, mvvm_global_slot(instances[module], index));
    printf("\n");
}

/* -- Moving to another process ---------------------------------------------------------------- */

static void print_stays(void)
{
    for (uint32_t row = 0; row < MVVM_TEST_STAYS && mvvm_test_stays[row].reason != NULL; row++)
        printf(";%" PRIu64 " %s", mvvm_test_stays[row].count, mvvm_test_stays[row].reason);
    printf("\n");
}

/* At every point. A snapshot holds one instance: that the script needs no other one is for the reader of the
 * commands to see to. */
static void on_leave(void)
{
    const struct mvvm_instance *instance;
    struct mvvm_frames frames = {0};
    if (points_before_move == 0 || --points_before_move > 0)
        return;
    const char *message = mvvm_test_lift(&frames, &instance);
    if (message != NULL && strncmp(message, "internal error", 14) == 0)
        mvvm_fatal(MVVM_EXIT_SYSTEM, "%s", message);
    if (message == NULL) {
        message = mvvm_snapshot_write(instance, &frames, move_path, "a test");
        const char *why = message == NULL ? NULL : strstr(message, ": ");
        message = why == NULL ? message : why + 2; /* behind the file's name */
    }
    mvvm_frames_free(&frames);
    if (message != NULL) {
        mvvm_test_stay(message);
        points_before_move = 1;
        return;
    }
    printf("moved");
    print_stays();
    fflush(stdout);
    _exit(MVVM_EXIT_CHECKPOINTED);
}

static void move_later(void)
{
    const char *count = strtok(NULL, " ");
    const char *path = strtok(NULL, " ");
    points_before_move = count == NULL ? 0 : strtoull(count, NULL, 10);
    if (points_before_move == 0 || path == NULL) {
        printf("error bad command\n");
        return;
    }
    free(move_path);
    move_path = strdup(path);
    mvvm_test_on_leave = on_leave;
    mvvm_test_active = true;
    mvvm_flag = 1;
    printf("ok\n");
}

/* Room for frames that may be larger than where they come from. */
static bool make_room(size_t needed)
{
    const size_t size = mvvm_stack.size;
    if (needed <= size / 2)
        return true;
    mvvm_stack_destroy(&mvvm_stack);
    return mvvm_stack_create(&mvvm_stack, needed + size) == 0;
}

static void resume(uint32_t module, const char *path)
{
    static union mvvm_value results[MAX_VALUES];
    struct mvvm_failure failure = {0};
    struct mvvm_frames frames = {0};
    char text[512];
    size_t needed = 0;
    struct mvvm_instance *instance =
        mvvm_instance_prepare(mvvm_modules[module], resolve, NULL, &failure);
    if (instance == NULL) {
        printf("error resume: %s\n", failure.message);
        return;
    }
    const char *message = text;
    if (mvvm_snapshot_read(instance, path, NULL, &frames, text, sizeof text) == 0)
        message = mvvm_check_frames(instance, &frames, &needed);
    if (message == NULL && !make_room(needed))
        message = "no memory for the frames";
    if (message != NULL) {
        printf("error resume: %s\n", message);
        return;
    }
    instances[module] = instance;
    const struct mvvm_type *type = mvvm_func_type(instance, frames.frames[0].func_index);
    answer(type, mvvm_enter_frames(instance, &frames, mvvm_continue, results), results);
}

static uint32_t number(void)
{
    const char *word = strtok(NULL, " ");
    return word == NULL ? UINT32_MAX : (uint32_t)strtoul(word, NULL, 10);
}

static void run_command(char *line)
{
    const char *verb = strtok(line, " ");
    if (verb != NULL && strcmp(verb, "moves") == 0) {
        printf("ok %" PRIu64, mvvm_test_moves);
        print_stays();
        return;
    }
    if (verb != NULL && strcmp(verb, "move") == 0) {
        move_later();
        return;
    }
    uint32_t module = number();
    if (verb == NULL || module >= mvvm_module_count) {
        printf("error bad command\n");
        return;
    }
    if (strcmp(verb, "instantiate") == 0) {
        instantiate(module);
        return;
    }
    if (strcmp(verb, "resume") == 0) {
        const char *path = strtok(NULL, " ");
        resume(module, path == NULL ? "" : path);
        return;
    }
    if (instances[module] == NULL) {
        printf("error module %u has no instance\n", module);
        return;
    }
    if (strcmp(verb, "register") == 0) {
        const char *name = strtok(NULL, " ");
        register_instance(module, name == NULL ? "" : name);
        return;
    }
    uint32_t export = number();
    if (export >= mvvm_modules[module]->export_count) {
        printf("error module %u has no export %u\n", module, export);
        return;
    }
    enum mvvm_extern_kind kind = mvvm_modules[module]->exports[export].kind;
    if (strcmp(verb, "invoke") == 0 && kind == MVVM_EXTERN_FUNC)
        invoke(module, export);
    else if (strcmp(verb, "get") == 0 && kind == MVVM_EXTERN_GLOBAL)
        get(module, export);
    else
        printf("error bad command\n");
}

int main(void)
{
    mvvm_test_init();
    instances = calloc(mvvm_module_count, sizeof *instances);
    const uint64_t stack_size = mvvm_option_number("MVVM_STACK_SIZE", 1 << 30, 0); /* 0: the default */
    if (instances == NULL || mvvm_runtime_init(stack_size) != 0) {
        fprintf(stderr, "harness: cannot set up the runtime\n");
        return 1;
    }
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    while ((length = getline(&line, &capacity, stdin)) > 0) {
        line[strcspn(line, "\n")] = '\0';
        run_command(line);
        fflush(stdout);
    }
    free(line);
    return 0;
}
