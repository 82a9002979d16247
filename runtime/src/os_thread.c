/* What goes on beside the guest, on Linux: the runtime's one helper thread, and writing to disks.
 * Whoever starts the thread waits for it before it is started again. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include "mvvm_os.h"

bool mvvm_os_test_no_thread;

static pthread_t helper;
static void (*helper_work)(void *);

static void *run(void *data)
{
    helper_work(data);
    return NULL;
}

bool mvvm_os_start_thread(void (*work)(void *), void *data)
{
    sigset_t all, before;
    if (mvvm_os_test_no_thread)
        return false;
    sigfillset(&all);
    helper_work = work;
    /* A thread inherits the mask: every signal is for the guest's thread, but a fault is its own. */
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGSEGV);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const bool started = pthread_create(&helper, NULL, run, data) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

void mvvm_os_join_thread(void)
{
    pthread_join(helper, NULL);
}

void mvvm_os_let_others_run(void)
{
    sched_yield();
}

void mvvm_os_start_writing(int fd, uint64_t offset, uint64_t size)
{
    sync_file_range(fd, (off_t)offset, (off_t)size, SYNC_FILE_RANGE_WRITE);
}
