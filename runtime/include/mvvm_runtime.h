/* The runtime's own interfaces: instances, host functions, traps, checkpoints, snapshots. */
#ifndef MVVM_RUNTIME_H
#define MVVM_RUNTIME_H

#include <stdio.h>

#include "mvvm_module.h"

struct mvvm_instance {
    const struct mvvm_module *module;
    struct mvvm_func *funcs; /* module->func_count descriptors */
    uint32_t func_id_base;   /* process-wide number of funcs[0] */
    uint32_t *data_sizes;    /* current sizes: 0 once dropped */
    uint32_t *elem_sizes;
    uint8_t *data_dropped;
    uint8_t *elem_dropped;
    uint64_t memory_max_pages;
};

/* -- Host functions ----------------------------------------------------------------------- */

enum mvvm_host_status {
    MVVM_HOST_DONE = 0,
    /* A checkpoint was asked for while the function waited and nothing has happened yet: leave, and issue the
     * very same call again (here or in another process). */
    MVVM_HOST_INTERRUPTED = 1,
};

/* `slots`: argument k in slots[2 * k], low bytes first; result j goes to slots[2 * j]. */
typedef enum mvvm_host_status mvvm_host_fn(struct mvvm_instance *instance, uint64_t *slots);

struct mvvm_host_func {
    const char *module;
    const char *name;
    const char *signature; /* "iIfF:i": i i32, I i64, f f32, F f64; params ':' results */
    mvvm_host_fn *fn;
};

/* Both are ended by a row of NULLs. The runtime looks in `mvvm_wasi_funcs` and `mvvm_env_funcs`. */
extern const struct mvvm_host_func mvvm_wasi_funcs[];
extern const struct mvvm_host_func mvvm_env_funcs[];

/* Guest memory: NULL when [address, address + size) is not inside it (size 0 is inside up to the end). */
static inline void *mvvm_guest(const struct mvvm_instance *instance, uint32_t address, uint64_t size)
{
    const struct mvvm_context *context = instance->module->context;
    return (uint64_t)address + size <= context->memory_bytes ? context->memory_base + address : NULL;
}

/* -- Checkpoint requests ------------------------------------------------------------------ */

/* Non-zero: leave at the next point. Generated code polls it. */
extern uint32_t mvvm_flag;

/* True while a checkpoint is wanted: a waiting host function returns MVVM_HOST_INTERRUPTED then. Read with
 * the request signals blocked, and wait with them unblocked (mvvm_os_poll does). */
bool mvvm_checkpoint_wanted(void);

/* env.__checkpoint: the caller's frame is innermost and its call has returned. */
void mvvm_checkpoint_now(bool stop);

/* A resumed program's memory may still be being loaded and checked (restore_pages.c). Comes before everything that
 * shows outside of the process, and before the system is given addresses in that memory; ends the process if the
 * snapshot is damaged. */
void mvvm_settle(void);

/* -- Byte streams for snapshot sections --------------------------------------------------- */

struct mvvm_writer; /* never fails to the caller: an error is kept and reported at the end */
void mvvm_write_bytes(struct mvvm_writer *w, const void *bytes, size_t size);
void mvvm_write_u8(struct mvvm_writer *w, uint8_t value);
void mvvm_write_u16(struct mvvm_writer *w, uint16_t value);
void mvvm_write_u32(struct mvvm_writer *w, uint32_t value);
void mvvm_write_u64(struct mvvm_writer *w, uint64_t value);
void mvvm_write_str(struct mvvm_writer *w, const char *bytes, size_t size); /* u32 length + bytes */

/* Reading past the end sets the reader's error and yields zeros. */
struct mvvm_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};
const uint8_t *mvvm_read_bytes(struct mvvm_reader *r, size_t size); /* NULL when too short */
uint8_t mvvm_read_u8(struct mvvm_reader *r);
uint16_t mvvm_read_u16(struct mvvm_reader *r);
uint32_t mvvm_read_u32(struct mvvm_reader *r);
uint64_t mvvm_read_u64(struct mvvm_reader *r);
const char *mvvm_read_str(struct mvvm_reader *r, size_t *size); /* not NUL-terminated; NULL when failed */

/* -- WASI state, for the snapshot ---------------------------------------------------------- */

/* Start: arguments, environment without MVVM_*, pre-opens from `dirs` (MVVM_DIRS syntax, may be NULL).
 * Returns NULL, or a message that says what is wrong (static or leaked storage). */
const char *mvvm_wasi_init(int argc, char **argv, char **envp, const char *dirs);
/* What the user asked for; set before anything of WASI is called. */
struct mvvm_wasi_settings {
    const char *listen;       /* MVVM_LISTEN or NULL */
    bool allow_changed_files; /* go on with files that have changed or are missing */
    bool with_files;          /* contents of all open files go into snapshots */
    bool refuse_connections;  /* no snapshot while there is an accepted connection */
    void (*before_effect)(void); /* called by a load before anything outside of the process changes; or NULL */
};
extern struct mvvm_wasi_settings mvvm_wasi_settings;
/* NULL, or why it cannot be saved. */
const char *mvvm_wasi_save(struct mvvm_writer *w);
/* Resume: the WASI section. `dirs` remaps pre-opens by guest name. Returns NULL or a message. *bad_snapshot
 * tells a malformed section (true) from something missing on this machine (false). */
const char *mvvm_wasi_load(struct mvvm_reader *r, const char *dirs, bool *bad_snapshot);

/* -- Traps ---------------------------------------------------------------------------------- */

_Noreturn void mvvm_trap(int code);   /* from generated code, on the Wasm stack (arch) */
_Noreturn void mvvm_unwind(int code); /* on the host stack: mvvm_enter_wasm returns `code` (arch) */
const char *mvvm_trap_message(int code);

/* Ends the process: flushes nothing of the guest's, runs the test hooks (hash of memory), exits. */
_Noreturn void mvvm_exit(int status);
/* "mvvm-aot: ..." on standard error, then exits with `status`. */
_Noreturn void mvvm_fatal(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
