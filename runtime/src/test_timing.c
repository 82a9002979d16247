/* The MVVM_TEST_ variables that measure (docs/internals.md, section 5): how long a request waits for
 * a point, and when a guest's code begins and ends. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "checkpoint.h"
#include "options.h"

struct moment {
    uint64_t clock_ns; /* monotonic */
    uint64_t cpu_ns;   /* the processor time of the guest's thread */
};

static const char *latency_path, *times_path;

/* Requests of the timer. `pending` is the handler's, which leaves the rest alone while it is set. */
static volatile sig_atomic_t pending;
static struct moment asked;
static struct moment *waits;
static size_t wait_count, wait_room;
static uint64_t random_state;

static bool has_entered, has_left;
static struct moment entered, left;

static uint64_t read_clock(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Async-signal-safe. */
static struct moment this_moment(void)
{
    return (struct moment){read_clock(CLOCK_MONOTONIC), read_clock(CLOCK_THREAD_CPUTIME_ID)};
}

/* The next request comes at a random time, 50 to 950 microseconds from now. */
static void arm(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    const int error = mvvm_os_start_timer(50e-6 + (double)(random_state % 900) * 1e-6);
    if (error != 0)
        mvvm_fatal(MVVM_EXIT_SYSTEM, "cannot start a timer: %s", strerror(-error));
}

bool mvvm_test_on_timer(void)
{
    if (latency_path == NULL)
        return false;
    if (!pending) {
        asked = this_moment();
        pending = 1;
    }
    return true;
}

bool mvvm_test_wants_answer(void)
{
    return pending;
}

void mvvm_test_answer(void)
{
    if (!pending)
        return;
    const struct moment now = this_moment();
    if (wait_count == wait_room) {
        wait_room = wait_room * 2 + 4096;
        waits = realloc(waits, wait_room * sizeof *waits);
        if (waits == NULL)
            mvvm_fatal(MVVM_EXIT_SYSTEM, "out of memory");
    }
    waits[wait_count].clock_ns = now.clock_ns - asked.clock_ns;
    waits[wait_count++].cpu_ns = now.cpu_ns - asked.cpu_ns;
    pending = 0;
    arm();
}

void mvvm_test_entered(void)
{
    if (latency_path != NULL)
        arm();
    entered = this_moment();
    has_entered = true;
}

void mvvm_test_left(void)
{
    if (!has_left)
        left = this_moment();
    has_left = true;
}

void mvvm_test_timing_init(void)
{
    latency_path = getenv("MVVM_TEST_LATENCY");
    times_path = getenv("MVVM_TEST_TIMES");
    if (latency_path == NULL)
        return;
    if (mvvm_options.checkpoint_every > 0)
        mvvm_fatal(MVVM_EXIT_USAGE, "MVVM_TEST_LATENCY and MVVM_CHECKPOINT_EVERY: one timer only");
    random_state = read_clock(CLOCK_MONOTONIC) | 1;
}

static FILE *open_report(const char *path)
{
    FILE *file = fopen(path, "w");
    if (file == NULL)
        mvvm_fatal(MVVM_EXIT_SYSTEM, "cannot write %s: %s", path, strerror(errno));
    return file;
}

void mvvm_test_timing_exit(void)
{
    mvvm_test_left();
    if (times_path != NULL && has_entered) {
        FILE *file = open_report(times_path);
        fprintf(file, "entered %" PRIu64 " %" PRIu64 "\nleft %" PRIu64 " %" PRIu64 "\n",
                entered.clock_ns, entered.cpu_ns, left.clock_ns, left.cpu_ns);
        fclose(file);
    }
    if (latency_path != NULL) {
        FILE *file = open_report(latency_path);
        for (size_t k = 0; k < wait_count; k++)
            fprintf(file, "%" PRIu64 " %" PRIu64 "\n", waits[k].clock_ns, waits[k].cpu_ns);
        fclose(file);
    }
}
