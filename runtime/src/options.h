/* The MVVM_ environment variables: docs/internals.md, section 5. */
#ifndef MVVM_OPTIONS_H
#define MVVM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mvvm_options {
    const char *snapshot_path; /* where a checkpoint is written */
    const char *restore_path;  /* NULL: start */
    const char *dirs;
    const char *control_dir;
    bool sync; /* snapshots are forced to the disk */
    bool load_late; /* large snapshots are loaded while the program runs */
    double checkpoint_every; /* 0: never */
    size_t stack_size;
};

extern struct mvvm_options mvvm_options;

/* Ends the process with a message when a variable is bad. */
void mvvm_options_parse(const char *program);

/* An unsigned decimal number of at most `max`, or the process ends. `text` may be NULL:
 * `otherwise`. */
uint64_t mvvm_option_number(const char *name, uint64_t max, uint64_t otherwise);

#endif
