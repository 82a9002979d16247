/* The entry of an executable of one module: run `_start`, or go on from a snapshot. */
#include <unistd.h>

#include "checkpoint.h"
#include "cpu.h"
#include "options.h"

_Noreturn static void end_with_trap(int code)
{
    mvvm_settle();
    fprintf(stderr, "mvvm-aot: trap: %s\n", mvvm_trap_message(code));
    mvvm_print_backtrace(stderr);
    mvvm_exit(MVVM_EXIT_TRAP);
}

_Noreturn static void end_with_failure(const struct mvvm_failure *failure)
{
    if (failure->kind == MVVM_FAILURE_TRAP)
        end_with_trap(failure->trap_code);
    mvvm_fatal(failure->kind == MVVM_FAILURE_SYSTEM ? MVVM_EXIT_SYSTEM : MVVM_EXIT_BAD_MODULE, "%s",
               failure->message);
}

/* The function index of the export `_start`; UINT32_MAX when there is none of type () -> (). */
static uint32_t find_start(const struct mvvm_instance *instance)
{
    const struct mvvm_export *start = mvvm_find_export(instance, "_start");
    if (start == NULL || start->kind != MVVM_EXTERN_FUNC)
        return UINT32_MAX;
    const struct mvvm_type *type = mvvm_func_type(instance, start->index);
    return type->param_count == 0 && type->result_count == 0 ? start->index : UINT32_MAX;
}

_Noreturn static void run_start(struct mvvm_instance *instance, uint32_t start)
{
    mvvm_phase = MVVM_PHASE_START;
    mvvm_test_entered();
    const int code = mvvm_invoke(instance, start, NULL, NULL);
    if (code != 0)
        end_with_trap(code);
    mvvm_exit(0);
}

static void create_stack(size_t size)
{
    const int error = mvvm_runtime_init(size);
    if (error != 0)
        mvvm_fatal(MVVM_EXIT_SYSTEM, "no memory for a call stack of %zu bytes", size);
}

_Noreturn static void run(const struct mvvm_module *module, int argc, char **argv, char **envp)
{
    struct mvvm_failure failure;
    create_stack(mvvm_options.stack_size);
    const char *message = mvvm_wasi_init(argc, argv, envp, mvvm_options.dirs);
    if (message != NULL)
        mvvm_fatal(MVVM_EXIT_SYSTEM, "%s", message);
    mvvm_phase = MVVM_PHASE_START_FUNC;
    struct mvvm_instance *instance = mvvm_instantiate(module, mvvm_resolve_host, NULL, &failure);
    if (instance == NULL)
        end_with_failure(&failure);
    const uint32_t start = find_start(instance);
    if (start == UINT32_MAX)
        mvvm_fatal(MVVM_EXIT_BAD_MODULE, "%s: no exported function _start of type () -> ()",
                   module->name);
    run_start(instance, start);
}

/* Whether a snapshot's outermost frame can be `_start`'s, the start function's, or one that `_start`
 * has left its place to. */
static bool is_outermost(const struct mvvm_instance *instance, uint32_t func_index, uint32_t start)
{
    const struct mvvm_module *module = instance->module;
    return func_index == start || func_index == module->start_func ||
           (module->has_tail_calls && mvvm_func_type(instance, func_index)->result_count == 0);
}

/* Runs in a fresh entry, with mvvm_last_frame at the frames that were written. */
static void resume_entry(void)
{
    if (mvvm_test_stop_at_resume()) {
        const char *message = mvvm_checkpoint_write(mvvm_options.snapshot_path, "test", false);
        if (message != NULL)
            mvvm_fatal(MVVM_EXIT_SYSTEM, "checkpoint failed: %s", message);
        mvvm_test_exit(true);
        _exit(MVVM_EXIT_CHECKPOINTED);
    }
    mvvm_test_entered();
    mvvm_continue();
}

_Noreturn static void restore(const struct mvvm_module *module)
{
    struct mvvm_failure failure;
    struct mvvm_frames frames = {0};
    char text[512];
    struct mvvm_instance *instance =
        mvvm_instance_prepare(module, mvvm_resolve_host, NULL, &failure);
    if (instance == NULL)
        end_with_failure(&failure);
    const char *message = mvvm_frame_tables_init();
    if (message != NULL)
        mvvm_fatal(MVVM_EXIT_SYSTEM, "internal error: %s", message);
    const int status = mvvm_snapshot_read(instance, mvvm_options.restore_path, mvvm_options.dirs,
                                          &frames, text, sizeof text);
    if (status != 0)
        mvvm_fatal(status, "%s: %s", mvvm_options.restore_path, text);
    const uint32_t start = find_start(instance);
    const uint32_t outermost = frames.count > 0 ? frames.frames[0].func_index : UINT32_MAX;
    size_t needed = 0;
    message = mvvm_check_frames(instance, &frames, &needed);
    if (message == NULL && (start == UINT32_MAX || !is_outermost(instance, outermost, start)))
        message = "the outermost frame is not _start";
    if (message != NULL) {
        mvvm_settle();
        mvvm_fatal(MVVM_EXIT_BAD_SNAPSHOT, "%s: %s", mvvm_options.restore_path, message);
    }
    create_stack(needed + mvvm_options.stack_size);
    const bool starting = outermost == module->start_func && outermost != start;
    mvvm_phase = starting ? MVVM_PHASE_START_FUNC : MVVM_PHASE_START;
    const int code = mvvm_enter_frames(instance, &frames, resume_entry, NULL);
    if (code != 0)
        end_with_trap(code);
    if (starting)
        run_start(instance, start);
    mvvm_exit(0);
}

int main(int argc, char **argv, char **envp)
{
    mvvm_options_parse(argc > 0 ? argv[0] : "program");
    mvvm_check_cpu();
    if (mvvm_module_count != 1)
        mvvm_fatal(MVVM_EXIT_SYSTEM, "internal error: an executable of %u modules",
                   mvvm_module_count);
    const struct mvvm_module *module = mvvm_modules[0];
    mvvm_os_install_handlers(); /* a request while a snapshot is read waits for the first point */
    mvvm_requests_init(module->migratable);
    if (mvvm_options.restore_path != NULL)
        restore(module);
    run(module, argc, argv, envp);
}
