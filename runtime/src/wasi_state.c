/* The state at the start: arguments, environment, streams, pre-opened directories. */
#include <stdarg.h>
#include <stdlib.h>

#include "mvvm_os.h"
#include "mvvm_wasi.h"
#include "wasi_state.h"

/* -- Messages ----------------------------------------------------------------------------- */

const char *mvvm_wasi_message(const char *format, ...)
{
    static char text[2 * MVVM_WASI_MAX_PATH + 512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return text;
}

const char *mvvm_wasi_error_text(int error)
{
    switch (error) {
    case WASI_ACCES: return "permission denied";
    case WASI_ADDRINUSE: return "the address is in use";
    case WASI_ADDRNOTAVAIL: return "no such address here";
    case WASI_NOSPC: return "no space left";
    case WASI_ISDIR: return "is a directory";
    case WASI_LOOP: return "too many symbolic links";
    case WASI_MFILE:
    case WASI_NFILE: return "too many open files";
    case WASI_NAMETOOLONG: return "name too long";
    case WASI_NOENT: return "no such file or directory";
    case WASI_NOMEM: return "out of memory";
    case WASI_NOTDIR: return "not a directory";
    case WASI_NXIO: return "nobody reads from this pipe";
    case WASI_PERM: return "not permitted, or leads out of the pre-opened directory";
    case WASI_ROFS: return "read-only file system";
    case WASI_TXTBSY: return "is being executed";
    default: return "input/output error";
    }
}

const char *mvvm_wasi_no_memory = "out of memory";

struct mvvm_wasi_settings mvvm_wasi_settings;

/* -- MVVM_DIRS ---------------------------------------------------------------------------- */

void mvvm_wasi_dirs_free(struct mvvm_wasi_dirs *dirs)
{
    for (uint32_t i = 0; i < dirs->count; i++) {
        free(dirs->items[i].host);
        free(dirs->items[i].guest);
    }
    free(dirs->items);
    *dirs = (struct mvvm_wasi_dirs){0, NULL};
}

/* One entry, `HOST::GUEST` or `HOST`. */
static const char *add_dir(struct mvvm_wasi_dirs *dirs, const char *entry, size_t size)
{
    size_t host_size = size;
    const char *guest = entry;
    size_t guest_size = size;
    for (size_t i = 0; i + 1 < size; i++) {
        if (entry[i] == ':' && entry[i + 1] == ':') {
            host_size = i;
            guest = entry + i + 2;
            guest_size = size - i - 2;
            break;
        }
    }
    if (host_size == 0 || guest_size == 0)
        return mvvm_wasi_message("MVVM_DIRS: entry %u, \"%.*s\", is not HOST or HOST::GUEST",
                                 dirs->count + 1, (int)(size < 1000 ? size : 1000), entry);
    if (host_size >= MVVM_WASI_MAX_PATH || guest_size >= MVVM_WASI_MAX_PATH)
        return mvvm_wasi_message("MVVM_DIRS: entry %u is too long", dirs->count + 1);
    if (!mvvm_wasi_utf8((const uint8_t *)guest, guest_size))
        return mvvm_wasi_message("MVVM_DIRS: the guest's name in entry %u is not UTF-8",
                                 dirs->count + 1);
    struct mvvm_wasi_dir *items = realloc(dirs->items, (dirs->count + 1) * sizeof *items);
    if (items == NULL)
        return mvvm_wasi_no_memory;
    dirs->items = items;
    struct mvvm_wasi_dir *item = &items[dirs->count++];
    *item = (struct mvvm_wasi_dir){strndup(entry, host_size), strndup(guest, guest_size)};
    return item->host == NULL || item->guest == NULL ? mvvm_wasi_no_memory : NULL;
}

const char *mvvm_wasi_dirs_parse(const char *text, struct mvvm_wasi_dirs *dirs)
{
    *dirs = (struct mvvm_wasi_dirs){0, NULL};
    if (text == NULL || *text == '\0')
        return NULL;
    for (;;) {
        size_t size = strcspn(text, ";");
        const char *message = add_dir(dirs, text, size);
        const struct mvvm_wasi_dir *last = &dirs->items[dirs->count - 1];
        for (uint32_t i = 0; message == NULL && i + 1 < dirs->count; i++)
            if (strcmp(dirs->items[i].guest, last->guest) == 0)
                message =
                    mvvm_wasi_message("MVVM_DIRS: two directories are called \"%s\"", last->guest);
        if (message != NULL)
            return message;
        if (text[size] == '\0')
            return NULL;
        text += size + 1;
    }
}

/* -- Start -------------------------------------------------------------------------------- */

/* Copies the strings but those that start with `without`. */
static bool copy_strings(struct mvvm_wasi_strings *to, char **from, size_t count,
                         const char *without)
{
    *to = (struct mvvm_wasi_strings){0, calloc(count + 1, sizeof *to->items)};
    if (to->items == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (without != NULL && strncmp(from[i], without, strlen(without)) == 0)
            continue;
        to->items[to->count] = strdup(from[i]);
        if (to->items[to->count] == NULL)
            return false;
        to->count++;
    }
    return true;
}

static const char *add_preopens(const struct mvvm_wasi_dirs *dirs)
{
    for (uint32_t i = 0; i < dirs->count; i++) {
        const struct mvvm_wasi_dir *dir = &dirs->items[i];
        int host_fd = mvvm_os_open_directory(dir->host);
        uint32_t fd;
        if (host_fd < 0)
            return mvvm_wasi_message("MVVM_DIRS: cannot open the directory \"%s\": %s", dir->host,
                                     mvvm_wasi_error_text(-host_fd));
        uint32_t root = mvvm_wasi_root_add(dir->guest, dir->host, host_fd);
        struct mvvm_wasi_fd entry = mvvm_wasi_preopen(root);
        if (entry.root == UINT32_MAX)
            return mvvm_wasi_no_memory;
        fd = 3 + i;
        int error = mvvm_wasi_fd_set(fd, &entry);
        if (error != WASI_SUCCESS)
            return mvvm_wasi_message("MVVM_DIRS: %s", mvvm_wasi_error_text(error));
    }
    return NULL;
}

struct mvvm_wasi_fd mvvm_wasi_preopen(uint32_t root)
{
    return (struct mvvm_wasi_fd){
        .kind = MVVM_WASI_PREOPEN,
        .filetype = WASI_FILETYPE_DIRECTORY,
        .host_fd = root == UINT32_MAX ? -1 : mvvm_wasi.roots[root].host_fd,
        .rights_base = WASI_RIGHTS_DIRECTORY,
        .rights_inheriting = WASI_RIGHTS_DIRECTORY | WASI_RIGHTS_FILE,
        .root = root,
    };
}

const char *mvvm_wasi_init(int argc, char **argv, char **envp, const char *dirs)
{
    size_t env_count = 0;
    unsigned streams = mvvm_os_prepare_streams();
    while (envp != NULL && envp[env_count] != NULL)
        env_count++;
    if (!copy_strings(&mvvm_wasi.args, argv, (size_t)argc, NULL) ||
        !copy_strings(&mvvm_wasi.env, envp, env_count, "MVVM_"))
        return mvvm_wasi_no_memory;
    for (uint32_t stream = 0; stream < 3; stream++)
        if (streams & (1u << stream) && mvvm_wasi_add_stream(stream, stream, 0) != WASI_SUCCESS)
            return mvvm_wasi_no_memory;
    struct mvvm_wasi_dirs parsed;
    const char *message = mvvm_wasi_dirs_parse(dirs, &parsed);
    if (message == NULL)
        message = add_preopens(&parsed);
    if (message == NULL)
        message = mvvm_wasi_add_listeners(3 + parsed.count);
    mvvm_wasi_dirs_free(&parsed);
    return message;
}
