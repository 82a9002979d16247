/* Refuse to start on a CPU that lacks what the code was made for: it would end by SIGILL. */
#include "cpu.h"

#include <stdio.h>

#include "mvvm_abi.gen.h"
#include "mvvm_runtime.h"

void mvvm_check_cpu(void)
{
    char names[512] = "";
    size_t length = 0;
    for (uint32_t k = 0; k < mvvm_cpu_feature_count; k++) {
        if (mvvm_arch_has_feature(&mvvm_cpu_features[k]))
            continue;
        const char *separator = length > 0 ? ", " : "";
        const int written = snprintf(names + length, sizeof names - length, "%s%s", separator,
                                     mvvm_cpu_features[k].name);
        if (written > 0 && length + (size_t)written < sizeof names)
            length += (size_t)written;
    }
    if (length > 0)
        mvvm_fatal(MVVM_EXIT_SYSTEM,
                   "this CPU lacks what the program was compiled for: %s; compile it with another "
                   "--cpu (snapshots do not depend on it)",
                   names);
}
