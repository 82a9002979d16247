/* Attributes of open files and of paths: filestat, times, size, space, advice, synchronisation. */
#include "mvvm_os.h"
#include "mvvm_wasi.h"

/* -- filestat ----------------------------------------------------------------------------- */

#define FILESTAT_SIZE 64u
#define UNSTABLE_FILESTAT_SIZE 56u /* its count of links has 4 bytes */

static void store_filestat(uint8_t *out, const struct mvvm_os_stat *stat, bool unstable)
{
    memset(out, 0, unstable ? UNSTABLE_FILESTAT_SIZE : FILESTAT_SIZE);
    mvvm_store64(out, stat->device);
    mvvm_store64(out + 8, stat->inode);
    out[16] = stat->filetype;
    if (unstable)
        mvvm_store32(out + 20, (uint32_t)stat->links);
    else
        mvvm_store64(out + 24, stat->links);
    out += unstable ? 24 : 32;
    mvvm_store64(out, stat->size);
    mvvm_store64(out + 8, stat->atime_ns);
    mvvm_store64(out + 16, stat->mtime_ns);
    mvvm_store64(out + 24, stat->ctime_ns);
}

static int fd_filestat(const struct mvvm_instance *instance, const uint64_t *args, bool unstable)
{
    const struct mvvm_wasi_fd *entry = mvvm_wasi_fd(mvvm_arg32(args, 0));
    uint8_t *out = mvvm_guest(instance, mvvm_arg32(args, 1),
                              unstable ? UNSTABLE_FILESTAT_SIZE : FILESTAT_SIZE);
    struct mvvm_os_stat stat;
    if (entry == NULL)
        return WASI_BADF;
    if (mvvm_wasi_lacks(entry, WASI_RIGHT_FD_FILESTAT_GET))
        return WASI_NOTCAPABLE;
    if (out == NULL)
        return WASI_FAULT;
    int result = mvvm_os_stat(entry->host_fd, &stat);
    if (result < 0)
        return -result;
    store_filestat(out, &stat, unstable);
    return WASI_SUCCESS;
}

int mvvm_wasi_fd_filestat_get(struct mvvm_instance *instance, const uint64_t *args)
{
    return fd_filestat(instance, args, false);
}

int mvvm_wasi_unstable_fd_filestat_get(struct mvvm_instance *instance, const uint64_t *args)
{
    return fd_filestat(instance, args, true);
}

static int path_filestat(const struct mvvm_instance *instance, const uint64_t *args, bool unstable)
{
    struct mvvm_wasi_where where;
    uint8_t *out = mvvm_guest(instance, mvvm_arg32(args, 4),
                              unstable ? UNSTABLE_FILESTAT_SIZE : FILESTAT_SIZE);
    struct mvvm_os_stat stat;
    int error = mvvm_wasi_where(instance, args, 0, 2, WASI_RIGHT_PATH_FILESTAT_GET, &where);
    if (error != WASI_SUCCESS)
        return error;
    if (out == NULL)
        return WASI_FAULT;
    bool follow = mvvm_arg32(args, 1) & WASI_LOOKUP_FOLLOW;
    int result = mvvm_os_stat_beneath(where.dir->host_fd, where.path, follow, &stat);
    if (result < 0)
        return -result;
    store_filestat(out, &stat, unstable);
    return WASI_SUCCESS;
}

int mvvm_wasi_path_filestat_get(struct mvvm_instance *instance, const uint64_t *args)
{
    return path_filestat(instance, args, false);
}

int mvvm_wasi_unstable_path_filestat_get(struct mvvm_instance *instance, const uint64_t *args)
{
    return path_filestat(instance, args, true);
}

/* -- Times -------------------------------------------------------------------------------- */

static int load_times(const uint64_t *args, unsigned first, struct mvvm_os_times *times)
{
    uint32_t flags = mvvm_arg32(args, first + 2);
    *times = (struct mvvm_os_times){mvvm_arg64(args, first), mvvm_arg64(args, first + 1), flags};
    if (flags & ~(uint32_t)WASI_FST_ALL || (flags & WASI_FST_ATIM && flags & WASI_FST_ATIM_NOW) ||
        (flags & WASI_FST_MTIM && flags & WASI_FST_MTIM_NOW))
        return WASI_INVAL;
    return WASI_SUCCESS;
}

int mvvm_wasi_fd_filestat_set_times(struct mvvm_instance *instance, const uint64_t *args)
{
    (void)instance;
    const struct mvvm_wasi_fd *entry = mvvm_wasi_fd(mvvm_arg32(args, 0));
    struct mvvm_os_times times;
    if (entry == NULL)
        return WASI_BADF;
    if (mvvm_wasi_lacks(entry, WASI_RIGHT_FD_FILESTAT_SET_TIMES))
        return WASI_NOTCAPABLE;
    int error = load_times(args, 1, &times);
    return error != WASI_SUCCESS ? error : -mvvm_os_set_times(entry->host_fd, &times);
}

int mvvm_wasi_path_filestat_set_times(struct mvvm_instance *instance, const uint64_t *args)
{
    struct mvvm_wasi_where where;
    struct mvvm_os_times times;
    int error = mvvm_wasi_where(instance, args, 0, 2, WASI_RIGHT_PATH_FILESTAT_SET_TIMES, &where);
    if (error == WASI_SUCCESS)
        error = load_times(args, 4, &times);
    if (error != WASI_SUCCESS)
        return error;
    bool follow = mvvm_arg32(args, 1) & WASI_LOOKUP_FOLLOW;
    return -mvvm_os_set_times_beneath(where.dir->host_fd, where.path, follow, &times);
}

/* -- Size, space, advice, synchronisation ------------------------------------------------- */

/* A file opened by path or a stream, not a directory. */
static const struct mvvm_wasi_fd *file_of(const uint64_t *args)
{
    const struct mvvm_wasi_fd *entry = mvvm_wasi_fd(mvvm_arg32(args, 0));
    return entry != NULL && entry->filetype != WASI_FILETYPE_DIRECTORY ? entry : NULL;
}

int mvvm_wasi_fd_filestat_set_size(struct mvvm_instance *instance, const uint64_t *args)
{
    (void)instance;
    const struct mvvm_wasi_fd *entry = file_of(args);
    uint64_t size = mvvm_arg64(args, 1);
    if (entry == NULL)
        return WASI_BADF;
    if (mvvm_wasi_lacks(entry, WASI_RIGHT_FD_FILESTAT_SET_SIZE))
        return WASI_NOTCAPABLE;
    return size > INT64_MAX ? WASI_INVAL : -mvvm_os_set_size(entry->host_fd, size);
}

int mvvm_wasi_fd_allocate(struct mvvm_instance *instance, const uint64_t *args)
{
    (void)instance;
    const struct mvvm_wasi_fd *entry = file_of(args);
    uint64_t offset = mvvm_arg64(args, 1), size = mvvm_arg64(args, 2);
    if (entry == NULL)
        return WASI_BADF;
    if (mvvm_wasi_lacks(entry, WASI_RIGHT_FD_ALLOCATE))
        return WASI_NOTCAPABLE;
    if (offset > INT64_MAX || size > INT64_MAX - offset || size == 0)
        return WASI_INVAL;
    return -mvvm_os_allocate(entry->host_fd, offset, size);
}

int mvvm_wasi_fd_advise(struct mvvm_instance *instance, const uint64_t *args)
{
    (void)instance;
    const struct mvvm_wasi_fd *entry = file_of(args);
    uint64_t offset = mvvm_arg64(args, 1), size = mvvm_arg64(args, 2);
    uint32_t advice = mvvm_arg32(args, 3);
    if (entry == NULL)
        return WASI_BADF;
    if (mvvm_wasi_lacks(entry, WASI_RIGHT_FD_ADVISE))
        return WASI_NOTCAPABLE;
    if (advice > 5 || offset > INT64_MAX || size > INT64_MAX)
        return WASI_INVAL;
    return -mvvm_os_advise(entry->host_fd, offset, size, (uint8_t)advice);
}

static int force_out(uint32_t fd, bool data_only)
{
    const struct mvvm_wasi_fd *entry = mvvm_wasi_fd(fd);
    if (entry == NULL)
        return WASI_BADF;
    if (mvvm_wasi_lacks(entry, data_only ? WASI_RIGHT_FD_DATASYNC : WASI_RIGHT_FD_SYNC))
        return WASI_NOTCAPABLE;
    return -mvvm_os_sync(entry->host_fd, data_only);
}

int mvvm_wasi_fd_sync(struct mvvm_instance *instance, const uint64_t *args)
{
    (void)instance;
    return force_out(mvvm_arg32(args, 0), false);
}

int mvvm_wasi_fd_datasync(struct mvvm_instance *instance, const uint64_t *args)
{
    (void)instance;
    return force_out(mvvm_arg32(args, 0), true);
}
