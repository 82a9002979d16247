/* Paths that stay below a directory, on Linux.
 *
 * The kernel's confined lookup (openat2 with RESOLVE_BENEATH) is used where there is one.
 * Otherwise, and for operations on a name in a directory, the path is walked component by
 * component: each directory is opened with O_NOFOLLOW below the one before it, symbolic links
 * are read and expanded here, and ".." goes back to the directory that was passed on the way
 * down, so renaming directories meanwhile leads nowhere else. What is found is a directory and
 * a name in it; the operation is done on that name and follows no link. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os_file.h"

bool mvvm_os_use_openat2 = true;

/* -- The kernel's lookup ------------------------------------------------------------------ */

/* The kernel's struct open_how; not every libc has it. */
struct how {
    uint64_t flags, mode, resolve;
};
#define SYSCALL_OPENAT2 437
#define HOW_NO_MAGICLINKS 0x02
#define HOW_BENEATH 0x08

/* A descriptor or a negative WASI number; neither when not *answered: then the path is to be
 * walked. */
static int kernel_open(int dir, const char *path, int flags, mode_t mode, bool *answered)
{
    struct how how = {
        .flags = (uint64_t)(unsigned)flags,
        .mode = flags & O_CREAT ? mode : 0,
        .resolve = HOW_BENEATH | HOW_NO_MAGICLINKS,
    };
    *answered = false;
    if (!mvvm_os_use_openat2)
        return 0;
    for (int attempt = 0; attempt < 4; attempt++) {
        long fd = syscall(SYSCALL_OPENAT2, dir, path, &how, sizeof how);
        if (fd >= 0) {
            *answered = true;
            return (int)fd;
        }
        if (errno != EAGAIN && errno != EINTR) /* EAGAIN: something was renamed meanwhile */
            break;
    }
    if (errno == ENOSYS)
        mvvm_os_use_openat2 = false;
    if (errno == ENOSYS || errno == EPERM || errno == EAGAIN || errno == EINTR)
        return 0; /* EPERM may be a filter of system calls that does not know this one */
    *answered = true;
    return errno == EXDEV ? -WASI_PERM : mvvm_os_error(errno);
}

/* -- The walk ----------------------------------------------------------------------------- */

#define MAX_DEPTH 256
#define MAX_LINKS 40

/* A name in a directory. `name` is "." when the path names the directory itself. */
struct place {
    int dir;
    bool own;   /* dir is to be closed */
    bool slash; /* the path ended in one */
    char name[NAME_MAX + 2];
};

struct walk {
    int root;
    int stack[MAX_DEPTH]; /* directories passed on the way down, below the root */
    int depth;
    int links;
    char rest[2 * PATH_MAX];
};

static int walk_dir(const struct walk *w)
{
    return w->depth > 0 ? w->stack[w->depth - 1] : w->root;
}

/* Puts the target of the link `name` in front of `tail`. 1: done, 0: not a link, or negative. */
static int expand_link(struct walk *w, const char *name, const char *tail)
{
    char target[PATH_MAX];
    ssize_t size = readlinkat(walk_dir(w), name, target, sizeof target);
    if (size < 0)
        return errno == EINVAL || errno == ENOENT ? 0 : mvvm_os_error(errno);
    if (++w->links > MAX_LINKS)
        return -WASI_LOOP;
    if (size > 0 && target[0] == '/')
        return -WASI_PERM;
    size_t tail_size = strlen(tail);
    if ((size_t)size + 1 + tail_size >= sizeof w->rest || (size_t)size >= sizeof target)
        return -WASI_NAMETOOLONG;
    memmove(w->rest + size + 1, tail, tail_size + 1);
    memcpy(w->rest, target, (size_t)size);
    w->rest[size] = tail_size > 0 ? '/' : '\0';
    return 1;
}

/* Goes into `name`, which is not the last component. */
static int enter(struct walk *w, const char *name, const char *tail, bool *expanded)
{
    *expanded = false;
    int dir = openat(walk_dir(w), name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0) {
        int error = errno;
        int linked = error == ENOTDIR || error == ELOOP ? expand_link(w, name, tail) : 0;
        *expanded = linked > 0;
        return linked != 0 ? linked : mvvm_os_error(error);
    }
    if (w->depth == MAX_DEPTH) {
        close(dir);
        return -WASI_NAMETOOLONG;
    }
    w->stack[w->depth++] = dir;
    return 0;
}

/* Takes one component off the path. 1: `place` is found, 0: go on, or negative. */
static int step(struct walk *w, bool follow, struct place *place)
{
    char *at = w->rest + strspn(w->rest, "/");
    size_t size = strcspn(at, "/");
    char name[NAME_MAX + 1];
    if (size > NAME_MAX)
        return -WASI_NAMETOOLONG;
    memcpy(name, at, size);
    name[size] = '\0';
    const char *tail = at + size;
    bool slash = *tail == '/';
    tail += strspn(tail, "/");
    bool last = *tail == '\0';
    bool here = size == 0 || strcmp(name, ".") == 0;
    bool expanded = false;
    if (strcmp(name, "..") == 0) {
        if (w->depth == 0)
            return -WASI_PERM;
        close(w->stack[--w->depth]);
        here = true;
    } else if (last && !here) {
        if (follow) {
            int linked = expand_link(w, name, slash ? "/" : "");
            if (linked != 0)
                return linked < 0 ? linked : 0;
        }
    } else if (!here) {
        int error = enter(w, name, tail, &expanded);
        if (error < 0)
            return error;
    }
    if (!last) {
        if (!expanded)
            memmove(w->rest, tail, strlen(tail) + 1);
        return 0;
    }
    snprintf(place->name, sizeof place->name, "%s", here ? "." : name);
    place->slash = slash;
    return 1;
}

/* Finds a path's place by walking. `follow`: a symbolic link at the end is followed. */
static int walk_to(int root, const char *path, bool follow, struct place *place)
{
    struct walk w = {.root = root};
    size_t size = strlen(path);
    if (size == 0)
        return -WASI_NOENT;
    if (path[0] == '/')
        return -WASI_PERM;
    if (size >= PATH_MAX)
        return -WASI_NAMETOOLONG;
    memcpy(w.rest, path, size + 1);
    int found;
    do
        found = step(&w, follow, place);
    while (found == 0);
    place->dir = walk_dir(&w);
    place->own = w.depth > 0;
    for (int i = 0; i < w.depth; i++)
        if (found < 0 || i < w.depth - 1)
            close(w.stack[i]);
    return found < 0 ? found : 0;
}

/* The same when the last component is not followed: the directory by the kernel's lookup. */
static int locate(int root, const char *path, struct place *place)
{
    size_t end = strlen(path);
    while (end > 0 && path[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    const char *name = path + start;
    size_t size = end - start;
    char parent[PATH_MAX];
    bool dots = size == 0 || (size == 1 && name[0] == '.') ||
                (size == 2 && memcmp(name, "..", 2) == 0);
    if (start == 0 || path[0] == '/' || dots || size > NAME_MAX || start >= sizeof parent)
        return walk_to(root, path, false, place);
    memcpy(parent, path, start);
    parent[start] = '\0';
    bool answered;
    int dir = kernel_open(root, parent, O_PATH | O_DIRECTORY | O_CLOEXEC, 0, &answered);
    if (!answered)
        return walk_to(root, path, false, place);
    if (dir < 0)
        return dir;
    *place = (struct place){.dir = dir, .own = true, .slash = path[end] == '/'};
    memcpy(place->name, name, size);
    return 0;
}

static bool ends_in_slash(const char *path)
{
    size_t size = strlen(path);
    return size > 0 && path[size - 1] == '/';
}

/* Ends an operation: closes the place's directory and turns the call's result into ours. */
static int finish(const struct place *place, long result)
{
    int error = result < 0 ? mvvm_os_error(errno) : (int)result;
    if (place->own)
        close(place->dir);
    return error;
}

/* Names that are created or removed keep their slash: it makes the kernel ask for a directory.
 * It does not follow links there. */
static int locate_name(int root, const char *path, struct place *place)
{
    int error = locate(root, path, place);
    if (error == 0 && place->slash && strcmp(place->name, ".") != 0)
        strcat(place->name, "/");
    return error;
}

/* -- Opening ------------------------------------------------------------------------------ */

static int open_flags(const struct mvvm_os_open *how)
{
    int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    flags |= how->write ? (how->read ? O_RDWR : O_WRONLY) : O_RDONLY;
    flags |= how->follow ? 0 : O_NOFOLLOW;
    flags |= how->create ? O_CREAT : 0;
    flags |= how->exclusive ? O_EXCL : 0;
    flags |= how->truncate ? O_TRUNC : 0;
    flags |= how->directory ? O_DIRECTORY : 0;
    flags |= how->fdflags & WASI_FDFLAG_APPEND ? O_APPEND : 0;
    flags |= how->fdflags & (WASI_FDFLAG_SYNC | WASI_FDFLAG_RSYNC) ? O_SYNC : 0;
    flags |= how->fdflags & WASI_FDFLAG_DSYNC ? O_DSYNC : 0;
    return flags;
}

int mvvm_os_reopen(int fd, const struct mvvm_os_open *how)
{
    char link[32];
    struct mvvm_os_open again = *how;
    again.follow = true; /* the link in /proc is one */
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int opened = open(link, open_flags(&again));
    return opened < 0 ? mvvm_os_error(errno) : opened;
}

int mvvm_os_open_beneath(int dir, const char *path, const struct mvvm_os_open *how)
{
    int flags = open_flags(how);
    bool answered;
    if (path[0] == '\0')
        return -WASI_NOENT;
    if (path[0] == '/')
        return -WASI_PERM;
    int fd = kernel_open(dir, path, flags, 0666, &answered);
    if (answered)
        return fd;
    struct place place;
    bool slash = ends_in_slash(path);
    bool exclusive = how->create && how->exclusive; /* the name itself must not exist */
    int error = walk_to(dir, path, (how->follow && !exclusive) || slash, &place);
    if (error < 0)
        return error;
    if (slash && how->create) {
        errno = EISDIR;
        return finish(&place, -1);
    }
    flags |= O_NOFOLLOW | (slash ? O_DIRECTORY : 0);
    return finish(&place, openat(place.dir, place.name, flags, 0666));
}

bool mvvm_os_path_beneath(int root, int fd, char *path, size_t size)
{
    char link[64], base[PATH_MAX], full[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", root);
    ssize_t base_size = readlink(link, base, sizeof base - 1);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t full_size = readlink(link, full, sizeof full - 1);
    if (base_size <= 0 || full_size <= 0 || base[0] != '/' || full[0] != '/')
        return false;
    base[base_size] = full[full_size] = '\0';
    if (base_size == 1)
        base_size = 0; /* the root directory: its slash is the separator */
    if (full_size < base_size || memcmp(full, base, (size_t)base_size) != 0)
        return false;
    const char *below = full + base_size;
    if (*below != '\0' && *below != '/')
        return false;
    below += *below == '/';
    if (*below == '\0')
        below = ".";
    struct stat opened, named;
    if (strlen(below) >= size || fstat(fd, &opened) < 0 || stat(full, &named) < 0)
        return false;
    if (opened.st_ino != named.st_ino || opened.st_dev != named.st_dev)
        return false; /* removed; another file has its name */
    memcpy(path, below, strlen(below) + 1);
    return true;
}

/* -- Operations on names ------------------------------------------------------------------ */

/* Finds what is to be looked at; a path that ends in a slash must name a directory. */
static int locate_existing(int dir, const char *path, bool follow, struct place *place,
                           struct stat *raw)
{
    bool slash = ends_in_slash(path);
    int error = follow || slash ? walk_to(dir, path, true, place) : locate(dir, path, place);
    if (error < 0)
        return error;
    int result = fstatat(place->dir, place->name, raw, AT_SYMLINK_NOFOLLOW);
    if (result == 0 && slash && !S_ISDIR(raw->st_mode)) {
        errno = ENOTDIR;
        result = -1;
    }
    return result < 0 ? finish(place, -1) : 0;
}

int mvvm_os_stat_beneath(int dir, const char *path, bool follow, struct mvvm_os_stat *stat)
{
    struct place place;
    struct stat raw;
    int error = locate_existing(dir, path, follow, &place, &raw);
    if (error < 0)
        return error;
    mvvm_os_convert_stat(&raw, stat);
    return finish(&place, 0);
}

int mvvm_os_set_times_beneath(int dir, const char *path, bool follow,
                              const struct mvvm_os_times *times)
{
    struct place place;
    struct stat raw;
    struct timespec values[2];
    int error = locate_existing(dir, path, follow, &place, &raw);
    if (error < 0)
        return error;
    mvvm_os_convert_times(times, values);
    return finish(&place, utimensat(place.dir, place.name, values, AT_SYMLINK_NOFOLLOW));
}

int mvvm_os_mkdir_beneath(int dir, const char *path)
{
    struct place place;
    int error = locate_name(dir, path, &place);
    if (error < 0)
        return error;
    if (strcmp(place.name, ".") == 0) {
        errno = EEXIST;
        return finish(&place, -1);
    }
    return finish(&place, mkdirat(place.dir, place.name, 0777));
}

int mvvm_os_remove_beneath(int dir, const char *path, bool directory)
{
    struct place place;
    int error = locate_name(dir, path, &place);
    if (error < 0)
        return error;
    return finish(&place, unlinkat(place.dir, place.name, directory ? AT_REMOVEDIR : 0));
}

int mvvm_os_symlink_beneath(const char *target, int dir, const char *path)
{
    struct place place;
    if (target[0] == '/')
        return -WASI_PERM;
    int error = locate_name(dir, path, &place);
    if (error < 0)
        return error;
    return finish(&place, symlinkat(target, place.dir, place.name));
}

int64_t mvvm_os_readlink_beneath(int dir, const char *path, char *target, size_t size)
{
    struct place place;
    struct stat raw;
    int error = locate_existing(dir, path, false, &place, &raw);
    if (error < 0)
        return error;
    return finish(&place, readlinkat(place.dir, place.name, target, size));
}

int mvvm_os_rename_beneath(int old_dir, const char *old_path, int new_dir, const char *new_path)
{
    struct place from, to;
    int error = locate_name(old_dir, old_path, &from);
    if (error < 0)
        return error;
    error = locate_name(new_dir, new_path, &to);
    if (error < 0) {
        finish(&from, 0);
        return error;
    }
    error = finish(&to, renameat(from.dir, from.name, to.dir, to.name));
    finish(&from, 0);
    return error;
}

int mvvm_os_link_beneath(int old_dir, const char *old_path, bool follow, int new_dir,
                         const char *new_path)
{
    struct place from, to;
    struct stat raw;
    int error = locate_existing(old_dir, old_path, follow, &from, &raw);
    if (error < 0)
        return error;
    error = locate_name(new_dir, new_path, &to);
    if (error < 0) {
        finish(&from, 0);
        return error;
    }
    error = finish(&to, linkat(from.dir, from.name, to.dir, to.name, 0));
    finish(&from, 0);
    return error;
}
