/* A module as the compiler would describe it, with a frame table but no code: enough to lift,
 * materialize, save and load.
 *
 * Functions: 0 imports env.__checkpoint (i32) -> (); 1 is _start, which calls 2; 2 (i64) -> (i64)
 * polls at a loop. */
#ifndef FAKE_MODULE_H
#define FAKE_MODULE_H

#include "checkpoint.h"

enum {
    START_CALL = 0x40,   /* in 1: calls 2; locals 0 i32, 2 f64, 5 v128; one operand i64 */
    START_IMPORT = 0x48, /* in 1: calls import 0 */
    INNER_POLL = 0x60,   /* in 2: locals 0 i64, 1 funcref; fills: a constant, two homes' addresses */
    INNER_FILLS = 33,    /* where these are in the value stream: their number, then 6, 3, 3 bytes */
    THUNK_FILLS = 48,    /* the thunk's: the address of a home */
};

extern struct mvvm_module fake_module;
extern uint8_t fake_text[4096], fake_frame_table[1024];
extern const struct mvvm_host_func fake_funcs[];

/* Writes the frame table; returns its size. */
size_t fake_build_table(uint8_t *out);
/* Prepares the one instance, with a table, globals and some memory filled in. */
struct mvvm_instance *fake_instance(void);
/* Frames that fit the table: _start at START_CALL, 2 at INNER_POLL. */
struct mvvm_frames fake_frames(void);

#endif
