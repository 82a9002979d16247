/* Wasm frames as values: lifted from native frames, written as native frames. docs/internals.md,
 * sections 2 to 4. */
#ifndef MVVM_FRAMES_H
#define MVVM_FRAMES_H

#include "frame_table.h"
#include "internal.h"

/* A reference stands as its func_index, UINT32_MAX for null, in value.i32. */
struct mvvm_frame_value {
    uint32_t local_index; /* UINT32_MAX: an operand */
    uint8_t valtype;
    union mvvm_value value;
};

struct mvvm_frame {
    uint32_t func_index, offset;
    uint32_t n_locals, n_operands;
    size_t first; /* in `values`: the locals, ascending, then the operands, bottom first */
};

struct mvvm_frames {
    struct mvvm_frame *frames; /* outermost first */
    size_t count, frame_capacity;
    struct mvvm_frame_value *values;
    size_t value_count, value_capacity;
};

bool mvvm_frames_add(struct mvvm_frames *frames, const struct mvvm_frame *frame);
bool mvvm_frames_add_value(struct mvvm_frames *frames, const struct mvvm_frame_value *value);
void mvvm_frames_free(struct mvvm_frames *frames);

/* Native frames -> Wasm frames, from `position` to mvvm_wasm_return. `skip_innermost`: leave out
 * the import stub that called env.__checkpoint. NULL, or what is wrong (a bug of ours, or state
 * that cannot move). */
const char *mvvm_lift(struct mvvm_frames *out, const struct mvvm_position *position,
                      bool skip_innermost);

/* Checks every frame against the frame table: NULL, or why the frames do not fit this executable.
 * `*stack_size` is what mvvm_materialize needs. */
const char *mvvm_check_frames(const struct mvvm_instance *instance,
                              const struct mvvm_frames *frames, size_t *stack_size);

/* Checked Wasm frames -> native frames that end at the stack's top. */
struct mvvm_position mvvm_materialize(const struct mvvm_instance *instance,
                                      const struct mvvm_frames *frames,
                                      const struct mvvm_stack *stack);

/* Writes checked frames to mvvm_stack, which has room for them, frees them, and runs `entry` (which goes
 * on from mvvm_last_frame) in a new entry. 0 when the outermost function has returned, with its
 * results unless `results` is NULL; else a trap's code. In invoke.c. */
int mvvm_enter_frames(const struct mvvm_instance *instance, struct mvvm_frames *frames,
                      void (*entry)(void), union mvvm_value *results);

/* The homes of the frame at `position`; NULL when it is not an import stub. */
uint64_t *mvvm_host_frame(const struct mvvm_position *position,
                          const struct mvvm_instance **instance, uint32_t *func_index);

#endif
