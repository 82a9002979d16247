/* Checkpoints: who asks (requests.c), when (leave.c), what the tests ask (test_hooks.c). */
#ifndef MVVM_CHECKPOINT_H
#define MVVM_CHECKPOINT_H

#include "frames.h"

/* -- requests.c: signals, the timer, request files -------------------------------------------- */

struct mvvm_request {
    bool stop;
    bool answer; /* a result file is expected */
    bool with_files;
    const char *reason;
    char path[4096];
};

/* `migratable`: false refuses every request at once, in the signal handler. */
void mvvm_requests_init(bool migratable);
/* The next request that is pending; resets mvvm_flag. */
bool mvvm_take_request(struct mvvm_request *out);
/* Answers a request: `error` NULL for success. Also tells standard error of an error. */
void mvvm_answer_request(const struct mvvm_request *request, const char *error);

/* -- leave.c ---------------------------------------------------------------------------------- */

/* What an application does: a resume tells by the outermost frame whether to call `_start`. */
enum mvvm_phase {
    MVVM_PHASE_EMBEDDED, /* no application: a test's harness calls */
    MVVM_PHASE_START_FUNC,
    MVVM_PHASE_START, /* in `_start` */
};
extern enum mvvm_phase mvvm_phase;

/* Writes a snapshot of where `mvvm_last_frame` stands. NULL or a message. */
const char *mvvm_checkpoint_write(const char *path, const char *reason, bool skip_innermost);
/* Goes on from mvvm_last_frame, whose innermost host call, if any, is issued again. On the host
 * stack, inside an entry. */
_Noreturn void mvvm_continue(void);
/* Lifts the frames at `mvvm_last_frame`, of whichever module of several they are. NULL, or why they
 * cannot move, which is a bug of ours if it starts with "internal error". */
const char *mvvm_test_lift(struct mvvm_frames *out, const struct mvvm_instance **instance);

/* -- test_hooks.c ----------------------------------------------------------------------------- */

extern bool mvvm_test_active; /* every point leaves */
extern bool mvvm_test_poison;
extern uint64_t mvvm_test_moves; /* round trips made */
extern void (*mvvm_test_on_leave)(void); /* NULL, or an embedder's: called at every point */

/* Frames that should have moved and could not, counted by reason; unused rows at the end are zero. */
struct mvvm_test_stay {
    const char *reason;
    uint64_t count;
};
enum { MVVM_TEST_STAYS = 8 };
extern struct mvvm_test_stay mvvm_test_stays[MVVM_TEST_STAYS];

struct mvvm_test_action {
    bool stop;           /* checkpoint and end */
    bool roundtrip;      /* lift, poison, write anew, jump */
    const char *path;    /* or NULL: write a snapshot there and go on */
};

void mvvm_test_init(void);
void mvvm_test_stay(const char *reason);
struct mvvm_test_action mvvm_test_leave(void);
bool mvvm_test_stop_at_resume(void); /* LEAVE_AT=0 */
void mvvm_test_dump_stack(const char *path); /* beside a snapshot */
void mvvm_test_exit(bool checkpointed);

/* -- test_timing.c: what a measurement asks ---------------------------------------------------- */

void mvvm_test_timing_init(void);
/* In the timer's handler: true if the timer is a measurement's, so that no checkpoint follows. */
bool mvvm_test_on_timer(void);
bool mvvm_test_wants_answer(void);
void mvvm_test_answer(void);  /* a point has been reached */
void mvvm_test_entered(void); /* the guest's code goes on now */
void mvvm_test_left(void);    /* it has ended, or waits for a checkpoint that stops it */
void mvvm_test_timing_exit(void);

/* -- snapshot.c, restore.c -------------------------------------------------------------------- */

const char *mvvm_snapshot_write(const struct mvvm_instance *instance,
                                const struct mvvm_frames *frames, const char *path,
                                const char *reason);

/* Reads a snapshot into a prepared instance. Returns 0, or the exit status that `message` explains.
 */
int mvvm_snapshot_read(struct mvvm_instance *instance, const char *path, const char *dirs,
                       struct mvvm_frames *frames, char *message, size_t message_size);

#endif
