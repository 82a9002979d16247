/* Contents of open files that travel in a snapshot: of files that were removed while they were
 * open, which cannot be opened anywhere again, and of all on request (--with-files).
 *
 * They stand behind the descriptors: u32 count (none: nothing at all); per file u32 number of
 * descriptors, the descriptors (ascending), u64 size, the bytes. */
#include <stdlib.h>

#include "mvvm_os.h"
#include "mvvm_wasi.h"
#include "wasi_state.h"

#define PIECE 65536u

/* -- Writing ------------------------------------------------------------------------------ */

struct open_file {
    uint32_t fd;
    uint64_t device, inode, size;
    bool written;
};

static bool is_packed(const struct mvvm_wasi_fd *entry, struct mvvm_os_stat *stat)
{
    return entry->kind == MVVM_WASI_FILE && entry->filetype == WASI_FILETYPE_REGULAR_FILE &&
           mvvm_os_stat(entry->host_fd, stat) == 0 &&
           (stat->links == 0 || mvvm_wasi_settings.with_files);
}

static bool is_same(const struct open_file *a, const struct open_file *b)
{
    return a->device == b->device && a->inode == b->inode;
}

static const char *write_contents(struct mvvm_writer *w, const struct open_file *file)
{
    static uint8_t piece[PIECE];
    const struct mvvm_os_open how = {.read = true};
    const int fd = mvvm_os_reopen(mvvm_wasi.fds[file->fd].host_fd, &how);
    uint64_t done = 0;
    int64_t size = fd;
    while (size >= 0 && done < file->size) {
        uint64_t left = file->size - done;
        const struct mvvm_os_iovec iovec = {piece, left < PIECE ? (size_t)left : PIECE};
        size = mvvm_os_read(fd, &iovec, 1, done);
        if (size == 0)
            size = -WASI_IO; /* it has become shorter */
        if (size > 0) {
            mvvm_write_bytes(w, piece, (size_t)size);
            done += (uint64_t)size;
        }
    }
    if (fd >= 0)
        mvvm_os_close(fd);
    if (size >= 0)
        return NULL;
    return mvvm_wasi_message("cannot read the open file \"%s\": %s",
                             mvvm_wasi.fds[file->fd].path, mvvm_wasi_error_text((int)-size));
}

/* One file with all of its descriptors, of which `files[0]` is the lowest. */
static const char *write_file(struct mvvm_writer *w, struct open_file *files, uint32_t count)
{
    uint32_t fd_count = 0;
    for (uint32_t i = 0; i < count; i++)
        fd_count += is_same(&files[0], &files[i]);
    mvvm_write_u32(w, fd_count);
    for (uint32_t i = 0; i < count; i++) {
        if (is_same(&files[0], &files[i])) {
            files[i].written = true;
            mvvm_write_u32(w, files[i].fd);
        }
    }
    mvvm_write_u64(w, files[0].size);
    return write_contents(w, &files[0]);
}

const char *mvvm_wasi_write_packed(struct mvvm_writer *w)
{
    uint32_t count = 0, different = 0;
    struct mvvm_os_stat stat;
    struct open_file *files = calloc((size_t)mvvm_wasi.fd_count + 1, sizeof *files);
    if (files == NULL)
        return mvvm_wasi_no_memory;
    for (uint32_t fd = 0; fd < mvvm_wasi.fd_count; fd++)
        if (is_packed(&mvvm_wasi.fds[fd], &stat))
            files[count++] = (struct open_file){fd, stat.device, stat.inode, stat.size, false};
    for (uint32_t i = 0; i < count; i++) {
        uint32_t first = 0;
        while (!is_same(&files[first], &files[i]))
            first++;
        different += first == i;
    }
    const char *message = NULL;
    if (different > 0)
        mvvm_write_u32(w, different);
    for (uint32_t i = 0; i < count && message == NULL; i++)
        if (!files[i].written)
            message = write_file(w, &files[i], count - i);
    free(files);
    return message;
}

/* -- Reading ------------------------------------------------------------------------------ */

static bool read_file(struct mvvm_reader *r, struct mvvm_wasi_packed *file)
{
    file->fd_count = mvvm_read_u32(r);
    if (r->failed || file->fd_count == 0 || file->fd_count > (size_t)(r->end - r->at) / 4)
        return false;
    file->fds = mvvm_read_bytes(r, 4 * (size_t)file->fd_count);
    for (uint32_t i = 1; i < file->fd_count; i++)
        if (mvvm_load32(file->fds + 4 * (size_t)i) <= mvvm_load32(file->fds + 4 * (size_t)i - 4))
            return false;
    file->size = mvvm_read_u64(r);
    if (r->failed || file->size > (size_t)(r->end - r->at))
        return false;
    file->bytes = mvvm_read_bytes(r, (size_t)file->size);
    return true;
}

bool mvvm_wasi_read_packed(struct mvvm_reader *r, struct mvvm_wasi_packed_files *files)
{
    *files = (struct mvvm_wasi_packed_files){0, NULL};
    if (r->failed || r->at == r->end)
        return !r->failed;
    uint32_t count = mvvm_read_u32(r);
    if (r->failed || count == 0 || count > (size_t)(r->end - r->at) / 16)
        return false;
    files->items = calloc(count, sizeof *files->items);
    if (files->items == NULL)
        return false;
    for (; files->count < count; files->count++) {
        files->items[files->count].scratch_fd = -1;
        if (!read_file(r, &files->items[files->count]))
            return false;
    }
    return true;
}

void mvvm_wasi_packed_free(struct mvvm_wasi_packed_files *files)
{
    for (uint32_t i = 0; i < files->count; i++)
        if (files->items[i].scratch_fd >= 0)
            mvvm_os_close(files->items[i].scratch_fd);
    free(files->items);
}

struct mvvm_wasi_packed *mvvm_wasi_find_packed(struct mvvm_wasi_packed_files *files, uint32_t fd)
{
    for (uint32_t i = 0; i < files->count; i++)
        for (uint32_t k = 0; k < files->items[i].fd_count; k++)
            if (mvvm_load32(files->items[i].fds + 4 * (size_t)k) == fd)
                return &files->items[i];
    return NULL;
}

/* -- Unpacking ---------------------------------------------------------------------------- */

static int fill(int fd, const struct mvvm_wasi_packed *file, uint64_t mtime_ns)
{
    uint64_t done = 0;
    while (done < file->size) {
        const struct mvvm_os_iovec iovec = {(void *)(uintptr_t)(file->bytes + done),
                                            (size_t)(file->size - done)};
        int64_t size = mvvm_os_write(fd, &iovec, 1, done);
        if (size == 0)
            return WASI_IO;
        if (size < 0 && size != -WASI_INTR)
            return (int)-size;
        done += size > 0 ? (uint64_t)size : 0;
    }
    const struct mvvm_os_times times = {.mtime_ns = mtime_ns, .flags = WASI_FST_MTIM};
    return -mvvm_os_set_times(fd, &times);
}

int mvvm_wasi_unpack_removed(struct mvvm_wasi_packed *file, const struct mvvm_os_open *how,
                             uint64_t mtime_ns)
{
    if (file->scratch_fd < 0) {
        file->scratch_fd = mvvm_os_scratch_file();
        if (file->scratch_fd < 0)
            return file->scratch_fd;
        int error = fill(file->scratch_fd, file, mtime_ns);
        if (error != WASI_SUCCESS)
            return -error;
    }
    return mvvm_os_reopen(file->scratch_fd, how);
}

/* Beside its place, then renamed. */
int mvvm_wasi_unpack(const struct mvvm_wasi_packed *file, int root, const char *path,
                     uint64_t mtime_ns)
{
    char scratch[MVVM_WASI_MAX_PATH + 40];
    const struct mvvm_os_open how = {.write = true, .create = true, .exclusive = true};
    for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        snprintf(scratch, sizeof scratch, "%.*s", (int)(slash - path), path);
        int result = mvvm_os_mkdir_beneath(root, scratch);
        if (result < 0 && result != -WASI_EXIST)
            return -result;
    }
    snprintf(scratch, sizeof scratch, "%s.%llx.unpacking", path,
             (unsigned long long)mvvm_os_realtime_ns()); /* nobody else's: else it is not made */
    int fd = mvvm_os_open_beneath(root, scratch, &how);
    if (fd < 0)
        return -fd;
    int error = fill(fd, file, mtime_ns);
    mvvm_os_close(fd);
    if (error == WASI_SUCCESS)
        error = -mvvm_os_rename_beneath(root, scratch, root, path);
    if (error != WASI_SUCCESS)
        mvvm_os_remove_beneath(root, scratch, false);
    return error;
}

bool mvvm_wasi_has_contents(int fd, const struct mvvm_wasi_packed *file)
{
    static uint8_t piece[PIECE];
    const struct mvvm_os_open how = {.read = true};
    int own = mvvm_os_reopen(fd, &how);
    uint64_t done = 0;
    int64_t size = own;
    while (size >= 0) {
        const struct mvvm_os_iovec iovec = {piece, PIECE};
        size = mvvm_os_read(own, &iovec, 1, done);
        if (size <= 0 || (uint64_t)size > file->size - done ||
            memcmp(piece, file->bytes + done, (size_t)size) != 0)
            break;
        done += (uint64_t)size;
    }
    if (own >= 0)
        mvvm_os_close(own);
    return size == 0 && done == file->size;
}
