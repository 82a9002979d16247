/* The functions on paths, all confined to the directory that their descriptor names. */
#include <stdlib.h>

#include "mvvm_os.h"
#include "mvvm_wasi.h"

/* -- Paths of the guest ------------------------------------------------------------------- */

bool mvvm_wasi_utf8(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size;) {
        uint8_t lead = bytes[i];
        size_t more = lead < 0x80 ? 0 : lead >= 0xC2 && lead < 0xE0 ? 1 : (lead & 0xF0) == 0xE0 ? 2
                    : lead >= 0xF0 && lead < 0xF5 ? 3 : SIZE_MAX;
        if (more == SIZE_MAX || more >= size - i)
            return false;
        for (size_t k = 1; k <= more; k++)
            if ((bytes[i + k] & 0xC0) != 0x80)
                return false;
        uint8_t second = more > 0 ? bytes[i + 1] : 0;
        if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
            (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F))
            return false; /* too long, a surrogate, beyond U+10FFFF */
        i += more + 1;
    }
    return true;
}

int mvvm_wasi_guest_path(const struct mvvm_instance *instance, uint32_t address, uint32_t size,
                         char path[MVVM_WASI_MAX_PATH])
{
    const uint8_t *bytes = mvvm_guest(instance, address, size);
    if (bytes == NULL)
        return WASI_FAULT;
    if (!mvvm_wasi_utf8(bytes, size))
        return WASI_ILSEQ;
    if (memchr(bytes, 0, size) != NULL)
        return WASI_INVAL;
    if (size == 0)
        return WASI_NOENT;
    if (size >= MVVM_WASI_MAX_PATH)
        return WASI_NAMETOOLONG;
    memcpy(path, bytes, size);
    path[size] = '\0';
    return WASI_SUCCESS;
}

struct mvvm_wasi_fd *mvvm_wasi_directory(uint32_t fd)
{
    struct mvvm_wasi_fd *entry = mvvm_wasi_fd(fd);
    return entry != NULL && entry->filetype == WASI_FILETYPE_DIRECTORY ? entry : NULL;
}

int mvvm_wasi_where(const struct mvvm_instance *instance, const uint64_t *args, unsigned fd_arg,
                    unsigned path_arg, uint64_t rights, struct mvvm_wasi_where *where)
{
    const uint32_t fd = mvvm_arg32(args, fd_arg);
    where->dir = mvvm_wasi_directory(fd);
    if (where->dir == NULL) {
        const struct mvvm_wasi_fd *other = mvvm_wasi_fd(fd);
        return other == NULL || other->kind == MVVM_WASI_STDIO ? WASI_BADF : WASI_NOTDIR;
    }
    if (mvvm_wasi_lacks(where->dir, rights))
        return WASI_NOTCAPABLE;
    return mvvm_wasi_guest_path(instance, mvvm_arg32(args, path_arg),
                                mvvm_arg32(args, path_arg + 1), where->path);
}

/* -- path_open ---------------------------------------------------------------------------- */

/* Fails with WASI_NXIO as long as nobody reads a pipe that is opened for writing: without
 * nonblock that is waited for. */
static int open_waiting(const struct mvvm_wasi_where *where, const struct mvvm_os_open *how)
{
    const uint64_t pause = 10000000;
    for (;;) {
        int fd = mvvm_os_open_beneath(where->dir->host_fd, where->path, how);
        struct mvvm_os_stat stat;
        if (fd != -WASI_NXIO || how->fdflags & WASI_FDFLAG_NONBLOCK ||
            mvvm_os_stat_beneath(where->dir->host_fd, where->path, how->follow, &stat) < 0 ||
            stat.filetype != WASI_FILETYPE_UNKNOWN)
            return fd;
        if (mvvm_os_poll(NULL, 0, mvvm_os_monotonic_ns() + pause) == MVVM_OS_INTERRUPTED)
            return -WASI_INTERRUPTED;
    }
}

/* The path relative to the pre-open, as far as it is known: the directory's, then this one. */
static int join_path(const struct mvvm_wasi_where *where, char **joined)
{
    const char *base = where->dir->path == NULL ? "" : where->dir->path;
    const char *separator = *base == '\0' ? "" : "/";
    size_t size = strlen(base) + strlen(separator) + strlen(where->path) + 1;
    *joined = NULL;
    if (size > MVVM_WASI_MAX_PATH)
        return WASI_NAMETOOLONG;
    *joined = malloc(size);
    if (*joined == NULL)
        return WASI_NOMEM;
    strcpy(*joined, base);
    strcat(*joined, separator);
    strcat(*joined, where->path);
    return WASI_SUCCESS;
}

static uint64_t rights_to_open(uint32_t oflags)
{
    return WASI_RIGHT_PATH_OPEN | (oflags & WASI_OFLAG_CREAT ? WASI_RIGHT_PATH_CREATE_FILE : 0) |
           (oflags & WASI_OFLAG_TRUNC ? WASI_RIGHT_PATH_FILESTAT_SET_SIZE : 0);
}

/* Makes the entry of a file that has just been opened and puts it into the table. Reading and writing
 * are allowed if they were asked for, all else if the directory passes it on: a guest that asks for
 * less may still do it, as under wasmtime, until it gives rights up. */
static int add_opened(const struct mvvm_wasi_where *where, int host_fd, uint16_t flags,
                      uint64_t base, uint32_t *fd)
{
    const uint64_t only_if_asked = WASI_RIGHT_FD_READ | WASI_RIGHT_FD_WRITE;
    const uint64_t passed_on = where->dir->rights_inheriting;
    struct mvvm_os_stat stat;
    struct mvvm_wasi_fd entry = {
        .kind = MVVM_WASI_FILE, .flags = flags, .host_fd = host_fd, .root = where->dir->root};
    int error = -mvvm_os_stat(host_fd, &stat);
    if (error == WASI_SUCCESS)
        error = join_path(where, &entry.path);
    if (error == WASI_SUCCESS) {
        bool directory = stat.filetype == WASI_FILETYPE_DIRECTORY;
        entry.filetype = stat.filetype;
        entry.kind = directory ? MVVM_WASI_DIRECTORY : MVVM_WASI_FILE;
        entry.rights_base = (base | ~only_if_asked) & passed_on &
                            (directory ? WASI_RIGHTS_DIRECTORY : WASI_RIGHTS_FILE);
        entry.rights_inheriting = directory ? passed_on : 0;
        error = mvvm_wasi_fd_add(&entry, fd);
    }
    if (error != WASI_SUCCESS) {
        free(entry.path);
        mvvm_os_close(host_fd);
    }
    return error;
}

int mvvm_wasi_path_open(struct mvvm_instance *instance, const uint64_t *args)
{
    struct mvvm_wasi_where where;
    uint32_t oflags = mvvm_arg32(args, 4), fdflags = mvvm_arg32(args, 7), fd;
    uint64_t base = mvvm_arg64(args, 5);
    void *out = mvvm_guest(instance, mvvm_arg32(args, 8), 4);
    int error = mvvm_wasi_where(instance, args, 0, 2, rights_to_open(oflags), &where);
    if (error != WASI_SUCCESS)
        return error;
    if (out == NULL)
        return WASI_FAULT;
    if (oflags & ~(uint32_t)WASI_OFLAG_ALL || fdflags & ~(uint32_t)WASI_FDFLAG_ALL)
        return WASI_INVAL;
    struct mvvm_os_open how = {
        .read = base & WASI_RIGHT_FD_READ,
        .write = base & WASI_RIGHT_FD_WRITE,
        .follow = mvvm_arg32(args, 1) & WASI_LOOKUP_FOLLOW,
        .create = oflags & WASI_OFLAG_CREAT,
        .exclusive = oflags & WASI_OFLAG_EXCL,
        .truncate = oflags & WASI_OFLAG_TRUNC,
        .directory = oflags & WASI_OFLAG_DIRECTORY,
        .fdflags = fdflags,
    };
    if (base & (WASI_RIGHTS_FILE | WASI_RIGHTS_DIRECTORY) & ~where.dir->rights_inheriting)
        return WASI_NOTCAPABLE;
    if (how.directory && (how.create || how.exclusive || how.truncate))
        return WASI_INVAL;
    int host_fd = open_waiting(&where, &how);
    if (host_fd < 0)
        return -host_fd;
    error = add_opened(&where, host_fd, (uint16_t)fdflags, base, &fd);
    if (error == WASI_SUCCESS)
        mvvm_store32(out, fd);
    return error;
}

/* -- Names -------------------------------------------------------------------------------- */

int mvvm_wasi_path_create_directory(struct mvvm_instance *instance, const uint64_t *args)
{
    struct mvvm_wasi_where where;
    int error = mvvm_wasi_where(instance, args, 0, 1, WASI_RIGHT_PATH_CREATE_DIRECTORY, &where);
    return error != WASI_SUCCESS ? error : -mvvm_os_mkdir_beneath(where.dir->host_fd, where.path);
}

int mvvm_wasi_path_remove_directory(struct mvvm_instance *instance, const uint64_t *args)
{
    struct mvvm_wasi_where where;
    int error = mvvm_wasi_where(instance, args, 0, 1, WASI_RIGHT_PATH_REMOVE_DIRECTORY, &where);
    if (error != WASI_SUCCESS)
        return error;
    return -mvvm_os_remove_beneath(where.dir->host_fd, where.path, true);
}

int mvvm_wasi_path_unlink_file(struct mvvm_instance *instance, const uint64_t *args)
{
    struct mvvm_wasi_where where;
    int error = mvvm_wasi_where(instance, args, 0, 1, WASI_RIGHT_PATH_UNLINK_FILE, &where);
    if (error != WASI_SUCCESS)
        return error;
    return -mvvm_os_remove_beneath(where.dir->host_fd, where.path, false);
}

int mvvm_wasi_path_rename(struct mvvm_instance *instance, const uint64_t *args)
{
    struct mvvm_wasi_where from, to;
    int error = mvvm_wasi_where(instance, args, 0, 1, WASI_RIGHT_PATH_RENAME_SOURCE, &from);
    if (error == WASI_SUCCESS)
        error = mvvm_wasi_where(instance, args, 3, 4, WASI_RIGHT_PATH_RENAME_TARGET, &to);
    if (error != WASI_SUCCESS)
        return error;
    return -mvvm_os_rename_beneath(from.dir->host_fd, from.path, to.dir->host_fd, to.path);
}

int mvvm_wasi_path_link(struct mvvm_instance *instance, const uint64_t *args)
{
    struct mvvm_wasi_where from, to;
    int error = mvvm_wasi_where(instance, args, 0, 2, WASI_RIGHT_PATH_LINK_SOURCE, &from);
    if (error == WASI_SUCCESS)
        error = mvvm_wasi_where(instance, args, 4, 5, WASI_RIGHT_PATH_LINK_TARGET, &to);
    if (error != WASI_SUCCESS)
        return error;
    bool follow = mvvm_arg32(args, 1) & WASI_LOOKUP_FOLLOW;
    return -mvvm_os_link_beneath(from.dir->host_fd, from.path, follow, to.dir->host_fd, to.path);
}

int mvvm_wasi_path_symlink(struct mvvm_instance *instance, const uint64_t *args)
{
    struct mvvm_wasi_where where;
    char target[MVVM_WASI_MAX_PATH];
    int error = mvvm_wasi_guest_path(instance, mvvm_arg32(args, 0), mvvm_arg32(args, 1), target);
    if (error == WASI_SUCCESS)
        error = mvvm_wasi_where(instance, args, 2, 3, WASI_RIGHT_PATH_SYMLINK, &where);
    if (error != WASI_SUCCESS)
        return error;
    return -mvvm_os_symlink_beneath(target, where.dir->host_fd, where.path);
}

int mvvm_wasi_path_readlink(struct mvvm_instance *instance, const uint64_t *args)
{
    struct mvvm_wasi_where where;
    uint32_t size = mvvm_arg32(args, 4);
    char *buffer = mvvm_guest(instance, mvvm_arg32(args, 3), size);
    void *used = mvvm_guest(instance, mvvm_arg32(args, 5), 4);
    char target[MVVM_WASI_MAX_PATH];
    int error = mvvm_wasi_where(instance, args, 0, 1, WASI_RIGHT_PATH_READLINK, &where);
    if (error != WASI_SUCCESS)
        return error;
    if (buffer == NULL || used == NULL)
        return WASI_FAULT;
    int64_t length =
        mvvm_os_readlink_beneath(where.dir->host_fd, where.path, target, sizeof target);
    if (length < 0)
        return (int)-length;
    if (length > 0 && target[0] == '/')
        return WASI_PERM; /* it leads out, and the host's paths are not the guest's affair */
    uint32_t copied = (uint64_t)length < size ? (uint32_t)length : size;
    memcpy(buffer, target, copied);
    mvvm_store32(used, copied);
    return WASI_SUCCESS;
}
