/* What wasi_state.c and wasi_snapshot.c share; nobody else includes it. */
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

/* The descriptor of a pre-open. */
struct mvvm_wasi_fd mvvm_wasi_preopen(uint32_t root);

#endif
