/* Opens what the rows of a snapshot's WASI section describe: pre-opens, files, streams, sockets. */
#include <stdlib.h>

#include "mvvm_os.h"
#include "mvvm_wasi.h"
#include "wasi_state.h"

/* `dirs` must name pre-opens that there are. */
static const char *check_dirs(const struct mvvm_wasi_rows *rows, const struct mvvm_wasi_dirs *dirs)
{
    for (uint32_t i = 0; i < dirs->count; i++) {
        bool known = false;
        for (uint32_t k = 0; k < rows->count; k++)
            known |= rows->items[k].kind == MVVM_WASI_PREOPEN &&
                     strcmp(rows->items[k].path, dirs->items[i].guest) == 0;
        if (!known)
            return mvvm_wasi_message("MVVM_DIRS: the program that was saved has no pre-opened "
                                     "directory \"%s\"",
                                     dirs->items[i].guest);
    }
    return NULL;
}

static const char *open_preopen(const struct mvvm_wasi_row *row, const struct mvvm_wasi_dirs *dirs)
{
    const char *host = row->host_path;
    for (uint32_t i = 0; i < dirs->count; i++)
        if (strcmp(dirs->items[i].guest, row->path) == 0)
            host = dirs->items[i].host;
    int host_fd = mvvm_os_open_directory(host);
    if (host_fd < 0)
        return mvvm_wasi_message("pre-opened directory \"%s\": cannot open the host's \"%s\": %s; "
                                 "give another as --dir HOST::%s or MVVM_DIRS=HOST::%s",
                                 row->path, host, mvvm_wasi_error_text(-host_fd), row->path,
                                 row->path);
    struct mvvm_wasi_fd entry = mvvm_wasi_preopen(mvvm_wasi_root_add(row->path, host, host_fd));
    if (entry.root == UINT32_MAX)
        return mvvm_wasi_no_memory;
    entry.flags = row->flags;
    entry.rights_base = row->rights_base;
    entry.rights_inheriting = row->rights_inheriting;
    if (row->fd < MVVM_WASI_HIDDEN_FD && mvvm_wasi_fd_set(row->fd, &entry) != WASI_SUCCESS)
        return mvvm_wasi_no_memory;
    return NULL;
}

/* What is wrong with a file that should be opened again. */
static const char *file_message(const struct mvvm_wasi_row *row, uint32_t root, const char *what)
{
    return mvvm_wasi_message("descriptor %u: cannot open \"%s\" in the pre-opened directory \"%s\" "
                             "(the host's \"%s\"): %s",
                             row->fd, row->path, mvvm_wasi.roots[root].guest,
                             mvvm_wasi.roots[root].host, what);
}

static void before_effect(void)
{
    if (mvvm_wasi_settings.before_effect != NULL)
        mvvm_wasi_settings.before_effect();
}

/* Opens what is described, never emptying anything and creating only what was packed: a descriptor
 * or a negative errno. */
static int open_contents(const struct mvvm_wasi_row *row, const struct mvvm_os_open *how, int root,
                         struct mvvm_wasi_packed *packed)
{
    if (row->size == MVVM_WASI_REMOVED_SIZE)
        return packed == NULL ? -WASI_NOENT : mvvm_wasi_unpack_removed(packed, how, row->mtime_ns);
    int fd = mvvm_os_open_beneath(root, row->path, how);
    if (fd != -WASI_NOENT || packed == NULL)
        return fd;
    before_effect();
    int error = mvvm_wasi_unpack(packed, root, row->path, row->mtime_ns);
    return error != WASI_SUCCESS ? -error : mvvm_os_open_beneath(root, row->path, how);
}

/* What makes an open file another one than the snapshot's; else NULL. */
static const char *difference(const struct mvvm_wasi_row *row, int fd,
                              const struct mvvm_wasi_packed *packed)
{
    struct mvvm_os_stat stat;
    if (mvvm_os_stat(fd, &stat) < 0 || stat.filetype != row->filetype)
        return "it is now of another type";
    if (row->filetype != WASI_FILETYPE_REGULAR_FILE || row->size == MVVM_WASI_REMOVED_SIZE ||
        mvvm_wasi_settings.allow_changed_files ||
        (stat.size == row->size && stat.mtime_ns == row->mtime_ns))
        return NULL;
    if (packed != NULL && mvvm_wasi_has_contents(fd, packed))
        return NULL;
    return "it has changed since the snapshot was written; --allow-changed-files (or "
           "MVVM_ALLOW_CHANGED_FILES=1) goes on with it as it is";
}

static const char *open_file(const struct mvvm_wasi_row *row, uint32_t root,
                             struct mvvm_wasi_packed_files *files)
{
    struct mvvm_wasi_packed *packed = mvvm_wasi_find_packed(files, row->fd);
    const struct mvvm_os_open how = {
        .read = row->rights_base & WASI_RIGHT_FD_READ,
        .write = row->rights_base & WASI_RIGHT_FD_WRITE && row->kind == MVVM_WASI_FILE,
        .follow = true,
        .directory = row->kind == MVVM_WASI_DIRECTORY,
        .fdflags = row->flags,
    };
    int host_fd = open_contents(row, &how, mvvm_wasi.roots[root].host_fd, packed);
    bool gone = host_fd == -WASI_NOENT && mvvm_wasi_settings.allow_changed_files;
    if (host_fd == -WASI_NOENT && row->size == MVVM_WASI_REMOVED_SIZE && !gone)
        return file_message(row, root, "it had been removed when the snapshot was written");
    if (host_fd < 0 && !gone)
        return file_message(row, root, mvvm_wasi_error_text(-host_fd));
    struct mvvm_wasi_fd entry = {
        .kind = row->kind,
        .filetype = row->filetype,
        .flags = row->flags,
        .host_fd = gone ? -1 : host_fd,
        .rights_base = row->rights_base,
        .rights_inheriting = row->rights_inheriting,
        .root = root,
        .path = strdup(row->path),
    };
    const char *message = entry.path == NULL ? mvvm_wasi_no_memory : NULL;
    const char *other = gone || message != NULL ? NULL : difference(row, host_fd, packed);
    if (other != NULL)
        message = file_message(row, root, other);
    else if (message == NULL && !gone && row->filetype == WASI_FILETYPE_REGULAR_FILE &&
             mvvm_os_seek(host_fd, (int64_t)row->offset, WASI_WHENCE_SET) < 0)
        message = file_message(row, root, "its position cannot be set");
    else if (message == NULL && mvvm_wasi_fd_set(row->fd, &entry) != WASI_SUCCESS)
        message = mvvm_wasi_no_memory;
    if (message != NULL) {
        free(entry.path);
        mvvm_os_close(entry.host_fd);
    }
    return message;
}

/* A stream that was a file and is one again goes on at its position, if nobody has moved it: a
 * program's output that is added to a file stands behind what is there. */
static const char *open_stream(const struct mvvm_wasi_row *row)
{
    struct mvvm_os_stat stat;
    const int fd = (int)row->base_fd;
    if (mvvm_wasi_add_stream(row->fd, row->base_fd, row->flags) != WASI_SUCCESS)
        return mvvm_wasi_no_memory;
    if (row->filetype != WASI_FILETYPE_REGULAR_FILE || row->offset == 0 ||
        mvvm_os_stat(fd, &stat) < 0 || stat.filetype != WASI_FILETYPE_REGULAR_FILE ||
        mvvm_os_seek(fd, 0, WASI_WHENCE_CUR) != 0)
        return NULL;
    if (stat.size >= row->offset)
        mvvm_os_seek(fd, (int64_t)row->offset, WASI_WHENCE_SET);
    else if (fd == 0 && !mvvm_wasi_settings.allow_changed_files)
        return mvvm_wasi_message("standard input is a file of %llu bytes, of which %llu had been "
                                 "read; --allow-changed-files (or MVVM_ALLOW_CHANGED_FILES=1) "
                                 "reads it from its start",
                                 (unsigned long long)stat.size, (unsigned long long)row->offset);
    return NULL;
}

/* `listen` holds addresses to use instead of the snapshot's, for one socket after the other. */
static const char *open_socket(const struct mvvm_wasi_row *row, const char **listen)
{
    struct mvvm_wasi_fd entry = {
        .kind = row->kind,
        .filetype = row->filetype,
        .flags = row->flags,
        .host_fd = -1,
        .rights_base = row->rights_base,
        .rights_inheriting = row->rights_inheriting,
        .root = UINT32_MAX,
    };
    char address[MVVM_WASI_MAX_ADDRESS];
    if (row->kind == MVVM_WASI_CONNECTION)
        return mvvm_wasi_fd_set(row->fd, &entry) == WASI_SUCCESS ? NULL : mvvm_wasi_no_memory;
    before_effect();
    bool other = mvvm_wasi_next_address(listen, address);
    return mvvm_wasi_listen(row->fd, other ? address : row->host_path, &entry);
}

const char *mvvm_wasi_open_rows(const struct mvvm_wasi_rows *rows,
                                const struct mvvm_wasi_dirs *dirs,
                                struct mvvm_wasi_packed_files *files)
{
    const char *listen = mvvm_wasi_settings.listen;
    const char *message = check_dirs(rows, dirs);
    for (uint32_t i = 0; message == NULL && i < rows->count; i++)
        if (rows->items[i].kind == MVVM_WASI_PREOPEN)
            message = open_preopen(&rows->items[i], dirs);
    for (uint32_t i = 0; message == NULL && i < rows->count; i++) {
        const struct mvvm_wasi_row *row = &rows->items[i];
        if (row->kind == MVVM_WASI_STDIO) {
            message = open_stream(row);
        } else if (row->kind == MVVM_WASI_LISTENER || row->kind == MVVM_WASI_CONNECTION) {
            message = open_socket(row, &listen);
        } else if (row->kind != MVVM_WASI_PREOPEN) {
            uint32_t root = 0; /* roots were added in the order of the rows */
            const struct mvvm_wasi_row *other = rows->items;
            for (; other->fd != row->base_fd; other++)
                root += other->kind == MVVM_WASI_PREOPEN;
            message = open_file(row, root, files);
        }
    }
    if (message == NULL && listen != NULL && *listen != '\0')
        message = mvvm_wasi_message("MVVM_LISTEN: more addresses than the program that was saved "
                                    "has listening sockets: \"%.300s\"",
                                    listen);
    return message;
}
