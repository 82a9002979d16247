/* The runtime's one helper thread, on a POSIX kernel. Whoever starts it waits for it before it is
 * started again. */
#include <pthread.h>
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
    /* A thread inherits the mask: every signal is the guest's thread's. */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const bool started = pthread_create(&helper, NULL, run, data) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

void mvvm_os_join_thread(void)
{
    pthread_join(helper, NULL);
}
