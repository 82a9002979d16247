/* Host functions of the import module `env`: what a guest may ask of its own migration. */
#include "internal.h"

/* env.__checkpoint(i32 stop): 0 goes on after the snapshot is written, else the process ends. */
static enum mvvm_host_status checkpoint(struct mvvm_instance *instance, uint64_t *slots)
{
    (void)instance;
    mvvm_checkpoint_now((uint32_t)slots[0] != 0);
    return MVVM_HOST_DONE;
}

const struct mvvm_host_func mvvm_env_funcs[] = {
    {"env", "__checkpoint", "i:", checkpoint},
    {NULL, NULL, NULL, NULL},
};
