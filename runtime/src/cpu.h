/* The CPU that an executable was made for, and the one that it runs on. */
#ifndef MVVM_CPU_H
#define MVVM_CPU_H

#include <stdbool.h>

#include "mvvm_module.h"

/* arch/<isa>/cpu_feature.c */
bool mvvm_arch_has_feature(const struct mvvm_cpu_feature *feature);

/* End the program (MVVM_EXIT_SYSTEM) if this CPU lacks something, with a message that names it. */
void mvvm_check_cpu(void);

#endif
