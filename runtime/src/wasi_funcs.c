/* The rows of WASI preview 1: `wasi_snapshot_preview1` and its predecessor `wasi_unstable`. */
#include "mvvm_wasi.h"

static enum mvvm_host_status finish(uint64_t *slots, int error)
{
    if (error == WASI_INTERRUPTED)
        return MVVM_HOST_INTERRUPTED; /* the arguments stay as they are: the call is issued again */
    slots[0] = (uint64_t)error;
    return MVVM_HOST_DONE;
}

#define WRAP(name, signature) \
    static enum mvvm_host_status host_##name(struct mvvm_instance *instance, uint64_t *slots) \
    { \
        return finish(slots, mvvm_wasi_##name(instance, slots)); \
    }
#define WRAP_UNSTABLE(name, signature) WRAP(unstable_##name, signature)

MVVM_WASI_COMMON(WRAP)
MVVM_WASI_VERSIONED(WRAP)
MVVM_WASI_VERSIONED(WRAP_UNSTABLE)
MVVM_WASI_PREVIEW1_ONLY(WRAP)

#define ROW(name, signature) {"wasi_snapshot_preview1", #name, signature, host_##name},
#define ROW_UNSTABLE(name, signature) {"wasi_unstable", #name, signature, host_##name},
#define ROW_UNSTABLE_OWN(name, signature) {"wasi_unstable", #name, signature, host_unstable_##name},

const struct mvvm_host_func mvvm_wasi_funcs[] = {
    MVVM_WASI_COMMON(ROW)
    MVVM_WASI_VERSIONED(ROW)
    MVVM_WASI_PREVIEW1_ONLY(ROW)
    MVVM_WASI_COMMON(ROW_UNSTABLE)
    MVVM_WASI_VERSIONED(ROW_UNSTABLE_OWN)
    {NULL, NULL, NULL, NULL},
};
