/* The WASI section of a snapshot (docs/internals.md, section 4): written, and read on another
 * machine.
 *
 * Reading checks the whole section before anything is opened. */
#include <stdlib.h>

#include "mvvm_os.h"
#include "mvvm_wasi.h"
#include "wasi_state.h"

#define HIDDEN_FD 0x80000000u /* plus a root's number: a pre-open that the guest has closed */
#define NO_FD 0xFFFFFFFFu
#define REMOVED_SIZE UINT64_MAX
#define MIN_ROW_SIZE 60u

/* One descriptor of the section. */
struct row {
    uint32_t fd;
    uint8_t kind, filetype;
    uint16_t flags;
    uint64_t rights_base, rights_inheriting, offset;
    uint32_t base_fd;
    uint64_t size, mtime_ns;
    char *path, *host_path;
};

struct rows {
    uint32_t count;
    struct row *items;
};

/* -- Writing ------------------------------------------------------------------------------ */

static void write_strings(struct mvvm_writer *w, const struct mvvm_wasi_strings *strings)
{
    mvvm_write_u32(w, strings->count);
    for (uint32_t i = 0; i < strings->count; i++)
        mvvm_write_str(w, strings->items[i], strlen(strings->items[i]));
}

static void write_row(struct mvvm_writer *w, const struct row *row)
{
    mvvm_write_u32(w, row->fd);
    mvvm_write_u8(w, row->kind);
    mvvm_write_u8(w, row->filetype);
    mvvm_write_u16(w, row->flags);
    mvvm_write_u64(w, row->rights_base);
    mvvm_write_u64(w, row->rights_inheriting);
    mvvm_write_u64(w, row->offset);
    mvvm_write_u32(w, row->base_fd);
    mvvm_write_u64(w, row->size);
    mvvm_write_u64(w, row->mtime_ns);
    mvvm_write_str(w, row->path, strlen(row->path));
    mvvm_write_str(w, row->host_path, strlen(row->host_path));
}

/* The descriptor of a root's pre-open, or its hidden number. */
static uint32_t root_fd(uint32_t root)
{
    for (uint32_t fd = 0; fd < mvvm_wasi.fd_count; fd++)
        if (mvvm_wasi.fds[fd].kind == MVVM_WASI_PREOPEN && mvvm_wasi.fds[fd].root == root)
            return fd;
    return HIDDEN_FD + root;
}

/* A directory or file: where it is now, rather than where it was opened. */
static void write_opened(struct mvvm_writer *w, struct row *row, const struct mvvm_wasi_fd *entry)
{
    char path[MVVM_WASI_MAX_PATH];
    struct mvvm_os_stat stat;
    row->base_fd = root_fd(entry->root);
    row->path = entry->path;
    int root = mvvm_wasi.roots[entry->root].host_fd;
    if (mvvm_os_path_beneath(root, entry->host_fd, path, sizeof path) &&
        mvvm_wasi_utf8((const uint8_t *)path, strlen(path)))
        row->path = path;
    if (entry->host_fd < 0)
        row->size = REMOVED_SIZE; /* it was not there at the last resume */
    else if (mvvm_os_stat(entry->host_fd, &stat) == 0) {
        if (entry->filetype == WASI_FILETYPE_REGULAR_FILE) {
            int64_t position = mvvm_os_seek(entry->host_fd, 0, WASI_WHENCE_CUR);
            row->offset = position < 0 ? 0 : (uint64_t)position;
            row->size = stat.size;
            row->mtime_ns = stat.mtime_ns;
        }
        if (stat.links == 0)
            row->size = REMOVED_SIZE;
    }
    write_row(w, row);
}

static void write_entry(struct mvvm_writer *w, uint32_t fd, const struct mvvm_wasi_fd *entry)
{
    static char empty[] = "";
    struct row row = {
        .fd = fd,
        .kind = entry->kind,
        .filetype = entry->filetype,
        .flags = entry->flags,
        .rights_base = entry->rights_base,
        .rights_inheriting = entry->rights_inheriting,
        .base_fd = NO_FD,
        .path = empty,
        .host_path = empty,
    };
    if (entry->kind == MVVM_WASI_STDIO) {
        row.base_fd = (uint32_t)entry->host_fd;
        if (entry->filetype == WASI_FILETYPE_REGULAR_FILE) {
            /* How much was read or written; not used when it is loaded. */
            int64_t position = mvvm_os_seek(entry->host_fd, 0, WASI_WHENCE_CUR);
            row.offset = position < 0 ? 0 : (uint64_t)position;
        }
        write_row(w, &row);
    } else if (entry->kind == MVVM_WASI_PREOPEN) {
        row.path = mvvm_wasi.roots[entry->root].guest;
        row.host_path = mvvm_wasi.roots[entry->root].host;
        write_row(w, &row);
    } else if (entry->kind == MVVM_WASI_LISTENER) {
        row.host_path = entry->path;
        write_row(w, &row);
    } else if (entry->kind == MVVM_WASI_CONNECTION) {
        write_row(w, &row);
    } else {
        write_opened(w, &row, entry);
    }
}

static bool is_hidden_and_used(uint32_t root)
{
    if (root_fd(root) < HIDDEN_FD)
        return false;
    for (uint32_t fd = 0; fd < mvvm_wasi.fd_count; fd++)
        if (mvvm_wasi.fds[fd].kind != MVVM_WASI_FREE && mvvm_wasi.fds[fd].root == root)
            return true;
    return false;
}

/* An accepted connection, if none is to be lost; else NULL. */
static const char *refusal(void)
{
    for (uint32_t fd = 0; fd < mvvm_wasi.fd_count; fd++)
        if (mvvm_wasi_settings.refuse_connections && mvvm_wasi.fds[fd].host_fd >= 0 &&
            mvvm_wasi.fds[fd].kind == MVVM_WASI_CONNECTION)
            return mvvm_wasi_message("descriptor %u is a connection, which cannot move "
                                     "(--on-socket reset would end it at the resume)",
                                     fd);
    return NULL;
}

const char *mvvm_wasi_save(struct mvvm_writer *w)
{
    const char *message = refusal();
    if (message != NULL)
        return message;
    write_strings(w, &mvvm_wasi.args);
    write_strings(w, &mvvm_wasi.env);
    mvvm_write_u64(w, mvvm_wasi_now());
    mvvm_write_u64(w, mvvm_os_realtime_ns());
    mvvm_write_u64(w, mvvm_os_process_cpu_ns() + mvvm_wasi.cpu_offset);
    mvvm_write_u8(w, mvvm_wasi.has_poll_start);
    mvvm_write_u64(w, mvvm_wasi.has_poll_start ? mvvm_wasi.poll_start : 0);
    uint32_t count = 0;
    for (uint32_t fd = 0; fd < mvvm_wasi.fd_count; fd++)
        count += mvvm_wasi.fds[fd].kind != MVVM_WASI_FREE;
    for (uint32_t root = 0; root < mvvm_wasi.root_count; root++)
        count += is_hidden_and_used(root);
    mvvm_write_u32(w, count);
    for (uint32_t fd = 0; fd < mvvm_wasi.fd_count; fd++)
        if (mvvm_wasi.fds[fd].kind != MVVM_WASI_FREE)
            write_entry(w, fd, &mvvm_wasi.fds[fd]);
    for (uint32_t root = 0; root < mvvm_wasi.root_count; root++) {
        struct mvvm_wasi_fd hidden = mvvm_wasi_preopen(root);
        if (is_hidden_and_used(root))
            write_entry(w, HIDDEN_FD + root, &hidden);
    }
    return mvvm_wasi_write_packed(w);
}

/* -- Reading ------------------------------------------------------------------------------ */

/* A copy with a NUL behind it; NULL: malformed or no memory. */
static char *read_text(struct mvvm_reader *r)
{
    size_t size;
    const char *bytes = mvvm_read_str(r, &size);
    if (bytes == NULL || memchr(bytes, 0, size) != NULL)
        return NULL;
    return strndup(bytes, size);
}

static bool read_strings(struct mvvm_reader *r, struct mvvm_wasi_strings *strings)
{
    uint32_t count = mvvm_read_u32(r);
    *strings = (struct mvvm_wasi_strings){0, NULL};
    if (r->failed || count > (size_t)(r->end - r->at) / 4)
        return false;
    strings->items = calloc((size_t)count + 1, sizeof *strings->items);
    for (; strings->items != NULL && strings->count < count; strings->count++) {
        strings->items[strings->count] = read_text(r);
        if (strings->items[strings->count] == NULL)
            return false;
    }
    return strings->items != NULL;
}

static bool read_clocks(struct mvvm_reader *r)
{
    uint64_t monotonic = mvvm_read_u64(r);
    mvvm_read_u64(r); /* the real time is the host's */
    uint64_t cpu = mvvm_read_u64(r);
    uint8_t has_poll_start = mvvm_read_u8(r);
    uint64_t poll_start = mvvm_read_u64(r);
    if (r->failed || monotonic > INT64_MAX || cpu > INT64_MAX || has_poll_start > 1 ||
        poll_start > (has_poll_start ? monotonic : 0))
        return false;
    mvvm_wasi.monotonic_offset = monotonic - mvvm_os_monotonic_ns();
    mvvm_wasi.cpu_offset = cpu - mvvm_os_process_cpu_ns();
    mvvm_wasi.has_poll_start = has_poll_start;
    mvvm_wasi.poll_start = poll_start;
    return true;
}

static bool read_row(struct mvvm_reader *r, struct row *row)
{
    row->fd = mvvm_read_u32(r);
    row->kind = mvvm_read_u8(r);
    row->filetype = mvvm_read_u8(r);
    row->flags = mvvm_read_u16(r);
    row->rights_base = mvvm_read_u64(r);
    row->rights_inheriting = mvvm_read_u64(r);
    row->offset = mvvm_read_u64(r);
    row->base_fd = mvvm_read_u32(r);
    row->size = mvvm_read_u64(r);
    row->mtime_ns = mvvm_read_u64(r);
    row->path = read_text(r);
    row->host_path = row->path == NULL ? NULL : read_text(r);
    return row->host_path != NULL && !r->failed;
}

static bool read_rows(struct mvvm_reader *r, struct rows *rows)
{
    uint32_t count = mvvm_read_u32(r);
    if (r->failed || count > (size_t)(r->end - r->at) / MIN_ROW_SIZE)
        return false;
    rows->items = calloc((size_t)count + 1, sizeof *rows->items);
    if (rows->items == NULL)
        return false;
    while (rows->count < count)
        if (!read_row(r, &rows->items[rows->count++]))
            return false;
    return true;
}

/* -- Checking ----------------------------------------------------------------------------- */

static const struct row *find_preopen(const struct rows *rows, uint32_t fd)
{
    for (uint32_t i = 0; i < rows->count; i++)
        if (rows->items[i].fd == fd)
            return rows->items[i].kind == MVVM_WASI_PREOPEN ? &rows->items[i] : NULL;
    return NULL;
}

static bool is_path(const char *path)
{
    size_t size = strlen(path);
    return size > 0 && size < MVVM_WASI_MAX_PATH && mvvm_wasi_utf8((const uint8_t *)path, size);
}

static bool row_is_sound(const struct rows *rows, const struct row *row)
{
    bool directory = row->filetype == WASI_FILETYPE_DIRECTORY;
    if (row->fd >= MVVM_WASI_MAX_FDS && !(row->kind == MVVM_WASI_PREOPEN && row->fd >= HIDDEN_FD))
        return false;
    if (row->filetype > WASI_FILETYPE_SYMBOLIC_LINK || row->flags & ~WASI_FDFLAG_ALL ||
        row->offset > INT64_MAX || (row->rights_base | row->rights_inheriting) & ~WASI_RIGHTS_ALL)
        return false;
    switch (row->kind) {
    case MVVM_WASI_STDIO:
        return row->base_fd <= 2 && *row->path == '\0' && *row->host_path == '\0';
    case MVVM_WASI_PREOPEN:
        return directory && row->base_fd == NO_FD && is_path(row->path) &&
               *row->host_path != '\0' && strlen(row->host_path) < MVVM_WASI_MAX_PATH;
    case MVVM_WASI_DIRECTORY:
    case MVVM_WASI_FILE:
        return directory == (row->kind == MVVM_WASI_DIRECTORY) && is_path(row->path) &&
               *row->path != '/' && *row->host_path == '\0' &&
               find_preopen(rows, row->base_fd) != NULL;
    case MVVM_WASI_LISTENER:
    case MVVM_WASI_CONNECTION:
        return row->filetype == WASI_FILETYPE_SOCKET_STREAM && row->base_fd == NO_FD &&
               *row->path == '\0' && strlen(row->host_path) < MVVM_WASI_MAX_ADDRESS &&
               (row->kind == MVVM_WASI_LISTENER) == (*row->host_path != '\0');
    default: return false;
    }
}

static bool rows_are_sound(const struct rows *rows)
{
    for (uint32_t i = 0; i < rows->count; i++) {
        if (i > 0 && rows->items[i].fd <= rows->items[i - 1].fd)
            return false;
        if (!row_is_sound(rows, &rows->items[i]))
            return false;
    }
    return true;
}

/* -- Opening ------------------------------------------------------------------------------ */

/* `dirs` must name pre-opens that there are. */
static const char *check_dirs(const struct rows *rows, const struct mvvm_wasi_dirs *dirs)
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

static const char *open_preopen(const struct row *row, const struct mvvm_wasi_dirs *dirs)
{
    const char *host = row->host_path;
    for (uint32_t i = 0; i < dirs->count; i++)
        if (strcmp(dirs->items[i].guest, row->path) == 0)
            host = dirs->items[i].host;
    int host_fd = mvvm_os_open_directory(host);
    if (host_fd < 0)
        return mvvm_wasi_message("pre-opened directory \"%s\": cannot open the host's \"%s\": %s; "
                                 "give another as --dir HOST::%s or MVVM_DIRS=HOST::%s",
                                 row->path, host, mvvm_wasi_error_text(-host_fd), row->path, row->path);
    struct mvvm_wasi_fd entry = mvvm_wasi_preopen(mvvm_wasi_root_add(row->path, host, host_fd));
    if (entry.root == UINT32_MAX)
        return mvvm_wasi_no_memory;
    entry.flags = row->flags;
    entry.rights_base = row->rights_base;
    entry.rights_inheriting = row->rights_inheriting;
    if (row->fd < HIDDEN_FD && mvvm_wasi_fd_set(row->fd, &entry) != WASI_SUCCESS)
        return mvvm_wasi_no_memory;
    return NULL;
}

/* What is wrong with a file that should be opened again. */
static const char *file_message(const struct row *row, uint32_t root, const char *what)
{
    return mvvm_wasi_message("descriptor %u: cannot open \"%s\" in the pre-opened directory \"%s\" "
                             "(the host's \"%s\"): %s",
                             row->fd, row->path, mvvm_wasi.roots[root].guest,
                             mvvm_wasi.roots[root].host, what);
}

/* Opens what is described, never emptying anything and creating only what was packed: a descriptor
 * or a negative errno. */
static int open_contents(const struct row *row, const struct mvvm_os_open *how, int root,
                         struct mvvm_wasi_packed *packed)
{
    if (row->size == REMOVED_SIZE)
        return packed == NULL ? -WASI_NOENT : mvvm_wasi_unpack_removed(packed, how, row->mtime_ns);
    int fd = mvvm_os_open_beneath(root, row->path, how);
    if (fd != -WASI_NOENT || packed == NULL)
        return fd;
    int error = mvvm_wasi_unpack(packed, root, row->path, row->mtime_ns);
    return error != WASI_SUCCESS ? -error : mvvm_os_open_beneath(root, row->path, how);
}

/* What makes an open file another one than the snapshot's; else NULL. */
static const char *difference(const struct row *row, int fd, const struct mvvm_wasi_packed *packed)
{
    struct mvvm_os_stat stat;
    if (mvvm_os_stat(fd, &stat) < 0 || stat.filetype != row->filetype)
        return "it is now of another type";
    if (row->filetype != WASI_FILETYPE_REGULAR_FILE || row->size == REMOVED_SIZE ||
        mvvm_wasi_settings.allow_changed_files ||
        (stat.size == row->size && stat.mtime_ns == row->mtime_ns))
        return NULL;
    if (packed != NULL && mvvm_wasi_has_contents(fd, packed))
        return NULL;
    return "it has changed since the snapshot was written; --allow-changed-files (or "
           "MVVM_ALLOW_CHANGED_FILES=1) goes on with it as it is";
}

static const char *open_file(const struct row *row, uint32_t root,
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
    if (host_fd == -WASI_NOENT && row->size == REMOVED_SIZE && !gone)
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
static const char *open_stream(const struct row *row)
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
static const char *open_socket(const struct row *row, const char **listen)
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
    bool other = mvvm_wasi_next_address(listen, address);
    return mvvm_wasi_listen(row->fd, other ? address : row->host_path, &entry);
}

static const char *open_rows(const struct rows *rows, const struct mvvm_wasi_dirs *dirs,
                             struct mvvm_wasi_packed_files *files)
{
    const char *listen = mvvm_wasi_settings.listen;
    const char *message = check_dirs(rows, dirs);
    for (uint32_t i = 0; message == NULL && i < rows->count; i++)
        if (rows->items[i].kind == MVVM_WASI_PREOPEN)
            message = open_preopen(&rows->items[i], dirs);
    for (uint32_t i = 0; message == NULL && i < rows->count; i++) {
        const struct row *row = &rows->items[i];
        if (row->kind == MVVM_WASI_STDIO) {
            message = open_stream(row);
        } else if (row->kind == MVVM_WASI_LISTENER || row->kind == MVVM_WASI_CONNECTION) {
            message = open_socket(row, &listen);
        } else if (row->kind != MVVM_WASI_PREOPEN) {
            uint32_t root = 0; /* roots were added in the order of the rows */
            for (const struct row *other = rows->items; other->fd != row->base_fd; other++)
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

/* The files that were packed belong to rows of regular files. */
static bool packed_are_sound(const struct rows *rows, struct mvvm_wasi_packed_files *files)
{
    uint64_t expected = 0, found = 0;
    for (uint32_t i = 0; i < files->count; i++)
        expected += files->items[i].fd_count;
    for (uint32_t i = 0; i < rows->count; i++)
        found += rows->items[i].kind == MVVM_WASI_FILE &&
                 rows->items[i].filetype == WASI_FILETYPE_REGULAR_FILE &&
                 mvvm_wasi_find_packed(files, rows->items[i].fd) != NULL;
    return expected == found;
}

const char *mvvm_wasi_load(struct mvvm_reader *r, const char *dirs, bool *bad_snapshot)
{
    struct rows rows = {0, NULL};
    struct mvvm_wasi_packed_files files = {0, NULL};
    struct mvvm_wasi_dirs parsed = {0, NULL};
    mvvm_os_prepare_streams();
    *bad_snapshot = !read_strings(r, &mvvm_wasi.args) || !read_strings(r, &mvvm_wasi.env) ||
                    !read_clocks(r) || !read_rows(r, &rows) || !mvvm_wasi_read_packed(r, &files) ||
                    r->at != r->end || !rows_are_sound(&rows) || !packed_are_sound(&rows, &files);
    const char *message = "the WASI section is malformed";
    if (!*bad_snapshot)
        message = mvvm_wasi_dirs_parse(dirs, &parsed);
    if (message == NULL)
        message = open_rows(&rows, &parsed, &files);
    mvvm_wasi_dirs_free(&parsed);
    mvvm_wasi_packed_free(&files);
    for (uint32_t i = 0; i < rows.count; i++) {
        free(rows.items[i].path);
        free(rows.items[i].host_path);
    }
    free(rows.items);
    return message;
}
