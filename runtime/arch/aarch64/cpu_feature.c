/* Whether this CPU has a feature, as the system tells it. */
#include <sys/auxv.h>

#include "cpu.h"

bool mvvm_arch_has_feature(const struct mvvm_cpu_feature *feature)
{
    return (getauxval(feature->leaf) >> feature->bit & 1) != 0;
}
