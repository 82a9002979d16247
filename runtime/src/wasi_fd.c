/* The descriptor table: guest numbers, what is behind them, and the functions on the table
 * itself. */
#include <stdlib.h>

#include "mvvm_os.h"
#include "mvvm_wasi.h"

struct mvvm_wasi_state mvvm_wasi;

/* -- The table ---------------------------------------------------------------------------- */

struct mvvm_wasi_fd *mvvm_wasi_fd(uint32_t fd)
{
    if (fd >= mvvm_wasi.fd_count || mvvm_wasi.fds[fd].kind == MVVM_WASI_FREE)
        return NULL;
    return &mvvm_wasi.fds[fd];
}

/* The rights that mean something on a descriptor. */
static uint64_t fitting_rights(const struct mvvm_wasi_fd *entry)
{
    switch (entry->kind) {
    case MVVM_WASI_LISTENER: return WASI_RIGHTS_LISTENER;
    case MVVM_WASI_CONNECTION: return WASI_RIGHTS_CONNECTION;
    case MVVM_WASI_STDIO:
        if (entry->filetype != WASI_FILETYPE_REGULAR_FILE)
            return WASI_RIGHTS_STREAM;
        return WASI_RIGHTS_FILE;
    default:
        return entry->filetype == WASI_FILETYPE_DIRECTORY ? WASI_RIGHTS_DIRECTORY
                                                          : WASI_RIGHTS_FILE;
    }
}

bool mvvm_wasi_lacks(const struct mvvm_wasi_fd *entry, uint64_t rights)
{
    return rights & fitting_rights(entry) & ~entry->rights_base;
}

/* Makes room for the number `fd`. */
static int grow(uint32_t fd)
{
    if (fd >= MVVM_WASI_MAX_FDS)
        return WASI_MFILE;
    if (fd < mvvm_wasi.fd_count)
        return WASI_SUCCESS;
    uint32_t count = mvvm_wasi.fd_count < 8 ? 8 : 2 * mvvm_wasi.fd_count;
    if (count <= fd)
        count = fd + 1;
    if (count > MVVM_WASI_MAX_FDS)
        count = MVVM_WASI_MAX_FDS;
    struct mvvm_wasi_fd *fds = realloc(mvvm_wasi.fds, count * sizeof *fds);
    if (fds == NULL)
        return WASI_NOMEM;
    for (uint32_t i = mvvm_wasi.fd_count; i < count; i++)
        fds[i] = (struct mvvm_wasi_fd){.kind = MVVM_WASI_FREE};
    mvvm_wasi.fds = fds;
    mvvm_wasi.fd_count = count;
    return WASI_SUCCESS;
}

int mvvm_wasi_fd_set(uint32_t fd, const struct mvvm_wasi_fd *entry)
{
    int error = grow(fd);
    if (error == WASI_SUCCESS)
        mvvm_wasi.fds[fd] = *entry;
    return error;
}

int mvvm_wasi_fd_add(const struct mvvm_wasi_fd *entry, uint32_t *fd)
{
    uint32_t number = 0;
    while (number < mvvm_wasi.fd_count && mvvm_wasi.fds[number].kind != MVVM_WASI_FREE)
        number++;
    *fd = number;
    return mvvm_wasi_fd_set(number, entry);
}

void mvvm_wasi_fd_free(uint32_t fd)
{
    struct mvvm_wasi_fd *entry = &mvvm_wasi.fds[fd];
    if (entry->kind == MVVM_WASI_STDIO)
        mvvm_os_drop_stream(entry->host_fd);
    else if (entry->kind != MVVM_WASI_PREOPEN) /* its root is kept */
        mvvm_os_close(entry->host_fd);
    free(entry->path);
    mvvm_wasi_listing_free(entry->listing);
    *entry = (struct mvvm_wasi_fd){.kind = MVVM_WASI_FREE};
}

uint32_t mvvm_wasi_root_add(const char *guest, const char *host, int host_fd)
{
    /* A snapshot is resumed in any working directory. */
    char absolute[MVVM_WASI_MAX_PATH];
    if (mvvm_os_absolute_path(host, absolute, sizeof absolute))
        host = absolute;
    size_t count = mvvm_wasi.root_count + 1;
    struct mvvm_wasi_root *roots = realloc(mvvm_wasi.roots, count * sizeof *roots);
    if (roots == NULL)
        return UINT32_MAX;
    mvvm_wasi.roots = roots;
    struct mvvm_wasi_root *root = &roots[mvvm_wasi.root_count];
    *root = (struct mvvm_wasi_root){strdup(guest), strdup(host), host_fd};
    if (root->guest == NULL || root->host == NULL)
        return UINT32_MAX;
    return mvvm_wasi.root_count++;
}

int mvvm_wasi_add_stream(uint32_t fd, uint32_t stream, uint16_t flags)
{
    struct mvvm_os_stat stat;
    struct mvvm_wasi_fd entry = {
        .kind = MVVM_WASI_STDIO,
        .filetype = WASI_FILETYPE_UNKNOWN,
        .flags = flags,
        .host_fd = (int)stream,
        .root = UINT32_MAX,
    };
    if (mvvm_os_stat(entry.host_fd, &stat) == 0)
        entry.filetype = stat.filetype;
    entry.rights_base = fitting_rights(&entry);
    return mvvm_wasi_fd_set(fd, &entry);
}

/* -- Functions ---------------------------------------------------------------------------- */

int mvvm_wasi_fd_close(struct mvvm_instance *instance, const uint64_t *args)
{
    (void)instance;
    if (mvvm_wasi_fd(mvvm_arg32(args, 0)) == NULL)
        return WASI_BADF;
    mvvm_wasi_fd_free(mvvm_arg32(args, 0));
    return WASI_SUCCESS;
}

int mvvm_wasi_fd_renumber(struct mvvm_instance *instance, const uint64_t *args)
{
    (void)instance;
    uint32_t from = mvvm_arg32(args, 0), to = mvvm_arg32(args, 1);
    if (mvvm_wasi_fd(from) == NULL || mvvm_wasi_fd(to) == NULL)
        return WASI_BADF;
    if (from == to)
        return WASI_SUCCESS;
    mvvm_wasi_fd_free(to);
    mvvm_wasi.fds[to] = mvvm_wasi.fds[from];
    mvvm_wasi.fds[from] = (struct mvvm_wasi_fd){.kind = MVVM_WASI_FREE};
    return WASI_SUCCESS;
}

int mvvm_wasi_fd_fdstat_get(struct mvvm_instance *instance, const uint64_t *args)
{
    const struct mvvm_wasi_fd *entry = mvvm_wasi_fd(mvvm_arg32(args, 0));
    uint8_t *out = mvvm_guest(instance, mvvm_arg32(args, 1), 24);
    if (entry == NULL)
        return WASI_BADF;
    if (out == NULL)
        return WASI_FAULT;
    memset(out, 0, 24);
    out[0] = entry->filetype;
    mvvm_store16(out + 2, entry->flags);
    mvvm_store64(out + 8, entry->rights_base);
    mvvm_store64(out + 16, entry->rights_inheriting);
    return WASI_SUCCESS;
}

int mvvm_wasi_fd_fdstat_set_flags(struct mvvm_instance *instance, const uint64_t *args)
{
    (void)instance;
    const uint16_t changeable = WASI_FDFLAG_APPEND | WASI_FDFLAG_NONBLOCK;
    struct mvvm_wasi_fd *entry = mvvm_wasi_fd(mvvm_arg32(args, 0));
    uint32_t flags = mvvm_arg32(args, 1);
    if (entry == NULL || entry->filetype == WASI_FILETYPE_DIRECTORY)
        return WASI_BADF;
    if (mvvm_wasi_lacks(entry, WASI_RIGHT_FD_FDSTAT_SET_FLAGS))
        return WASI_NOTCAPABLE;
    if (flags & ~(uint32_t)WASI_FDFLAG_ALL || ((flags ^ entry->flags) & ~(uint32_t)changeable))
        return WASI_INVAL;
    if (entry->kind == MVVM_WASI_FILE) {
        int result = mvvm_os_set_append(entry->host_fd, flags & WASI_FDFLAG_APPEND);
        if (result < 0)
            return -result;
    }
    entry->flags = (uint16_t)flags;
    return WASI_SUCCESS;
}

int mvvm_wasi_fd_fdstat_set_rights(struct mvvm_instance *instance, const uint64_t *args)
{
    (void)instance;
    struct mvvm_wasi_fd *entry = mvvm_wasi_fd(mvvm_arg32(args, 0));
    uint64_t base = mvvm_arg64(args, 1), inheriting = mvvm_arg64(args, 2);
    if (entry == NULL)
        return WASI_BADF;
    if ((base & ~entry->rights_base) || (inheriting & ~entry->rights_inheriting))
        return WASI_NOTCAPABLE;
    entry->rights_base = base;
    entry->rights_inheriting = inheriting;
    return WASI_SUCCESS;
}

int mvvm_wasi_fd_prestat_get(struct mvvm_instance *instance, const uint64_t *args)
{
    const struct mvvm_wasi_fd *entry = mvvm_wasi_fd(mvvm_arg32(args, 0));
    uint8_t *out = mvvm_guest(instance, mvvm_arg32(args, 1), 8);
    if (entry == NULL || entry->kind != MVVM_WASI_PREOPEN)
        return WASI_BADF;
    if (out == NULL)
        return WASI_FAULT;
    memset(out, 0, 8); /* tag 0: a directory */
    mvvm_store32(out + 4, (uint32_t)strlen(mvvm_wasi.roots[entry->root].guest));
    return WASI_SUCCESS;
}

int mvvm_wasi_fd_prestat_dir_name(struct mvvm_instance *instance, const uint64_t *args)
{
    const struct mvvm_wasi_fd *entry = mvvm_wasi_fd(mvvm_arg32(args, 0));
    uint32_t size = mvvm_arg32(args, 2);
    void *out = mvvm_guest(instance, mvvm_arg32(args, 1), size);
    if (entry == NULL || entry->kind != MVVM_WASI_PREOPEN)
        return WASI_BADF;
    const char *name = mvvm_wasi.roots[entry->root].guest;
    if (size < strlen(name))
        return WASI_NAMETOOLONG;
    if (out == NULL)
        return WASI_FAULT;
    memcpy(out, name, strlen(name));
    return WASI_SUCCESS;
}
