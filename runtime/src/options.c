/* See options.h. */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

struct mvvm_options mvvm_options;

enum { MIN_STACK_SIZE = 1 << 16 };

static const char *nonempty(const char *name)
{
    const char *text = getenv(name);
    return text != NULL && *text != '\0' ? text : NULL;
}

uint64_t mvvm_option_number(const char *name, uint64_t max, uint64_t otherwise)
{
    const char *text = nonempty(name);
    if (text == NULL)
        return otherwise;
    uint64_t value = 0;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at < '0' || *at > '9' || value > (max - (uint64_t)(*at - '0')) / 10)
            mvvm_fatal(MVVM_EXIT_USAGE, "%s=%s: not a number from 0 to %llu", name, text,
                       (unsigned long long)max);
        value = value * 10 + (uint64_t)(*at - '0');
    }
    return value;
}

static bool is_on(const char *name, bool otherwise)
{
    return mvvm_option_number(name, 1, otherwise) == 1;
}

static bool refuses_connections(void)
{
    const char *text = nonempty("MVVM_ON_SOCKET");
    if (text != NULL && strcmp(text, "refuse") != 0 && strcmp(text, "reset") != 0)
        mvvm_fatal(MVVM_EXIT_USAGE, "MVVM_ON_SOCKET=%s: neither refuse nor reset", text);
    return text != NULL && strcmp(text, "refuse") == 0;
}

static double seconds(const char *name)
{
    const char *text = nonempty(name);
    if (text == NULL)
        return 0;
    char *end;
    const double value = strtod(text, &end);
    if (*end != '\0' || !(value > 0) || value > 1e9)
        mvvm_fatal(MVVM_EXIT_USAGE, "%s=%s: not a positive number of seconds", name, text);
    return value;
}

static char *format_path(const char *format, const char *text, unsigned number)
{
    const int length = snprintf(NULL, 0, format, text, number);
    char *path = malloc((size_t)length + 1);
    if (path == NULL)
        mvvm_fatal(MVVM_EXIT_SYSTEM, "out of memory");
    snprintf(path, (size_t)length + 1, format, text, number);
    return path;
}

void mvvm_options_parse(const char *program)
{
    const char *slash = strrchr(program, '/');
    const char *base = slash != NULL ? slash + 1 : program;
    mvvm_options = (struct mvvm_options){
        .snapshot_path = nonempty("MVVM_SNAPSHOT"),
        .restore_path = nonempty("MVVM_RESTORE"),
        .dirs = nonempty("MVVM_DIRS"),
        .control_dir = nonempty("MVVM_CONTROL_DIR"),
        .sync = is_on("MVVM_SYNC", true),
        .load_late = is_on("MVVM_LOAD_LATE", true),
        .checkpoint_every = seconds("MVVM_CHECKPOINT_EVERY"),
        .stack_size =
            mvvm_option_number("MVVM_STACK_SIZE", (uint64_t)1 << 36, MVVM_DEFAULT_STACK_SIZE),
    };
    mvvm_wasi_settings = (struct mvvm_wasi_settings){
        .listen = nonempty("MVVM_LISTEN"),
        .allow_changed_files = is_on("MVVM_ALLOW_CHANGED_FILES", false),
        .with_files = is_on("MVVM_WITH_FILES", false),
        .refuse_connections = refuses_connections(),
    };
    if (mvvm_options.stack_size < MIN_STACK_SIZE)
        mvvm_fatal(MVVM_EXIT_USAGE, "MVVM_STACK_SIZE=%zu: at least %d bytes are needed",
                   mvvm_options.stack_size, MIN_STACK_SIZE);
    if (mvvm_options.snapshot_path == NULL)
        mvvm_options.snapshot_path = format_path("%s.snap", *base != '\0' ? base : "program", 0);
    if (mvvm_options.control_dir == NULL)
        mvvm_options.control_dir = format_path("%s/mvvm-aot-%u", "/tmp", (unsigned)getuid());
}
