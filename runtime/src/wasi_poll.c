/* Waiting: poll_oneoff, and the wait before a read or write that would block.
 *
 * Relative timeouts count from the moment when the call was first issued, in guest monotonic
 * time. That moment is kept while the call is interrupted by a checkpoint, so a sleep goes on
 * with what remains of it. */
#include <stdlib.h>

#include "mvvm_os.h"
#include "mvvm_wasi.h"

#define MAX_SUBSCRIPTIONS 4096u
#define EVENT_SIZE 32u

enum { TAG_CLOCK = 0, TAG_FD_READ = 1, TAG_FD_WRITE = 2 };
enum { CLOCK_ABSTIME = 1 };
enum { EVENT_HANGUP = 1 };

int mvvm_wasi_wait(const struct mvvm_wasi_fd *entry, bool writing)
{
    struct mvvm_os_pollfd fd = {.fd = entry->host_fd, .want_read = !writing, .want_write = writing};
    bool nonblock = entry->flags & WASI_FDFLAG_NONBLOCK;
    int ready = mvvm_os_poll(&fd, 1, nonblock ? 0 : UINT64_MAX);
    if (ready == MVVM_OS_INTERRUPTED)
        return WASI_INTERRUPTED;
    if (ready == 0)
        return WASI_AGAIN;
    return ready < 0 ? -ready : WASI_SUCCESS; /* the descriptor's errors: the read or write tells */
}

/* -- Subscriptions ------------------------------------------------------------------------ */

/* How the two versions lay a subscription out: 8 bytes user data, a tag at 8, the contents
 * from 16 on. `wasi_unstable` has an identifier in front of the clock's. */
struct layout {
    uint32_t size;
    uint32_t clock_at;
};
static const struct layout preview1 = {.size = 48, .clock_at = 16};
static const struct layout unstable = {.size = 56, .clock_at = 24};

struct subscription {
    uint64_t userdata;
    uint8_t tag;
    int error;          /* found before waiting */
    bool always;        /* ready at any time: a regular file, a reset connection */
    uint64_t nbytes;
    uint32_t clock;
    uint64_t timeout;
    bool absolute;
    const struct mvvm_wasi_fd *entry;
    size_t poll_index;
};

struct polling {
    struct subscription *subscriptions;
    struct mvvm_os_pollfd *fds;
    uint32_t count;
    size_t fd_count;
    uint64_t start;
};

static void load_clock(struct subscription *s, const uint8_t *raw)
{
    s->clock = mvvm_load32(raw);
    s->timeout = mvvm_load64(raw + 8);
    s->absolute = raw[24] & CLOCK_ABSTIME;
    if (s->clock != WASI_CLOCK_REALTIME && s->clock != WASI_CLOCK_MONOTONIC)
        s->error = s->clock <= WASI_CLOCK_THREAD_CPUTIME ? WASI_NOTSUP : WASI_INVAL;
}

static void load_fd(struct polling *p, struct subscription *s, const uint8_t *raw)
{
    bool writing = s->tag == TAG_FD_WRITE;
    s->entry = mvvm_wasi_fd(mvvm_load32(raw));
    if (s->entry == NULL ||
        !(s->entry->rights_base & (writing ? WASI_RIGHT_FD_WRITE : WASI_RIGHT_FD_READ))) {
        s->error = WASI_BADF;
        return;
    }
    if (mvvm_wasi_lacks(s->entry, WASI_RIGHT_POLL_FD_READWRITE)) {
        s->error = WASI_NOTCAPABLE;
        return;
    }
    if (s->entry->filetype == WASI_FILETYPE_REGULAR_FILE ||
        s->entry->filetype == WASI_FILETYPE_DIRECTORY || mvvm_wasi_was_reset(s->entry)) {
        s->always = true;
        return;
    }
    s->poll_index = p->fd_count++;
    p->fds[s->poll_index] = (struct mvvm_os_pollfd){
        .fd = s->entry->host_fd, .want_read = !writing, .want_write = writing};
}

static int load_subscriptions(struct polling *p, const uint8_t *raw, const struct layout *layout)
{
    for (uint32_t i = 0; i < p->count; i++, raw += layout->size) {
        struct subscription *s = &p->subscriptions[i];
        *s = (struct subscription){.userdata = mvvm_load64(raw), .tag = raw[8]};
        if (s->tag == TAG_CLOCK)
            load_clock(s, raw + layout->clock_at);
        else if (s->tag == TAG_FD_READ || s->tag == TAG_FD_WRITE)
            load_fd(p, s, raw + 16);
        else
            return WASI_INVAL;
    }
    return WASI_SUCCESS;
}

/* -- Deadlines ---------------------------------------------------------------------------- */

static uint64_t add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* A clock's remaining nanoseconds; 0: it has passed. */
static uint64_t remaining(const struct polling *p, const struct subscription *s)
{
    uint64_t now = mvvm_wasi_now();
    uint64_t deadline = add(p->start, s->timeout);
    if (s->absolute) {
        deadline = s->timeout;
        if (s->clock == WASI_CLOCK_REALTIME)
            now = mvvm_os_realtime_ns();
    }
    return deadline > now ? deadline - now : 0;
}

/* The host's moment to wait until. Anything that is ready already: 0. */
static uint64_t wait_until(const struct polling *p)
{
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < p->count; i++) {
        const struct subscription *s = &p->subscriptions[i];
        if (s->error != WASI_SUCCESS || s->always)
            return 0;
        if (s->tag == TAG_CLOCK) {
            uint64_t left = remaining(p, s);
            least = left < least ? left : least;
        }
    }
    return least == 0 ? 0 : add(mvvm_os_monotonic_ns(), least);
}

/* -- Events ------------------------------------------------------------------------------- */

static uint64_t available(const struct mvvm_wasi_fd *entry)
{
    struct mvvm_os_stat stat;
    if (entry->filetype != WASI_FILETYPE_REGULAR_FILE)
        return mvvm_os_readable_bytes(entry->host_fd);
    int64_t position = mvvm_os_seek(entry->host_fd, 0, WASI_WHENCE_CUR);
    if (position < 0 || mvvm_os_stat(entry->host_fd, &stat) < 0)
        return 0;
    return stat.size > (uint64_t)position ? stat.size - (uint64_t)position : 0;
}

/* Whether a subscription has an event; *flags and *nbytes are the event's. */
static bool occurred(const struct polling *p, const struct subscription *s, uint16_t *flags,
                     uint64_t *nbytes)
{
    *flags = 0;
    *nbytes = 0;
    if (s->error != WASI_SUCCESS)
        return true;
    if (s->tag == TAG_CLOCK)
        return remaining(p, s) == 0;
    if (!s->always) {
        const struct mvvm_os_pollfd *fd = &p->fds[s->poll_index];
        if (!(s->tag == TAG_FD_READ ? fd->readable : fd->writable) && !fd->hangup && !fd->error)
            return false;
        *flags = fd->hangup ? EVENT_HANGUP : 0;
    }
    if (mvvm_wasi_was_reset(s->entry))
        *flags = EVENT_HANGUP;
    *nbytes = s->tag == TAG_FD_READ ? available(s->entry) : 1;
    return true;
}

static uint32_t store_events(const struct polling *p, uint8_t *out)
{
    uint32_t events = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        const struct subscription *s = &p->subscriptions[i];
        uint16_t flags;
        uint64_t nbytes;
        if (!occurred(p, s, &flags, &nbytes))
            continue;
        uint8_t *event = out + (size_t)EVENT_SIZE * events++;
        memset(event, 0, EVENT_SIZE);
        mvvm_store64(event, s->userdata);
        mvvm_store16(event + 8, (uint16_t)s->error);
        event[10] = s->tag;
        mvvm_store64(event + 16, nbytes);
        mvvm_store16(event + 24, flags);
    }
    return events;
}

/* -- The call ----------------------------------------------------------------------------- */

/* Waits for the first event. The clocks are looked at again after each wait: the real time can
 * be set. */
static int wait_for_events(struct polling *p, uint8_t *out, uint32_t *events)
{
    do {
        int ready = mvvm_os_poll(p->fds, p->fd_count, wait_until(p));
        if (ready == MVVM_OS_INTERRUPTED)
            return WASI_INTERRUPTED;
        if (ready < 0)
            return -ready;
        *events = store_events(p, out);
    } while (*events == 0);
    return WASI_SUCCESS;
}

static int poll_oneoff(const struct mvvm_instance *instance, const uint64_t *args,
                       const struct layout *layout)
{
    uint32_t count = mvvm_arg32(args, 2);
    const uint8_t *in = mvvm_guest(instance, mvvm_arg32(args, 0), (uint64_t)layout->size * count);
    uint8_t *out = mvvm_guest(instance, mvvm_arg32(args, 1), (uint64_t)EVENT_SIZE * count);
    void *nevents = mvvm_guest(instance, mvvm_arg32(args, 3), 4);
    if (count == 0 || count > MAX_SUBSCRIPTIONS)
        return WASI_INVAL;
    if (in == NULL || out == NULL || nevents == NULL)
        return WASI_FAULT;
    struct polling p = {
        .subscriptions = malloc(count * sizeof *p.subscriptions),
        .fds = calloc(count, sizeof *p.fds),
        .count = count,
        .start = mvvm_wasi.has_poll_start ? mvvm_wasi.poll_start : mvvm_wasi_now(),
    };
    uint32_t events = 0;
    int error = WASI_NOMEM;
    if (p.subscriptions != NULL && p.fds != NULL)
        error = load_subscriptions(&p, in, layout);
    if (error == WASI_SUCCESS)
        error = wait_for_events(&p, out, &events);
    free(p.subscriptions);
    free(p.fds);
    mvvm_wasi.has_poll_start = error == WASI_INTERRUPTED;
    mvvm_wasi.poll_start = error == WASI_INTERRUPTED ? p.start : 0;
    if (error == WASI_SUCCESS)
        mvvm_store32(nevents, events);
    return error;
}

int mvvm_wasi_poll_oneoff(struct mvvm_instance *instance, const uint64_t *args)
{
    return poll_oneoff(instance, args, &preview1);
}

int mvvm_wasi_unstable_poll_oneoff(struct mvvm_instance *instance, const uint64_t *args)
{
    return poll_oneoff(instance, args, &unstable);
}
