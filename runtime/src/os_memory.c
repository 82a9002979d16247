/* Memory from a POSIX kernel. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mvvm_os.h"

void *mvvm_os_reserve(size_t size)
{
    void *address = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return address == MAP_FAILED ? NULL : address;
}

int mvvm_os_commit(void *address, size_t size)
{
    if (size == 0)
        return 0;
    return mprotect(address, size, PROT_READ | PROT_WRITE) == 0 ? 0 : -errno;
}

void mvvm_os_release(void *address, size_t size)
{
    if (address != NULL)
        munmap(address, size);
}

void mvvm_os_expect_writes(void *address, size_t size)
{
#ifdef MADV_HUGEPAGE
    const size_t large = (size_t)2 << 20;
    const uintptr_t begin = ((uintptr_t)address + large - 1) / large * large;
    const uintptr_t end = ((uintptr_t)address + size) / large * large;
    if (begin < end)
        madvise((void *)begin, end - begin, MADV_HUGEPAGE);
#else
    (void)address;
    (void)size;
#endif
}

size_t mvvm_os_page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

size_t mvvm_os_test_map_unit;

size_t mvvm_os_map_unit(void)
{
    return mvvm_os_test_map_unit != 0 ? mvvm_os_test_map_unit : mvvm_os_page_size();
}

bool mvvm_os_map_file(int fd, uint64_t offset, void *address, size_t size)
{
    const int access = PROT_READ | PROT_WRITE, fixed = MAP_PRIVATE | MAP_FIXED;
    if (mmap(address, size, access, fixed, fd, (off_t)offset) != MAP_FAILED)
        return true;
    /* A file system may refuse when what was there is gone already. */
    mmap(address, size, access, fixed | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return false;
}
