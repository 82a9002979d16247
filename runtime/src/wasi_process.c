/* Arguments, environment, clocks, random numbers, exit, signals. */
#include "mvvm_os.h"
#include "mvvm_wasi.h"

/* -- Arguments and environment ------------------------------------------------------------ */

static int strings_sizes(struct mvvm_instance *instance, const struct mvvm_wasi_strings *strings,
                         const uint64_t *args)
{
    uint8_t *count = mvvm_guest(instance, mvvm_arg32(args, 0), 4);
    uint8_t *bytes = mvvm_guest(instance, mvvm_arg32(args, 1), 4);
    uint64_t total = 0;
    if (count == NULL || bytes == NULL)
        return WASI_FAULT;
    for (uint32_t i = 0; i < strings->count; i++)
        total += strlen(strings->items[i]) + 1;
    if (total > UINT32_MAX)
        return WASI_OVERFLOW;
    mvvm_store32(count, strings->count);
    mvvm_store32(bytes, (uint32_t)total);
    return WASI_SUCCESS;
}

static int strings_get(struct mvvm_instance *instance, const struct mvvm_wasi_strings *strings,
                       const uint64_t *args)
{
    uint8_t *pointers = mvvm_guest(instance, mvvm_arg32(args, 0), 4ull * strings->count);
    uint32_t at = mvvm_arg32(args, 1);
    if (pointers == NULL)
        return WASI_FAULT;
    for (uint32_t i = 0; i < strings->count; i++) {
        uint64_t size = strlen(strings->items[i]) + 1;
        void *to = mvvm_guest(instance, at, size);
        if (to == NULL)
            return WASI_FAULT;
        memcpy(to, strings->items[i], size);
        mvvm_store32(pointers + 4ull * i, at);
        at += (uint32_t)size;
    }
    return WASI_SUCCESS;
}

int mvvm_wasi_args_get(struct mvvm_instance *instance, const uint64_t *args)
{
    return strings_get(instance, &mvvm_wasi.args, args);
}

int mvvm_wasi_args_sizes_get(struct mvvm_instance *instance, const uint64_t *args)
{
    return strings_sizes(instance, &mvvm_wasi.args, args);
}

int mvvm_wasi_environ_get(struct mvvm_instance *instance, const uint64_t *args)
{
    return strings_get(instance, &mvvm_wasi.env, args);
}

int mvvm_wasi_environ_sizes_get(struct mvvm_instance *instance, const uint64_t *args)
{
    return strings_sizes(instance, &mvvm_wasi.env, args);
}

/* -- Clocks ------------------------------------------------------------------------------- */

uint64_t mvvm_wasi_now(void)
{
    return mvvm_os_monotonic_ns() + mvvm_wasi.monotonic_offset;
}

int mvvm_wasi_clock_res_get(struct mvvm_instance *instance, const uint64_t *args)
{
    uint32_t clock = mvvm_arg32(args, 0);
    void *out = mvvm_guest(instance, mvvm_arg32(args, 1), 8);
    if (clock > WASI_CLOCK_THREAD_CPUTIME)
        return WASI_INVAL;
    if (out == NULL)
        return WASI_FAULT;
    mvvm_store64(out, mvvm_os_clock_resolution_ns(clock));
    return WASI_SUCCESS;
}

int mvvm_wasi_clock_time_get(struct mvvm_instance *instance, const uint64_t *args)
{
    void *out = mvvm_guest(instance, mvvm_arg32(args, 2), 8);
    uint64_t now;
    switch (mvvm_arg32(args, 0)) {
    case WASI_CLOCK_REALTIME: now = mvvm_os_realtime_ns(); break;
    case WASI_CLOCK_MONOTONIC: now = mvvm_wasi_now(); break;
    /* One thread runs the guest, before and after a move: both clocks count the same. */
    case WASI_CLOCK_PROCESS_CPUTIME:
    case WASI_CLOCK_THREAD_CPUTIME: now = mvvm_os_guest_cpu_ns() + mvvm_wasi.cpu_offset; break;
    default: return WASI_INVAL;
    }
    if (out == NULL)
        return WASI_FAULT;
    mvvm_store64(out, now);
    return WASI_SUCCESS;
}

/* -- The rest ----------------------------------------------------------------------------- */

int mvvm_wasi_random_get(struct mvvm_instance *instance, const uint64_t *args)
{
    uint32_t size = mvvm_arg32(args, 1);
    void *out = mvvm_guest(instance, mvvm_arg32(args, 0), size);
    if (out == NULL)
        return WASI_FAULT;
    return -mvvm_os_random(out, size);
}

int mvvm_wasi_sched_yield(struct mvvm_instance *instance, const uint64_t *args)
{
    (void)instance, (void)args;
    mvvm_os_yield();
    return WASI_SUCCESS;
}

int mvvm_wasi_proc_exit(struct mvvm_instance *instance, const uint64_t *args)
{
    (void)instance;
    mvvm_exit((int)(mvvm_arg32(args, 0) & 0xFF));
}

int mvvm_wasi_proc_raise(struct mvvm_instance *instance, const uint64_t *args)
{
    (void)instance;
    return -mvvm_os_raise(mvvm_arg32(args, 0) & 0xFF);
}
