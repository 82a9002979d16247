/* WASI preview 1: numbers of its interface, the descriptor table, and the functions' common parts.
 * The names are the specification's (phases/snapshot/docs.md of WASI). */
#ifndef MVVM_WASI_H
#define MVVM_WASI_H

#include <string.h>

#include "mvvm_runtime.h"

/* -- Numbers of the interface ------------------------------------------------------------- */

/* In the specification's order, from 0. */
enum mvvm_wasi_errno {
    WASI_SUCCESS, WASI_2BIG, WASI_ACCES, WASI_ADDRINUSE, WASI_ADDRNOTAVAIL, WASI_AFNOSUPPORT,
    WASI_AGAIN, WASI_ALREADY, WASI_BADF, WASI_BADMSG, WASI_BUSY, WASI_CANCELED, WASI_CHILD,
    WASI_CONNABORTED, WASI_CONNREFUSED, WASI_CONNRESET, WASI_DEADLK, WASI_DESTADDRREQ, WASI_DOM,
    WASI_DQUOT, WASI_EXIST, WASI_FAULT, WASI_FBIG, WASI_HOSTUNREACH, WASI_IDRM, WASI_ILSEQ,
    WASI_INPROGRESS, WASI_INTR, WASI_INVAL, WASI_IO, WASI_ISCONN, WASI_ISDIR, WASI_LOOP,
    WASI_MFILE, WASI_MLINK, WASI_MSGSIZE, WASI_MULTIHOP, WASI_NAMETOOLONG, WASI_NETDOWN,
    WASI_NETRESET, WASI_NETUNREACH, WASI_NFILE, WASI_NOBUFS, WASI_NODEV, WASI_NOENT, WASI_NOEXEC,
    WASI_NOLCK, WASI_NOLINK, WASI_NOMEM, WASI_NOMSG, WASI_NOPROTOOPT, WASI_NOSPC, WASI_NOSYS,
    WASI_NOTCONN, WASI_NOTDIR, WASI_NOTEMPTY, WASI_NOTRECOVERABLE, WASI_NOTSOCK, WASI_NOTSUP,
    WASI_NOTTY, WASI_NXIO, WASI_OVERFLOW, WASI_OWNERDEAD, WASI_PERM, WASI_PIPE, WASI_PROTO,
    WASI_PROTONOSUPPORT, WASI_PROTOTYPE, WASI_RANGE, WASI_ROFS, WASI_SPIPE, WASI_SRCH, WASI_STALE,
    WASI_TIMEDOUT, WASI_TXTBSY, WASI_XDEV, WASI_NOTCAPABLE,
    /* Not an errno: a checkpoint is wanted and nothing has happened (MVVM_HOST_INTERRUPTED). */
    WASI_INTERRUPTED = 0x10000,
};
_Static_assert(WASI_NOTCAPABLE == 76, "errno numbers");

enum mvvm_wasi_filetype {
    WASI_FILETYPE_UNKNOWN = 0,
    WASI_FILETYPE_BLOCK_DEVICE = 1,
    WASI_FILETYPE_CHARACTER_DEVICE = 2,
    WASI_FILETYPE_DIRECTORY = 3,
    WASI_FILETYPE_REGULAR_FILE = 4,
    WASI_FILETYPE_SOCKET_DGRAM = 5,
    WASI_FILETYPE_SOCKET_STREAM = 6,
    WASI_FILETYPE_SYMBOLIC_LINK = 7,
};

enum {
    WASI_FDFLAG_APPEND = 1, WASI_FDFLAG_DSYNC = 2, WASI_FDFLAG_NONBLOCK = 4,
    WASI_FDFLAG_RSYNC = 8, WASI_FDFLAG_SYNC = 16, WASI_FDFLAG_ALL = 31,

    WASI_OFLAG_CREAT = 1, WASI_OFLAG_DIRECTORY = 2, WASI_OFLAG_EXCL = 4, WASI_OFLAG_TRUNC = 8,
    WASI_OFLAG_ALL = 15,

    WASI_LOOKUP_FOLLOW = 1,

    WASI_FST_ATIM = 1, WASI_FST_ATIM_NOW = 2, WASI_FST_MTIM = 4, WASI_FST_MTIM_NOW = 8,
    WASI_FST_ALL = 15,

    WASI_CLOCK_REALTIME = 0, WASI_CLOCK_MONOTONIC = 1, WASI_CLOCK_PROCESS_CPUTIME = 2,
    WASI_CLOCK_THREAD_CPUTIME = 3,

    WASI_WHENCE_SET = 0, WASI_WHENCE_CUR = 1, WASI_WHENCE_END = 2,
};

/* In the specification's order, from bit 0. */
#define WASI_RIGHT_FD_DATASYNC (1ull << 0)
#define WASI_RIGHT_FD_READ (1ull << 1)
#define WASI_RIGHT_FD_SEEK (1ull << 2)
#define WASI_RIGHT_FD_FDSTAT_SET_FLAGS (1ull << 3)
#define WASI_RIGHT_FD_SYNC (1ull << 4)
#define WASI_RIGHT_FD_TELL (1ull << 5)
#define WASI_RIGHT_FD_WRITE (1ull << 6)
#define WASI_RIGHT_FD_ADVISE (1ull << 7)
#define WASI_RIGHT_FD_ALLOCATE (1ull << 8)
#define WASI_RIGHT_PATH_CREATE_DIRECTORY (1ull << 9)
#define WASI_RIGHT_PATH_CREATE_FILE (1ull << 10)
#define WASI_RIGHT_PATH_LINK_SOURCE (1ull << 11)
#define WASI_RIGHT_PATH_LINK_TARGET (1ull << 12)
#define WASI_RIGHT_PATH_OPEN (1ull << 13)
#define WASI_RIGHT_FD_READDIR (1ull << 14)
#define WASI_RIGHT_PATH_READLINK (1ull << 15)
#define WASI_RIGHT_PATH_RENAME_SOURCE (1ull << 16)
#define WASI_RIGHT_PATH_RENAME_TARGET (1ull << 17)
#define WASI_RIGHT_PATH_FILESTAT_GET (1ull << 18)
#define WASI_RIGHT_PATH_FILESTAT_SET_SIZE (1ull << 19)
#define WASI_RIGHT_PATH_FILESTAT_SET_TIMES (1ull << 20)
#define WASI_RIGHT_FD_FILESTAT_GET (1ull << 21)
#define WASI_RIGHT_FD_FILESTAT_SET_SIZE (1ull << 22)
#define WASI_RIGHT_FD_FILESTAT_SET_TIMES (1ull << 23)
#define WASI_RIGHT_PATH_SYMLINK (1ull << 24)
#define WASI_RIGHT_PATH_REMOVE_DIRECTORY (1ull << 25)
#define WASI_RIGHT_PATH_UNLINK_FILE (1ull << 26)
#define WASI_RIGHT_POLL_FD_READWRITE (1ull << 27)
#define WASI_RIGHT_SOCK_SHUTDOWN (1ull << 28)
#define WASI_RIGHT_SOCK_ACCEPT (1ull << 29)
#define WASI_RIGHTS_ALL ((1ull << 30) - 1)
/* What is meaningful on a file, on a directory, on a stream that cannot seek. */
#define WASI_RIGHTS_FILE 0x08E001FFull
#define WASI_RIGHTS_DIRECTORY 0x0FFFFE98ull
#define WASI_RIGHTS_STREAM 0x0820004Aull
/* Reading from a listening socket fails, but waiting until it could be is what polling asks. */
#define WASI_RIGHTS_LISTENER 0x2820000Aull
#define WASI_RIGHTS_CONNECTION 0x1820004Aull

/* -- Descriptors -------------------------------------------------------------------------- */

enum mvvm_wasi_kind { /* numbers of the snapshot */
    MVVM_WASI_STDIO = 0,
    MVVM_WASI_PREOPEN = 1,
    MVVM_WASI_DIRECTORY = 2,
    MVVM_WASI_FILE = 3, /* anything else that was opened by path */
    MVVM_WASI_LISTENER = 4,
    MVVM_WASI_CONNECTION = 5,
    MVVM_WASI_FREE = 0xFF,
};

#define MVVM_WASI_MAX_FDS 65536u
#define MVVM_WASI_MAX_PATH 4096u /* bytes with the NUL */
#define MVVM_WASI_MAX_IOVECS 1024u
#define MVVM_WASI_MAX_ADDRESS 256u /* bytes of HOST:PORT with the NUL */

struct mvvm_wasi_fd {
    uint8_t kind;     /* enum mvvm_wasi_kind */
    uint8_t filetype;
    uint16_t flags;   /* fdflags; nonblock lives only here, streams are shared with others */
    int host_fd;      /* stdio: 0, 1 or 2; preopen: the root's; -1: gone since the snapshot */
    uint64_t rights_base;
    uint64_t rights_inheriting;
    uint32_t root;    /* which root `path` is relative to; stdio: UINT32_MAX */
    char *path;       /* owned; a listening socket's address; else NULL unless opened by path */
    struct mvvm_wasi_listing *listing; /* owned; entries of a directory that is being read */
};

/* A pre-opened directory. It outlives its descriptor, since paths are relative to it. */
struct mvvm_wasi_root {
    char *guest;
    char *host;
    int host_fd;
};

struct mvvm_wasi_strings {
    uint32_t count;
    char **items;
};

struct mvvm_wasi_state {
    struct mvvm_wasi_strings args;
    struct mvvm_wasi_strings env;
    uint64_t monotonic_offset; /* guest minus host, modulo 2^64 */
    uint64_t cpu_offset;
    bool has_poll_start;       /* an interrupted poll_oneoff is to be issued again */
    uint64_t poll_start;       /* guest monotonic: when it was issued first */
    struct mvvm_wasi_fd *fds;  /* `fd_count` entries, free ones among them */
    uint32_t fd_count;
    struct mvvm_wasi_root *roots;
    uint32_t root_count;
};
extern struct mvvm_wasi_state mvvm_wasi;

/* wasi_fd.c. Lookups return NULL for a number that is not open. */
struct mvvm_wasi_fd *mvvm_wasi_fd(uint32_t fd);
/* Whether the guest has given one of these rights up (fd_fdstat_set_rights): WASI_NOTCAPABLE. Rights that mean
 * nothing on such a descriptor are not missed: what is wrong there has an error of its own. */
bool mvvm_wasi_lacks(const struct mvvm_wasi_fd *entry, uint64_t rights);
/* wasi_path.c: the same for a directory. */
struct mvvm_wasi_fd *mvvm_wasi_directory(uint32_t fd);
/* Puts `*entry` at `fd`, which must be free; takes over what it owns. An errno. */
int mvvm_wasi_fd_set(uint32_t fd, const struct mvvm_wasi_fd *entry);
/* Puts it at the lowest free number. */
int mvvm_wasi_fd_add(const struct mvvm_wasi_fd *entry, uint32_t *fd);
void mvvm_wasi_fd_free(uint32_t fd);
/* Returns the root's number; UINT32_MAX: no memory. */
uint32_t mvvm_wasi_root_add(const char *guest, const char *host, int host_fd);
void mvvm_wasi_listing_free(struct mvvm_wasi_listing *listing);
/* A connection that did not survive a move. */
static inline bool mvvm_wasi_was_reset(const struct mvvm_wasi_fd *entry)
{
    return entry->kind == MVVM_WASI_CONNECTION && entry->host_fd < 0;
}
/* The three streams that are open on the host. */
int mvvm_wasi_add_stream(uint32_t fd, uint32_t stream, uint16_t flags);

/* wasi_process.c */
uint64_t mvvm_wasi_now(void); /* guest monotonic */

/* wasi_io.c: reads the guest's array of buffers; empty ones are left out. */
struct mvvm_os_iovec;
int mvvm_wasi_load_iovecs(const struct mvvm_instance *instance, uint32_t address, uint32_t count,
                          struct mvvm_os_iovec *iovecs, size_t *used);
/* Drops the first `size` bytes. */
void mvvm_wasi_advance(struct mvvm_os_iovec **iovecs, size_t *count, uint64_t size);

/* wasi_poll.c: waits until reading (or writing) would not block. WASI_AGAIN under nonblock. */
int mvvm_wasi_wait(const struct mvvm_wasi_fd *entry, bool writing);

/* -- Paths -------------------------------------------------------------------------------- */

/* Copies a guest's path: an errno for a fault, NUL bytes, bad UTF-8, too many bytes, none. */
int mvvm_wasi_guest_path(const struct mvvm_instance *instance, uint32_t address, uint32_t size,
                         char path[MVVM_WASI_MAX_PATH]);
/* A path and the directory that it starts from. */
struct mvvm_wasi_where {
    const struct mvvm_wasi_fd *dir;
    char path[MVVM_WASI_MAX_PATH];
};
/* The directory whose number is the argument `fd_arg` and which must have the rights, and the path whose address
 * and size are the arguments `path_arg` and the next. */
int mvvm_wasi_where(const struct mvvm_instance *instance, const uint64_t *args, unsigned fd_arg,
                    unsigned path_arg, uint64_t rights, struct mvvm_wasi_where *where);
bool mvvm_wasi_utf8(const uint8_t *bytes, size_t size);

/* -- Arguments and results ---------------------------------------------------------------- */

static inline uint32_t mvvm_arg32(const uint64_t *args, unsigned k)
{
    return (uint32_t)args[2 * k];
}

static inline uint64_t mvvm_arg64(const uint64_t *args, unsigned k)
{
    return args[2 * k];
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "guest memory is little-endian");

static inline uint32_t mvvm_load32(const void *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline uint64_t mvvm_load64(const void *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline void mvvm_store16(void *at, uint16_t value)
{
    memcpy(at, &value, sizeof value);
}

static inline void mvvm_store32(void *at, uint32_t value)
{
    memcpy(at, &value, sizeof value);
}

static inline void mvvm_store64(void *at, uint64_t value)
{
    memcpy(at, &value, sizeof value);
}

/* -- The functions ------------------------------------------------------------------------ */

/* Each is `int mvvm_wasi_NAME(instance, args)`, which returns an errno or WASI_INTERRUPTED;
 * wasi_funcs.c wraps them as host functions. Three lists: the same in both modules; those of
 * `wasi_snapshot_preview1` and their older forms of `wasi_unstable`, whose layouts and numbers
 * differ; what only preview 1 has. */
#define MVVM_WASI_COMMON(X) \
    X(args_get, "ii:i") \
    X(args_sizes_get, "ii:i") \
    X(environ_get, "ii:i") \
    X(environ_sizes_get, "ii:i") \
    X(clock_res_get, "ii:i") \
    X(clock_time_get, "iIi:i") \
    X(fd_advise, "iIIi:i") \
    X(fd_allocate, "iII:i") \
    X(fd_close, "i:i") \
    X(fd_datasync, "i:i") \
    X(fd_fdstat_get, "ii:i") \
    X(fd_fdstat_set_flags, "ii:i") \
    X(fd_fdstat_set_rights, "iII:i") \
    X(fd_filestat_set_size, "iI:i") \
    X(fd_filestat_set_times, "iIIi:i") \
    X(fd_pread, "iiiIi:i") \
    X(fd_prestat_get, "ii:i") \
    X(fd_prestat_dir_name, "iii:i") \
    X(fd_pwrite, "iiiIi:i") \
    X(fd_read, "iiii:i") \
    X(fd_readdir, "iiiIi:i") \
    X(fd_renumber, "ii:i") \
    X(fd_sync, "i:i") \
    X(fd_tell, "ii:i") \
    X(fd_write, "iiii:i") \
    X(path_create_directory, "iii:i") \
    X(path_filestat_set_times, "iiiiIIi:i") \
    X(path_link, "iiiiiii:i") \
    X(path_open, "iiiiiIIii:i") \
    X(path_readlink, "iiiiii:i") \
    X(path_remove_directory, "iii:i") \
    X(path_rename, "iiiiii:i") \
    X(path_symlink, "iiiii:i") \
    X(path_unlink_file, "iii:i") \
    X(proc_exit, "i:") \
    X(proc_raise, "i:i") \
    X(sched_yield, ":i") \
    X(random_get, "ii:i") \
    X(sock_recv, "iiiiii:i") \
    X(sock_send, "iiiii:i") \
    X(sock_shutdown, "ii:i")

#define MVVM_WASI_VERSIONED(X) \
    X(fd_filestat_get, "ii:i") \
    X(fd_seek, "iIii:i") \
    X(path_filestat_get, "iiiii:i") \
    X(poll_oneoff, "iiii:i")

#define MVVM_WASI_PREVIEW1_ONLY(X) X(sock_accept, "iii:i")

#define MVVM_WASI_DECLARE(name, signature) \
    int mvvm_wasi_##name(struct mvvm_instance *instance, const uint64_t *args);
#define MVVM_WASI_DECLARE_UNSTABLE(name, signature) \
    int mvvm_wasi_unstable_##name(struct mvvm_instance *instance, const uint64_t *args);
MVVM_WASI_COMMON(MVVM_WASI_DECLARE)
MVVM_WASI_VERSIONED(MVVM_WASI_DECLARE)
MVVM_WASI_VERSIONED(MVVM_WASI_DECLARE_UNSTABLE)
MVVM_WASI_PREVIEW1_ONLY(MVVM_WASI_DECLARE)

#endif
