/* Clocks, waiting, streams and open files on Linux. Paths are in os_path.c. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "mvvm_os.h"
#include "mvvm_runtime.h"
#include "os_file.h"

#define NS_PER_S 1000000000ull

/* -- Errors and conversions --------------------------------------------------------------- */

int mvvm_os_error(int host_errno)
{
    switch (host_errno) {
#define ERROR(name) case E##name: return -WASI_##name;
#define ERROR_2BIG case E2BIG: return -WASI_2BIG;
    ERROR_2BIG
    ERROR(ACCES) ERROR(ADDRINUSE) ERROR(ADDRNOTAVAIL) ERROR(AFNOSUPPORT) ERROR(AGAIN)
    ERROR(ALREADY) ERROR(BADF) ERROR(BADMSG) ERROR(BUSY) ERROR(CHILD) ERROR(CONNABORTED)
    ERROR(CONNREFUSED) ERROR(CONNRESET) ERROR(DEADLK) ERROR(DESTADDRREQ) ERROR(DOM) ERROR(DQUOT)
    ERROR(EXIST) ERROR(FAULT) ERROR(FBIG) ERROR(HOSTUNREACH) ERROR(IDRM) ERROR(ILSEQ)
    ERROR(INPROGRESS) ERROR(INTR) ERROR(INVAL) ERROR(IO) ERROR(ISCONN) ERROR(ISDIR) ERROR(LOOP)
    ERROR(MFILE) ERROR(MLINK) ERROR(MSGSIZE) ERROR(MULTIHOP) ERROR(NAMETOOLONG) ERROR(NETDOWN)
    ERROR(NETRESET) ERROR(NETUNREACH) ERROR(NFILE) ERROR(NOBUFS) ERROR(NODEV) ERROR(NOENT)
    ERROR(NOEXEC) ERROR(NOLCK) ERROR(NOLINK) ERROR(NOMEM) ERROR(NOMSG) ERROR(NOPROTOOPT)
    ERROR(NOSPC) ERROR(NOSYS) ERROR(NOTCONN) ERROR(NOTDIR) ERROR(NOTEMPTY) ERROR(NOTRECOVERABLE)
    ERROR(NOTSOCK) ERROR(NOTSUP) ERROR(NOTTY) ERROR(NXIO) ERROR(OVERFLOW) ERROR(OWNERDEAD)
    ERROR(PERM) ERROR(PIPE) ERROR(PROTO) ERROR(PROTONOSUPPORT) ERROR(PROTOTYPE) ERROR(RANGE)
    ERROR(ROFS) ERROR(SPIPE) ERROR(SRCH) ERROR(STALE) ERROR(TIMEDOUT) ERROR(TXTBSY) ERROR(XDEV)
    default: return -WASI_IO;
    }
}

static uint64_t to_ns(struct timespec time)
{
    return time.tv_sec < 0 ? 0 : (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

static struct timespec from_ns(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
}

static uint8_t filetype_of(mode_t mode)
{
    if (S_ISREG(mode))
        return WASI_FILETYPE_REGULAR_FILE;
    if (S_ISDIR(mode))
        return WASI_FILETYPE_DIRECTORY;
    if (S_ISLNK(mode))
        return WASI_FILETYPE_SYMBOLIC_LINK;
    if (S_ISCHR(mode))
        return WASI_FILETYPE_CHARACTER_DEVICE;
    if (S_ISBLK(mode))
        return WASI_FILETYPE_BLOCK_DEVICE;
    if (S_ISSOCK(mode))
        return WASI_FILETYPE_SOCKET_STREAM;
    return WASI_FILETYPE_UNKNOWN;
}

void mvvm_os_convert_stat(const struct stat *from, struct mvvm_os_stat *to)
{
    *to = (struct mvvm_os_stat){
        .device = from->st_dev,
        .inode = from->st_ino,
        .links = from->st_nlink,
        .size = (uint64_t)from->st_size,
        .atime_ns = to_ns(from->st_atim),
        .mtime_ns = to_ns(from->st_mtim),
        .ctime_ns = to_ns(from->st_ctim),
        .filetype = filetype_of(from->st_mode),
    };
}

static struct timespec one_time(uint64_t ns, bool set, bool now)
{
    if (now)
        return (struct timespec){.tv_nsec = UTIME_NOW};
    return set ? from_ns(ns) : (struct timespec){.tv_nsec = UTIME_OMIT};
}

void mvvm_os_convert_times(const struct mvvm_os_times *from, struct timespec to[2])
{
    to[0] = one_time(from->atime_ns, from->flags & WASI_FST_ATIM, from->flags & WASI_FST_ATIM_NOW);
    to[1] = one_time(from->mtime_ns, from->flags & WASI_FST_MTIM, from->flags & WASI_FST_MTIM_NOW);
}

static int result_of(int result)
{
    return result < 0 ? mvvm_os_error(errno) : result;
}

/* -- Clocks, scheduling, random numbers --------------------------------------------------- */

static uint64_t read_clock(clockid_t clock)
{
    struct timespec now = {0};
    clock_gettime(clock, &now);
    return to_ns(now);
}

uint64_t mvvm_os_monotonic_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t mvvm_os_realtime_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

uint64_t mvvm_os_guest_cpu_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t mvvm_os_clock_resolution_ns(uint32_t clock)
{
    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID,
                                       CLOCK_THREAD_CPUTIME_ID};
    struct timespec resolution;
    if (clock >= sizeof clocks / sizeof *clocks || clock_getres(clocks[clock], &resolution) < 0)
        return 1;
    return to_ns(resolution);
}

void mvvm_os_yield(void)
{
    sched_yield();
}

int mvvm_os_random(void *bytes, size_t size)
{
    uint8_t *at = bytes;
    while (size > 0) {
        ssize_t count = getrandom(at, size < 256 ? size : 256, 0);
        if (count < 0 && errno != EINTR)
            return mvvm_os_error(errno);
        if (count > 0) {
            at += count;
            size -= (size_t)count;
        }
    }
    return 0;
}

int mvvm_os_raise(uint32_t signal_number)
{
    static const int signals[] = {
        0,       SIGHUP,  SIGINT,  SIGQUIT, SIGILL,  SIGTRAP, SIGABRT, SIGBUS,
        SIGFPE,  SIGKILL, SIGUSR1, SIGSEGV, SIGUSR2, SIGPIPE, SIGALRM, SIGTERM,
        SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG,  SIGXCPU,
        SIGXFSZ, SIGVTALRM, SIGPROF, SIGWINCH, SIGPOLL, SIGPWR, SIGSYS,
    };
    if (signal_number >= sizeof signals / sizeof *signals)
        return -WASI_INVAL;
    const int number = signals[signal_number];
    if (number == 0)
        return 0;
    signal(number, SIG_DFL); /* all that the runtime handles end the process: nothing to put back */
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    return result_of(raise(number));
}

/* -- Waiting ------------------------------------------------------------------------------ */

static int copy_ready(struct mvvm_os_pollfd *fds, const struct pollfd *raw, size_t count)
{
    int ready = 0;
    for (size_t i = 0; i < count; i++) {
        short events = raw[i].revents;
        fds[i].readable = events & (POLLIN | POLLHUP | POLLERR);
        fds[i].writable = events & (POLLOUT | POLLERR);
        fds[i].hangup = events & POLLHUP;
        fds[i].error = events & (POLLERR | POLLNVAL);
        ready += events != 0;
    }
    return ready;
}

/* The request signals are blocked in here: a request is either seen by the test or ends ppoll. */
static int wait_blocked(struct pollfd *raw, size_t count, uint64_t deadline_ns, const sigset_t *old)
{
    for (;;) {
        if (mvvm_checkpoint_wanted())
            return MVVM_OS_INTERRUPTED;
        struct timespec left = {0};
        if (deadline_ns != UINT64_MAX) {
            uint64_t now = mvvm_os_monotonic_ns();
            left = from_ns(deadline_ns > now ? deadline_ns - now : 0);
        }
        int ready = ppoll(raw, count, deadline_ns == UINT64_MAX ? NULL : &left, old);
        if (ready > 0)
            return ready;
        if (ready == 0 && mvvm_os_monotonic_ns() >= deadline_ns)
            return 0;
        if (ready < 0 && errno != EINTR)
            return mvvm_os_error(errno);
    }
}

int mvvm_os_poll(struct mvvm_os_pollfd *fds, size_t count, uint64_t deadline_ns)
{
    struct pollfd few[4];
    struct pollfd *raw = count <= 4 ? few : calloc(count, sizeof *raw);
    if (raw == NULL)
        return -WASI_NOMEM;
    for (size_t i = 0; i < count; i++) {
        int events = (fds[i].want_read ? POLLIN : 0) | (fds[i].want_write ? POLLOUT : 0);
        raw[i] = (struct pollfd){.fd = fds[i].fd, .events = (short)events};
    }
    int ready = count > 0 ? poll(raw, count, 0) : 0; /* mostly ready: no need to touch signals */
    if (ready < 0 && errno != EINTR) {
        ready = mvvm_os_error(errno);
    } else if (ready <= 0) {
        sigset_t requests, old;
        sigemptyset(&requests);
        sigaddset(&requests, SIGUSR1);
        sigaddset(&requests, SIGALRM);
        sigprocmask(SIG_BLOCK, &requests, &old);
        ready = wait_blocked(raw, count, deadline_ns, &old);
        sigprocmask(SIG_SETMASK, &old, NULL);
    }
    if (ready > 0)
        ready = copy_ready(fds, raw, count);
    if (raw != few)
        free(raw);
    return ready;
}

/* -- Streams ------------------------------------------------------------------------------ */

unsigned mvvm_os_prepare_streams(void)
{
    unsigned open_streams = 0;
    signal(SIGPIPE, SIG_IGN);
    for (int stream = 0; stream < 3; stream++) {
        if (fcntl(stream, F_GETFD) >= 0)
            open_streams |= 1u << stream;
        else
            mvvm_os_drop_stream(stream);
    }
    return open_streams;
}

void mvvm_os_drop_stream(int fd)
{
    if (fd == STDERR_FILENO && fcntl(fd, F_GETFD) >= 0)
        return;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || null == fd)
        return; /* it took the lowest free number, which was this one */
    dup2(null, fd);
    close(null);
}

/* -- Open files --------------------------------------------------------------------------- */

#define MAX_IOVECS 1024

static size_t convert_iovecs(const struct mvvm_os_iovec *from, size_t count, struct iovec *to)
{
    if (count > MAX_IOVECS)
        count = MAX_IOVECS;
    for (size_t i = 0; i < count; i++)
        to[i] = (struct iovec){.iov_base = from[i].base, .iov_len = from[i].size};
    return count;
}

int64_t mvvm_os_read(int fd, const struct mvvm_os_iovec *iovecs, size_t count, uint64_t offset)
{
    struct iovec raw[MAX_IOVECS];
    int number = (int)convert_iovecs(iovecs, count, raw);
    ssize_t size = offset == MVVM_OS_AT_POSITION ? readv(fd, raw, number)
                                                 : preadv(fd, raw, number, (off_t)offset);
    return size < 0 ? mvvm_os_error(errno) : size;
}

int64_t mvvm_os_write(int fd, const struct mvvm_os_iovec *iovecs, size_t count, uint64_t offset)
{
    struct iovec raw[MAX_IOVECS];
    int number = (int)convert_iovecs(iovecs, count, raw);
    ssize_t size = offset == MVVM_OS_AT_POSITION ? writev(fd, raw, number)
                                                 : pwritev(fd, raw, number, (off_t)offset);
    return size < 0 ? mvvm_os_error(errno) : size;
}

int64_t mvvm_os_seek(int fd, int64_t offset, unsigned whence)
{
    static const int whences[] = {SEEK_SET, SEEK_CUR, SEEK_END};
    off_t position = lseek(fd, offset, whences[whence]);
    return position < 0 ? mvvm_os_error(errno) : position;
}

uint64_t mvvm_os_readable_bytes(int fd)
{
    int count = 0;
    return ioctl(fd, FIONREAD, &count) == 0 && count > 0 ? (uint64_t)count : 0;
}

int mvvm_os_sync(int fd, bool data_only)
{
    return result_of(data_only ? fdatasync(fd) : fsync(fd));
}

int mvvm_os_set_size(int fd, uint64_t size)
{
    return result_of(ftruncate(fd, (off_t)size));
}

int mvvm_os_allocate(int fd, uint64_t offset, uint64_t size)
{
    int error = posix_fallocate(fd, (off_t)offset, (off_t)size);
    return error == 0 ? 0 : mvvm_os_error(error);
}

int mvvm_os_advise(int fd, uint64_t offset, uint64_t size, uint8_t advice)
{
    static const int advices[] = {POSIX_FADV_NORMAL,   POSIX_FADV_SEQUENTIAL, POSIX_FADV_RANDOM,
                                  POSIX_FADV_WILLNEED, POSIX_FADV_DONTNEED,   POSIX_FADV_NOREUSE};
    int error = posix_fadvise(fd, (off_t)offset, (off_t)size, advices[advice]);
    return error == 0 ? 0 : mvvm_os_error(error);
}

int mvvm_os_set_append(int fd, bool append)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return mvvm_os_error(errno);
    return result_of(fcntl(fd, F_SETFL, append ? flags | O_APPEND : flags & ~O_APPEND));
}

int mvvm_os_scratch_file(void)
{
    return result_of(memfd_create("removed", MFD_CLOEXEC));
}

void mvvm_os_close(int fd)
{
    close(fd);
}

int mvvm_os_stat(int fd, struct mvvm_os_stat *stat)
{
    struct stat raw;
    if (fstat(fd, &raw) < 0)
        return mvvm_os_error(errno);
    mvvm_os_convert_stat(&raw, stat);
    return 0;
}

int mvvm_os_set_times(int fd, const struct mvvm_os_times *times)
{
    struct timespec raw[2];
    mvvm_os_convert_times(times, raw);
    return result_of(futimens(fd, raw));
}

/* -- Directories -------------------------------------------------------------------------- */

static uint8_t entry_filetype(const struct dirent *entry, int fd)
{
    switch (entry->d_type) {
    case DT_REG: return WASI_FILETYPE_REGULAR_FILE;
    case DT_DIR: return WASI_FILETYPE_DIRECTORY;
    case DT_LNK: return WASI_FILETYPE_SYMBOLIC_LINK;
    case DT_CHR: return WASI_FILETYPE_CHARACTER_DEVICE;
    case DT_BLK: return WASI_FILETYPE_BLOCK_DEVICE;
    case DT_SOCK: return WASI_FILETYPE_SOCKET_STREAM;
    case DT_UNKNOWN: break; /* some file systems do not tell */
    default: return WASI_FILETYPE_UNKNOWN;
    }
    struct stat raw;
    if (fstatat(fd, entry->d_name, &raw, AT_SYMLINK_NOFOLLOW) < 0)
        return WASI_FILETYPE_UNKNOWN;
    return filetype_of(raw.st_mode);
}

int mvvm_os_list(int fd, mvvm_os_entry_fn *each, void *data)
{
    int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* a position of its own */
    if (own < 0)
        return mvvm_os_error(errno);
    DIR *directory = fdopendir(own);
    if (directory == NULL) {
        int error = mvvm_os_error(errno);
        close(own);
        return error;
    }
    int result = 0;
    const struct dirent *entry;
    while (result == 0 && (errno = 0, entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = each(data, entry->d_name, entry->d_ino, entry_filetype(entry, own));
    }
    if (result == 0 && errno != 0)
        result = mvvm_os_error(errno);
    closedir(directory);
    return result;
}

int mvvm_os_open_directory(const char *host_path)
{
    return result_of(open(host_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

bool mvvm_os_absolute_path(const char *host_path, char *out, size_t size)
{
    char resolved[PATH_MAX];
    if (realpath(host_path, resolved) == NULL || strlen(resolved) >= size)
        return false;
    memcpy(out, resolved, strlen(resolved) + 1);
    return true;
}
