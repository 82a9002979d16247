/* All that the runtime asks an operating system for. One file per kernel implements it (src/os_posix.c).
 * Functions that can fail return 0 or a negative errno unless said otherwise. */
#ifndef MVVM_OS_H
#define MVVM_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* -- Memory (os_memory.c) -- */
void *mvvm_os_reserve(size_t size);                       /* inaccessible; NULL on failure */
int mvvm_os_commit(void *address, size_t size);           /* readable and writable, zero */
void mvvm_os_release(void *address, size_t size);
int mvvm_os_forbid(void *address, size_t size);           /* inaccessible; contents may be lost */
size_t mvvm_os_page_size(void);

#define MVVM_OS_LARGE_PAGE ((size_t)2 << 20)
/* Large pages save faults and translations of addresses. Only advice, for what is committed there now or later. */
void mvvm_os_prefer_large_pages(void *address, size_t size);

/* Memory that is filled beside and then put over other memory, which other threads see as a whole or not at all. */
struct mvvm_os_stage {
    uint8_t *at; /* `size` bytes, zero */
    size_t size;
    void *block; /* the mapping around it */
    size_t block_size;
};
/* `size`: a multiple of the page size. `is_large`: in a large page, if that is its size. Both are async-signal-safe
 * and return false when the system refuses. */
bool mvvm_os_open_stage(struct mvvm_os_stage *stage, size_t size, bool is_large);
/* The stage becomes what is at `to`, and is gone, in any case. */
bool mvvm_os_move_stage(const struct mvvm_os_stage *stage, void *to);

/* -- The helper thread (os_thread.c) -- */
/* Runs `work(data)` in a thread that takes no signals but for faults, one at a time. False: there can be none. */
bool mvvm_os_start_thread(void (*work)(void *), void *data);
void mvvm_os_join_thread(void);
extern bool mvvm_os_test_no_thread; /* there can be none. Tests set it. */
void mvvm_os_let_others_run(void);  /* async-signal-safe */

/* -- Faults and checkpoint requests (os_signal.c) -- */
/* Installs the fault handler (alternate stack) and the SIGUSR1/timer handlers, once. */
void mvvm_os_install_handlers(void);
int mvvm_os_start_timer(double seconds);

/* -- Clocks and waiting (os_file.c) -- */
uint64_t mvvm_os_monotonic_ns(void);
uint64_t mvvm_os_realtime_ns(void);

struct mvvm_os_pollfd {
    int fd;
    bool want_read, want_write;   /* in */
    bool readable, writable, hangup, error; /* out */
};
/* Waits until a descriptor is ready, `deadline_ns` (host monotonic, UINT64_MAX: never) has passed, or a checkpoint is
 * wanted. A request that arrives just before the wait is not lost (signals are blocked while it is looked at). Returns
 * the number of ready descriptors, 0 at the deadline, or MVVM_OS_INTERRUPTED. */
#define MVVM_OS_INTERRUPTED (-100000)
int mvvm_os_poll(struct mvvm_os_pollfd *fds, size_t count, uint64_t deadline_ns);

/* -- Files (os_file.c, os_path.c) -- */
/* Functions from here on return a result of 0 or more, or the negative number of a WASI error
 * (enum mvvm_wasi_errno); file types are WASI's. Times are nanoseconds since 1970. */
/* The processor time of the calling thread, which is the guest's: a helper's is not counted. */
uint64_t mvvm_os_guest_cpu_ns(void);
/* Of the clocks: 0 real time, 1 monotonic, 2 process CPU time, 3 thread CPU time. */
uint64_t mvvm_os_clock_resolution_ns(uint32_t clock);
void mvvm_os_yield(void);
int mvvm_os_random(void *bytes, size_t size);
/* Once, before anything is opened: writing to a closed pipe becomes an error, and streams that are closed
 * are filled so that no file gets their numbers. Bit n of the result: stream n was open. */
unsigned mvvm_os_prepare_streams(void);
/* Lets go of a stream; its number stays taken. Standard error is kept, messages go there. */
void mvvm_os_drop_stream(int fd);

struct mvvm_os_iovec {
    void *base;
    size_t size;
};
#define MVVM_OS_AT_POSITION UINT64_MAX
int64_t mvvm_os_read(int fd, const struct mvvm_os_iovec *iovecs, size_t count, uint64_t offset);
int64_t mvvm_os_write(int fd, const struct mvvm_os_iovec *iovecs, size_t count, uint64_t offset);
/* `whence` 0 start, 1 position, 2 end. */
int64_t mvvm_os_seek(int fd, int64_t offset, unsigned whence);
/* How many bytes can be read without waiting, as far as the system tells. */
uint64_t mvvm_os_readable_bytes(int fd);
int mvvm_os_sync(int fd, bool data_only);
/* Has the system start writing these bytes to the disk, without waiting. Only advice. */
void mvvm_os_start_writing(int fd, uint64_t offset, uint64_t size);
int mvvm_os_set_size(int fd, uint64_t size);
int mvvm_os_allocate(int fd, uint64_t offset, uint64_t size);
/* `advice`: WASI's 0 normal, 1 sequential, 2 random, 3 will need, 4 do not need, 5 no reuse. */
int mvvm_os_advise(int fd, uint64_t offset, uint64_t size, uint8_t advice);
int mvvm_os_set_append(int fd, bool append);
void mvvm_os_close(int fd);
struct mvvm_os_open;
/* The open file again, with a position of its own; of `how`, what is opened for and the flags count. */
int mvvm_os_reopen(int fd, const struct mvvm_os_open *how);
/* A file without a name that goes with its last descriptor. */
int mvvm_os_scratch_file(void);
/* `signal` is WASI's number; its default action, whatever the runtime uses it for. */
int mvvm_os_raise(uint32_t signal);

struct mvvm_os_stat {
    uint64_t device, inode, links, size;
    uint64_t atime_ns, mtime_ns, ctime_ns;
    uint8_t filetype;
};
int mvvm_os_stat(int fd, struct mvvm_os_stat *stat);

struct mvvm_os_times {
    uint64_t atime_ns, mtime_ns;
    unsigned flags; /* WASI's fstflags; a time that has no flag stays */
};
int mvvm_os_set_times(int fd, const struct mvvm_os_times *times);

/* One directory's entries but "." and "..", in the system's order. A callback's non-zero result ends it
 * and is returned. */
typedef int mvvm_os_entry_fn(void *data, const char *name, uint64_t inode, uint8_t filetype);
int mvvm_os_list(int fd, mvvm_os_entry_fn *each, void *data);

/* Opens a directory of the host for a pre-open. */
int mvvm_os_open_directory(const char *host_path);
/* The path from the root, without symbolic links; false when it cannot be told or does not fit. */
bool mvvm_os_absolute_path(const char *host_path, char *out, size_t size);
/* Where an open file is now relative to the directory `root`: false when that cannot be told. */
bool mvvm_os_path_beneath(int root, int fd, char *path, size_t size);

/* Paths below the directory `dir`: none leads out of it, by "..", as an absolute path, through a symbolic link
 * or by a change made while it is looked up; WASI_PERM is the answer. `follow`: a symbolic link at the
 * path's end is followed. */
struct mvvm_os_open {
    bool read, write, follow;
    bool create, exclusive, truncate, directory;
    unsigned fdflags; /* WASI's; nonblock is the caller's affair: every descriptor that can block is
                       * opened such that reading and writing do not */
};
/* WASI_NXIO: a pipe that nobody has open for reading. */
int mvvm_os_open_beneath(int dir, const char *path, const struct mvvm_os_open *how);
int mvvm_os_stat_beneath(int dir, const char *path, bool follow, struct mvvm_os_stat *stat);
int mvvm_os_set_times_beneath(int dir, const char *path, bool follow, const struct mvvm_os_times *times);
int mvvm_os_mkdir_beneath(int dir, const char *path);
int mvvm_os_remove_beneath(int dir, const char *path, bool directory);
int mvvm_os_symlink_beneath(const char *target, int dir, const char *path);
/* Returns the number of bytes, at most `size`. */
int64_t mvvm_os_readlink_beneath(int dir, const char *path, char *target, size_t size);
int mvvm_os_rename_beneath(int old_dir, const char *old_path, int new_dir, const char *new_path);
int mvvm_os_link_beneath(int old_dir, const char *old_path, bool follow, int new_dir, const char *new_path);
/* -- Sockets (os_socket.c): streams, none of which blocks -- */
/* `host`: a numeric address. WASI_INVAL if it is none. */
int mvvm_os_listen(const char *host, uint16_t port);
int mvvm_os_accept(int fd);
int64_t mvvm_os_receive(int fd, const struct mvvm_os_iovec *iovecs, size_t count, bool peek);
int64_t mvvm_os_send(int fd, const struct mvvm_os_iovec *iovecs, size_t count);
int mvvm_os_shutdown(int fd, bool reading, bool writing);

/* False: the kernel's own confined lookup (openat2) is not used. Tests set it. */
extern bool mvvm_os_use_openat2;

#endif
