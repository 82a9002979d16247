/* What the files share that make, save and load the state: wasi_state.c, wasi_snapshot.c,
 * wasi_reopen.c, wasi_files.c and wasi_sock.c. Nobody else includes it. */
#ifndef MVVM_WASI_STATE_H
#define MVVM_WASI_STATE_H

#include "mvvm_wasi.h"

/* A message in static storage, which the next call overwrites. */
const char *mvvm_wasi_message(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *mvvm_wasi_error_text(int error);
extern const char *mvvm_wasi_no_memory;

struct mvvm_wasi_dir {
    char *host;
    char *guest;
};
struct mvvm_wasi_dirs {
    uint32_t count;
    struct mvvm_wasi_dir *items;
};
/* MVVM_DIRS; NULL or a message. Free it in either case. */
const char *mvvm_wasi_dirs_parse(const char *text, struct mvvm_wasi_dirs *dirs);
void mvvm_wasi_dirs_free(struct mvvm_wasi_dirs *dirs);

/* wasi_sock.c: the next of the addresses "A;B;C"; false at the end. */
bool mvvm_wasi_next_address(const char **list, char address[MVVM_WASI_MAX_ADDRESS]);
/* Listens, and puts the entry with its socket at `fd`. NULL or a message. */
const char *mvvm_wasi_listen(uint32_t fd, const char *address, struct mvvm_wasi_fd *entry);
/* All of the settings' addresses, at `first_fd` and the numbers behind it. */
const char *mvvm_wasi_add_listeners(uint32_t first_fd);

/* wasi_files.c: a file in the section. */
struct mvvm_wasi_packed {
    uint32_t fd_count;
    const uint8_t *fds; /* u32 each, unaligned */
    uint64_t size;
    const uint8_t *bytes;
    int scratch_fd; /* of a removed file: its contents, once they are needed; else -1 */
};
struct mvvm_wasi_packed_files {
    uint32_t count;
    struct mvvm_wasi_packed *items;
};
const char *mvvm_wasi_write_packed(struct mvvm_writer *w);
/* False: malformed, or no memory. Free them in either case. */
bool mvvm_wasi_read_packed(struct mvvm_reader *r, struct mvvm_wasi_packed_files *files);
void mvvm_wasi_packed_free(struct mvvm_wasi_packed_files *files);
struct mvvm_wasi_packed *mvvm_wasi_find_packed(struct mvvm_wasi_packed_files *files, uint32_t fd);
/* Opens a removed file's contents: a descriptor or a negative errno. */
struct mvvm_os_open;
int mvvm_wasi_unpack_removed(struct mvvm_wasi_packed *file, const struct mvvm_os_open *how,
                             uint64_t mtime_ns);
/* Writes a file that is missing, and the directories on its way. An errno. */
int mvvm_wasi_unpack(const struct mvvm_wasi_packed *file, int root, const char *path,
                     uint64_t mtime_ns);
bool mvvm_wasi_has_contents(int fd, const struct mvvm_wasi_packed *file);

/* One descriptor of the section. */
struct mvvm_wasi_row {
    uint32_t fd; /* HIDDEN_FD plus a root's number: a pre-open that the guest has closed */
    uint8_t kind, filetype;
    uint16_t flags;
    uint64_t rights_base, rights_inheriting, offset;
    uint32_t base_fd;
    uint64_t size, mtime_ns;
    char *path, *host_path;
};
#define MVVM_WASI_HIDDEN_FD 0x80000000u
#define MVVM_WASI_REMOVED_SIZE UINT64_MAX

struct mvvm_wasi_rows {
    uint32_t count;
    struct mvvm_wasi_row *items;
};
/* wasi_reopen.c: opens sound rows. NULL or a message. */
const char *mvvm_wasi_open_rows(const struct mvvm_wasi_rows *rows,
                                const struct mvvm_wasi_dirs *dirs,
                                struct mvvm_wasi_packed_files *files);

/* The descriptor of a pre-open. */
struct mvvm_wasi_fd mvvm_wasi_preopen(uint32_t root);

#endif
