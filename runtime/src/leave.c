/* Leaving generated code: polls, host calls, and what a checkpoint does there. docs/internals.md,
 * sections 2 and 3.
 *
 * Everything here runs on the host stack while generated code waits at a point, so its frames are
 * closed. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* register names in <ucontext.h> */
#endif

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "arch.h"
#include "checkpoint.h"
#include "options.h"

enum mvvm_phase mvvm_phase = MVVM_PHASE_EMBEDDED;

/* The outermost frame tells whether `_start` is still to be called: not when both are one function.
 */
static bool start_is_ambiguous(const struct mvvm_module *module)
{
    const struct mvvm_export *start = mvvm_find_export(module->context->instance, "_start");
    return start != NULL && start->kind == MVVM_EXTERN_FUNC && start->index == module->start_func;
}

/* Why the outermost frame would mislead a resume, or NULL: a tail call gives a frame's place away. */
static const char *misleading_frame(const struct mvvm_module *module,
                                    const struct mvvm_frames *frames)
{
    if (mvvm_phase == MVVM_PHASE_EMBEDDED || frames->count == 0)
        return NULL;
    const bool starting = frames->frames[0].func_index == module->start_func;
    if (starting == (mvvm_phase == MVVM_PHASE_START_FUNC))
        return NULL;
    return starting ? "_start has left its place to the module's start function (a tail call)"
                    : "the module's start function has left its place to another (a tail call)";
}

const char *mvvm_checkpoint_write(const char *path, const char *reason, bool skip_innermost)
{
    if (mvvm_module_count != 1)
        return "an executable of several modules cannot be checkpointed";
    if (!mvvm_modules[0]->migratable)
        return "the program was translated with --no-migration";
    if (start_is_ambiguous(mvvm_modules[0]))
        return "the module's start function is also its _start";
    if (mvvm_depth != 1)
        return "a function that another module imports is being called";
    mvvm_settle();
    struct mvvm_frames frames = {0};
    const char *message = mvvm_lift(&frames, &mvvm_last_frame, skip_innermost);
    if (message == NULL)
        message = misleading_frame(mvvm_modules[0], &frames);
    if (message == NULL)
        message = mvvm_snapshot_write(mvvm_modules[0]->context->instance, &frames, path, reason);
    mvvm_frames_free(&frames);
    return message;
}

_Noreturn static void end_checkpointed(void)
{
    mvvm_test_exit(true);
    _exit(MVVM_EXIT_CHECKPOINTED);
}

/* Serves what is pending; does not return after a checkpoint that stops. */
static void serve_requests(void)
{
    static struct mvvm_request request;
    while (mvvm_take_request(&request)) {
        if (request.stop)
            mvvm_test_left();
        const bool always = mvvm_wasi_settings.with_files;
        mvvm_wasi_settings.with_files = always || request.with_files;
        const char *error = mvvm_checkpoint_write(request.path, request.reason, false);
        mvvm_wasi_settings.with_files = always;
        mvvm_answer_request(&request, error);
        if (error == NULL && request.stop)
            end_checkpointed();
    }
}

static void report_test(const char *message)
{
    if (message != NULL)
        fprintf(stderr, "mvvm-aot: checkpoint failed: %s\n", message);
}

/* A second stack of the first one's size, all poison. */
static const char *create_other_stack(struct mvvm_stack *other)
{
    if (other->reservation != NULL)
        return NULL;
    if (mvvm_stack_create(other, mvvm_stack.size) != 0)
        return "no memory for a second stack";
    memset(mvvm_stack_top(other) - other->size, mvvm_poison_bytes[0], other->size);
    return NULL;
}

const char *mvvm_test_lift(struct mvvm_frames *out, const struct mvvm_instance **instance)
{
    struct mvvm_site site;
    if (mvvm_depth != 1)
        return "a function that another module imports is being called";
    if (!mvvm_find_point(mvvm_last_frame.pc, &site))
        return "internal error: no point has the return address";
    if (!site.table->module->migratable)
        return "the module was translated with --no-migration";
    if (mvvm_last_frame.sp < (uintptr_t)mvvm_stack_top(&mvvm_stack) - mvvm_stack.size)
        return "the innermost frame reaches below the stack";
    *instance = site.table->module->context->instance;
    return mvvm_lift(out, &mvvm_last_frame, false);
}

/* In place of going on: the frames are lifted, everything is poisoned, and the frames are written
 * to another stack. Frames that cannot move (mvvm_test_lift says why) go on as they are and are
 * counted; one that reaches below the stack, into the guard, overflows at its next call. */
static void roundtrip(void)
{
    static struct mvvm_stack other;
    struct mvvm_frames frames = {0};
    const struct mvvm_instance *instance = NULL;
    size_t needed = 0;
    const char *message = mvvm_test_lift(&frames, &instance);
    if (message != NULL && strncmp(message, "internal error", 14) != 0) {
        mvvm_test_stay(message);
        mvvm_frames_free(&frames);
        return;
    }
    if (message == NULL)
        message = mvvm_check_frames(instance, &frames, &needed);
    if (message == NULL)
        message = create_other_stack(&other);
    if (message == NULL && needed > other.size)
        message = "the second stack is too small";
    if (message != NULL)
        mvvm_fatal(MVVM_EXIT_SYSTEM, "round trip failed: %s", message);
    const struct mvvm_stack old = mvvm_stack;
    const uintptr_t old_sp = mvvm_last_frame.sp;
    mvvm_last_frame = mvvm_materialize(instance, &frames, &other);
    mvvm_frames_free(&frames);
    mvvm_stack = other;
    other = old;
    /* What was called since the last time may have left traces below sp. */
    const uintptr_t low = (uintptr_t)mvvm_stack_top(&other) - other.size;
    const uintptr_t from = old_sp - low > MVVM_GUARD_SIZE ? old_sp - MVVM_GUARD_SIZE : low;
    memset((void *)from, mvvm_poison_bytes[0], (uintptr_t)mvvm_stack_top(&other) - from);
    mvvm_test_moves++;
    mvvm_continue();
}

static void serve_tests(void)
{
    const struct mvvm_test_action action = mvvm_test_leave();
    if (action.path != NULL) {
        report_test(mvvm_checkpoint_write(action.path, "test", false));
        mvvm_test_dump_stack(action.path);
    }
    if (action.stop) {
        const char *message = mvvm_checkpoint_write(mvvm_options.snapshot_path, "test", false);
        report_test(message);
        if (message == NULL)
            end_checkpointed();
    }
    if (mvvm_test_on_leave != NULL)
        mvvm_test_on_leave();
    if (action.roundtrip)
        roundtrip();
}

void mvvm_on_leave(void)
{
    serve_requests();
    if (mvvm_test_active)
        serve_tests();
}

void mvvm_checkpoint_now(bool stop)
{
    const char *message = mvvm_checkpoint_write(mvvm_options.snapshot_path, "the program", true);
    if (message != NULL)
        fprintf(stderr, "mvvm-aot: checkpoint failed: %s\n", message);
    else if (stop)
        end_checkpointed();
}

/* A function that another instance exports: a nested entry, whose trap goes on in the outer one. */
static void call_instance(const struct mvvm_binding *binding, uint64_t *homes)
{
    union mvvm_value *slots = (union mvvm_value *)(void *)homes;
    const int code = mvvm_invoke(binding->instance, binding->func_index, slots, slots);
    if (code != 0)
        mvvm_unwind(code);
}

/* Issues a host call until it is done. `mvvm_last_frame` stands at its frame whenever requests are
 * served. */
static void issue(struct mvvm_instance *instance, uint32_t func_index, uint64_t *homes)
{
    const struct mvvm_binding *binding = mvvm_binding_of(instance, func_index);
    if (!binding->is_inward)
        mvvm_settle();
    if (binding->fn == NULL)
        call_instance(binding, homes);
    else
        while (binding->fn(instance, homes) == MVVM_HOST_INTERRUPTED)
            serve_requests();
}

void mvvm_on_host_call(struct mvvm_context *context, uint32_t func_index, uint64_t *homes)
{
    if (mvvm_flag != 0)
        mvvm_on_leave();
    issue(context->instance, func_index, homes);
}

_Noreturn void mvvm_continue(void)
{
    const struct mvvm_position position = mvvm_last_frame;
    const struct mvvm_instance *instance;
    uint32_t func_index;
    uint64_t *homes = mvvm_host_frame(&position, &instance, &func_index);
    if (homes != NULL)
        issue(instance->module->context->instance, func_index, homes);
    mvvm_jump_into(position.sp, position.fp, position.pc,
                   mvvm_test_poison ? mvvm_arch_poison_level() : 0);
}
