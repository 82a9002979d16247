/* Drives the runtime's WASI functions without generated code: an instance that is nothing but
 * memory, and commands, one a line, on the descriptor given as first argument; answers go to the
 * second.
 *
 *   init DIRS ARG...            load FILE DIRS           ("-": no directories)
 *   save FILE                   call MODULE NAME ARG...  (answers the errno or "interrupted")
 *   poke ADDRESS HEX            peek ADDRESS SIZE
 *   request MILLISECONDS        a checkpoint is wanted after that time; 0: from now on
 *   clear                       no checkpoint is wanted
 *   openat2 0|1                 the kernel's confined lookup
 *   listen ADDRESSES            allow|pack|refuse 0|1    settings
 */
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "mvvm_os.h"
#include "mvvm_wasi.h"

#define MEMORY_SIZE (2u * MVVM_WASM_PAGE)

static volatile sig_atomic_t wanted;
static FILE *answers;

/* -- What the rest of the runtime offers -------------------------------------------------- */

bool mvvm_checkpoint_wanted(void)
{
    return wanted;
}

_Noreturn void mvvm_exit(int status)
{
    fprintf(answers, "exit %d\n", status);
    fflush(answers);
    _exit(status);
}

struct mvvm_writer {
    FILE *file;
};

void mvvm_write_bytes(struct mvvm_writer *w, const void *bytes, size_t size)
{
    fwrite(bytes, 1, size, w->file);
}

void mvvm_write_u8(struct mvvm_writer *w, uint8_t value)
{
    mvvm_write_bytes(w, &value, sizeof value);
}

void mvvm_write_u16(struct mvvm_writer *w, uint16_t value)
{
    mvvm_write_bytes(w, &value, sizeof value);
}

void mvvm_write_u32(struct mvvm_writer *w, uint32_t value)
{
    mvvm_write_bytes(w, &value, sizeof value);
}

void mvvm_write_u64(struct mvvm_writer *w, uint64_t value)
{
    mvvm_write_bytes(w, &value, sizeof value);
}

void mvvm_write_str(struct mvvm_writer *w, const char *bytes, size_t size)
{
    mvvm_write_u32(w, (uint32_t)size);
    mvvm_write_bytes(w, bytes, size);
}

const uint8_t *mvvm_read_bytes(struct mvvm_reader *r, size_t size)
{
    const uint8_t *at = r->at;
    if (r->failed || size > (size_t)(r->end - r->at)) {
        r->failed = true;
        return NULL;
    }
    r->at += size;
    return at;
}

#define READ(name, type) \
    type name(struct mvvm_reader *r) \
    { \
        type value = 0; \
        const uint8_t *at = mvvm_read_bytes(r, sizeof value); \
        if (at != NULL) \
            memcpy(&value, at, sizeof value); \
        return value; \
    }
READ(mvvm_read_u8, uint8_t)
READ(mvvm_read_u16, uint16_t)
READ(mvvm_read_u32, uint32_t)
READ(mvvm_read_u64, uint64_t)

const char *mvvm_read_str(struct mvvm_reader *r, size_t *size)
{
    *size = mvvm_read_u32(r);
    return (const char *)mvvm_read_bytes(r, *size);
}

/* -- The instance ------------------------------------------------------------------------- */

static struct mvvm_context context;
static const struct mvvm_module module = {.context = &context};
static struct mvvm_instance instance = {.module = &module};

static const struct mvvm_host_func *find(const char *module_name, const char *name)
{
    for (const struct mvvm_host_func *f = mvvm_wasi_funcs; f->name != NULL; f++)
        if (strcmp(f->module, module_name) == 0 && strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

/* -- Commands ----------------------------------------------------------------------------- */

static char *word(void)
{
    return strtok(NULL, " \n");
}

static const char *dirs_of(const char *text)
{
    return text == NULL || strcmp(text, "-") == 0 ? NULL : text;
}

static bool do_setting(const char *name)
{
    bool *setting = strcmp(name, "allow") == 0    ? &mvvm_wasi_settings.allow_changed_files
                    : strcmp(name, "pack") == 0   ? &mvvm_wasi_settings.with_files
                    : strcmp(name, "refuse") == 0 ? &mvvm_wasi_settings.refuse_connections
                                                  : NULL;
    if (setting != NULL)
        *setting = *word() == '1';
    else if (strcmp(name, "listen") == 0)
        mvvm_wasi_settings.listen = strdup(word());
    else
        return false;
    return true;
}

static void do_init(void)
{
    static char *arguments[64];
    const char *dirs = dirs_of(word());
    int count = 0;
    extern char **environ;
    for (char *argument; count < 64 && (argument = word()) != NULL;)
        arguments[count++] = argument;
    const char *message = mvvm_wasi_init(count, arguments, environ, dirs);
    fprintf(answers, "%s\n", message == NULL ? "ok" : message);
}

static void do_load(void)
{
    static uint8_t section[1 << 20];
    const char *path = word();
    const char *dirs = dirs_of(word());
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        abort();
    size_t size = fread(section, 1, sizeof section, file);
    fclose(file);
    uint8_t *exact = malloc(size + (size == 0)); /* so that reading over the end is noticed */
    memcpy(exact, section, size);
    struct mvvm_reader reader = {exact, exact + size, false};
    bool bad = false;
    const char *message = mvvm_wasi_load(&reader, dirs, &bad);
    fprintf(answers, "%s%s\n", bad ? "bad " : "", message == NULL ? "ok" : message);
    free(exact);
}

static void do_save(void)
{
    struct mvvm_writer writer = {fopen(word(), "wb")};
    if (writer.file == NULL)
        abort();
    const char *message = mvvm_wasi_save(&writer);
    fclose(writer.file);
    fprintf(answers, "%s\n", message == NULL ? "ok" : message);
}

static void do_call(void)
{
    const char *module_name = word();
    const struct mvvm_host_func *function = find(module_name, word());
    uint64_t slots[32] = {0}, before[32];
    if (function == NULL) {
        fprintf(answers, "no such function\n");
        return;
    }
    size_t count = strcspn(function->signature, ":");
    for (size_t i = 0; i < 16; i++) {
        const char *argument = word();
        if ((argument != NULL) != (i < count)) {
            fprintf(answers, "wrong number of arguments for %s\n", function->signature);
            return;
        }
        if (argument != NULL)
            slots[2 * i] = strtoull(argument, NULL, 0);
        /* The other half of an i32's slot may hold anything. */
        if (argument != NULL && function->signature[i] == 'i')
            slots[2 * i] = (uint32_t)slots[2 * i] | 0xABCDEF0000000000u;
    }
    memcpy(before, slots, sizeof slots);
    if (function->fn(&instance, slots) == MVVM_HOST_DONE)
        fprintf(answers, "%" PRIu32 "\n", (uint32_t)slots[0]);
    else
        fprintf(answers, "%s\n",
                memcmp(before, slots, sizeof slots) == 0 ? "interrupted" : "arguments changed");
}

static void do_poke(void)
{
    size_t at = strtoull(word(), NULL, 0);
    const char *hex = word();
    for (; hex != NULL && hex[0] != '\0' && hex[1] != '\0' && at < MEMORY_SIZE; hex += 2) {
        const char digits[3] = {hex[0], hex[1], '\0'};
        context.memory_base[at++] = (uint8_t)strtoul(digits, NULL, 16);
    }
    fprintf(answers, "ok\n");
}

static void do_peek(void)
{
    size_t at = strtoull(word(), NULL, 0), size = strtoull(word(), NULL, 0);
    for (; size > 0 && at < MEMORY_SIZE; size--)
        fprintf(answers, "%02x", context.memory_base[at++]);
    fprintf(answers, "\n");
}

static void on_request(int number)
{
    (void)number;
    wanted = 1;
}

static void do_request(void)
{
    long milliseconds = strtol(word(), NULL, 0);
    const struct itimerval timer = {
        .it_value = {.tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000}};
    wanted = milliseconds == 0;
    setitimer(ITIMER_REAL, &timer, NULL);
    fprintf(answers, "ok\n");
}

int main(int argc, char **argv)
{
    static char line[1 << 18];
    if (argc != 3)
        return 2;
    FILE *commands = fdopen(atoi(argv[1]), "r");
    answers = fdopen(atoi(argv[2]), "w");
    context.memory_base = malloc(MEMORY_SIZE); /* of exactly this size for the sanitizer */
    context.memory_bytes = MEMORY_SIZE;
    memset(context.memory_base, 0, MEMORY_SIZE);
    const struct sigaction action = {.sa_handler = on_request, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    while (fgets(line, sizeof line, commands) != NULL) {
        const char *command = strtok(line, " \n");
        if (strcmp(command, "init") == 0)
            do_init();
        else if (strcmp(command, "load") == 0)
            do_load();
        else if (strcmp(command, "save") == 0)
            do_save();
        else if (strcmp(command, "call") == 0)
            do_call();
        else if (strcmp(command, "poke") == 0)
            do_poke();
        else if (strcmp(command, "peek") == 0)
            do_peek();
        else if (strcmp(command, "request") == 0)
            do_request();
        else if (strcmp(command, "clear") == 0)
            wanted = 0, fprintf(answers, "ok\n");
        else if (do_setting(command))
            fprintf(answers, "ok\n");
        else if (strcmp(command, "openat2") == 0)
            mvvm_os_use_openat2 = *word() == '1', fprintf(answers, "ok\n");
        else
            fprintf(answers, "no such command\n");
        fflush(answers);
    }
    return 0;
}
