/* The WASI section of a snapshot (docs/internals.md, section 4): written, and read on another
 * machine.
 *
 * Reading checks the whole section before anything is opened (wasi_reopen.c). */
#include <stdlib.h>

#include "mvvm_os.h"
#include "mvvm_wasi.h"
#include "wasi_state.h"

#define NO_FD 0xFFFFFFFFu
#define MIN_ROW_SIZE 60u

/* -- Writing ------------------------------------------------------------------------------ */

static void write_strings(struct mvvm_writer *w, const struct mvvm_wasi_strings *strings)
{
    mvvm_write_u32(w, strings->count);
    for (uint32_t i = 0; i < strings->count; i++)
        mvvm_write_str(w, strings->items[i], strlen(strings->items[i]));
}

static void write_row(struct mvvm_writer *w, const struct mvvm_wasi_row *row)
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
    return MVVM_WASI_HIDDEN_FD + root;
}

/* A directory or file: where it is now, rather than where it was opened. */
static void write_opened(struct mvvm_writer *w, struct mvvm_wasi_row *row,
                         const struct mvvm_wasi_fd *entry)
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
        row->size = MVVM_WASI_REMOVED_SIZE; /* it was not there at the last resume */
    else if (mvvm_os_stat(entry->host_fd, &stat) == 0) {
        if (entry->filetype == WASI_FILETYPE_REGULAR_FILE) {
            int64_t position = mvvm_os_seek(entry->host_fd, 0, WASI_WHENCE_CUR);
            row->offset = position < 0 ? 0 : (uint64_t)position;
            row->size = stat.size;
            row->mtime_ns = stat.mtime_ns;
        }
        if (stat.links == 0)
            row->size = MVVM_WASI_REMOVED_SIZE;
    }
    write_row(w, row);
}

static void write_entry(struct mvvm_writer *w, uint32_t fd, const struct mvvm_wasi_fd *entry)
{
    static char empty[] = "";
    struct mvvm_wasi_row row = {
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
    if (root_fd(root) < MVVM_WASI_HIDDEN_FD)
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
    mvvm_write_u64(w, mvvm_os_guest_cpu_ns() + mvvm_wasi.cpu_offset);
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
            write_entry(w, MVVM_WASI_HIDDEN_FD + root, &hidden);
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
    mvvm_wasi.cpu_offset = cpu - mvvm_os_guest_cpu_ns();
    mvvm_wasi.has_poll_start = has_poll_start;
    mvvm_wasi.poll_start = poll_start;
    return true;
}

static bool read_row(struct mvvm_reader *r, struct mvvm_wasi_row *row)
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

static bool read_rows(struct mvvm_reader *r, struct mvvm_wasi_rows *rows)
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

static const struct mvvm_wasi_row *find_preopen(const struct mvvm_wasi_rows *rows, uint32_t fd)
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

static bool row_is_sound(const struct mvvm_wasi_rows *rows, const struct mvvm_wasi_row *row)
{
    bool directory = row->filetype == WASI_FILETYPE_DIRECTORY;
    bool hidden = row->kind == MVVM_WASI_PREOPEN && row->fd >= MVVM_WASI_HIDDEN_FD;
    if (row->fd >= MVVM_WASI_MAX_FDS && !hidden)
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

static bool rows_are_sound(const struct mvvm_wasi_rows *rows)
{
    for (uint32_t i = 0; i < rows->count; i++) {
        if (i > 0 && rows->items[i].fd <= rows->items[i - 1].fd)
            return false;
        if (!row_is_sound(rows, &rows->items[i]))
            return false;
    }
    return true;
}

/* -- Loading ------------------------------------------------------------------------------ */

/* The files that were packed belong to rows of regular files. */
static bool packed_are_sound(const struct mvvm_wasi_rows *rows,
                             struct mvvm_wasi_packed_files *files)
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
    struct mvvm_wasi_rows rows = {0, NULL};
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
        message = mvvm_wasi_open_rows(&rows, &parsed, &files);
    mvvm_wasi_dirs_free(&parsed);
    mvvm_wasi_packed_free(&files);
    for (uint32_t i = 0; i < rows.count; i++) {
        free(rows.items[i].path);
        free(rows.items[i].host_path);
    }
    free(rows.items);
    return message;
}
