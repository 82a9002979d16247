/* Whether this CPU has a feature, and whether the system saves the registers that come with it. */
#include <cpuid.h>

#include "cpu.h"

static uint64_t saved_state(void)
{
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

bool mvvm_arch_has_feature(const struct mvvm_cpu_feature *feature)
{
    enum { OSXSAVE = 1 << 27 };
    uint32_t registers[4];
    if (!__get_cpuid_count(feature->leaf, feature->subleaf, &registers[0], &registers[1],
                           &registers[2], &registers[3]))
        return false;
    if ((registers[feature->reg] >> feature->bit & 1) == 0)
        return false;
    if (feature->xcr0 == 0)
        return true;
    if (!__get_cpuid(1, &registers[0], &registers[1], &registers[2], &registers[3]) ||
        (registers[2] & OSXSAVE) == 0)
        return false;
    return (saved_state() & feature->xcr0) == feature->xcr0;
}
