/* Memory from Linux. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

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

int mvvm_os_forbid(void *address, size_t size)
{
    return mprotect(address, size, PROT_NONE) == 0 ? 0 : -errno;
}

size_t mvvm_os_page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static uintptr_t round_up(uintptr_t address)
{
    return (address + MVVM_OS_LARGE_PAGE - 1) / MVVM_OS_LARGE_PAGE * MVVM_OS_LARGE_PAGE;
}

void mvvm_os_prefer_large_pages(void *address, size_t size)
{
#ifdef MADV_HUGEPAGE
    const uintptr_t begin = round_up((uintptr_t)address);
    const uintptr_t end = ((uintptr_t)address + size) / MVVM_OS_LARGE_PAGE * MVVM_OS_LARGE_PAGE;
    if (begin < end)
        madvise((void *)begin, end - begin, MADV_HUGEPAGE);
#else
    (void)address;
    (void)size;
#endif
}

/* Only memory at the start of a large page can be one, and stays one when it is moved to such a place. */
bool mvvm_os_open_stage(struct mvvm_os_stage *stage, size_t size, bool is_large)
{
    stage->size = size;
    stage->block_size = size + MVVM_OS_LARGE_PAGE;
    stage->block = mmap(NULL, stage->block_size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stage->block == MAP_FAILED)
        return false;
    stage->at = (uint8_t *)stage->block + (round_up((uintptr_t)stage->block) - (uintptr_t)stage->block);
    if (is_large)
        mvvm_os_prefer_large_pages(stage->at, size);
    return true;
}

static void unmap_between(const uint8_t *from, const uint8_t *to)
{
    if (from < to)
        munmap((void *)(uintptr_t)from, (size_t)(to - from));
}

bool mvvm_os_move_stage(const struct mvvm_os_stage *stage, void *to)
{
    const uint8_t *block = stage->block, *end = stage->at + stage->size;
    const bool moved = mremap(stage->at, stage->size, stage->size, MREMAP_MAYMOVE | MREMAP_FIXED,
                              to) != MAP_FAILED;
    unmap_between(block, moved ? stage->at : end); /* not what another thread has put in between */
    unmap_between(end, block + stage->block_size);
    return moved;
}
