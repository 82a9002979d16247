/* Checkpoint requests: SIGUSR1, the timer, and the request files of `mvvm-aot checkpoint`. The
 * handlers set flags; what they mean is found out at the next point. docs/internals.md, section 5.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint.h"
#include "options.h"

static volatile sig_atomic_t signal_pending;
static volatile sig_atomic_t timer_pending;
static bool refuse_all;

/* Fixed at the start, so that a handler may use them. */
static char request_path[4096];
static char result_path[4096];
static char result_temp[4096 + 8];

static const char no_migration[] = "the program was translated with --no-migration";

/* A directory that others may write to could make us write a file of theirs. */
static bool control_dir_is_ours(void)
{
    struct stat info;
    return lstat(mvvm_options.control_dir, &info) == 0 && S_ISDIR(info.st_mode) &&
           info.st_uid == geteuid() && (info.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static ssize_t read_all(int fd, char *buffer, size_t size)
{
    size_t length = 0;
    while (length < size) {
        const ssize_t got = read(fd, buffer + length, size - length);
        if (got == 0)
            break;
        if (got < 0 && errno != EINTR)
            return -1;
        if (got > 0)
            length += (size_t)got;
    }
    return (ssize_t)length;
}

/* Takes the request file away: "stop\nPATH\n" or "continue\nPATH\n", the first word with
 * " with-files" behind it where the open files are to be packed. False when there is none, or
 * none that counts. */
static bool take_request_file(struct mvvm_request *out)
{
    char text[sizeof out->path + 16];
    if (!control_dir_is_ours())
        return false;
    const int fd = open(request_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return false;
    const ssize_t length = read_all(fd, text, sizeof text - 1);
    close(fd);
    unlink(request_path);
    if (length <= 0)
        return false;
    text[length] = '\0';
    char *line_end = strchr(text, '\n');
    if (line_end == NULL)
        return false;
    *line_end = '\0';
    char *path = line_end + 1;
    char *path_end = strchr(path, '\n');
    if (path_end != NULL)
        *path_end = '\0';
    static const char with_files[] = " with-files";
    char *option = strchr(text, ' ');
    if (option != NULL && strcmp(option, with_files) != 0)
        return false;
    if (option != NULL)
        *option = '\0';
    const bool stop = strcmp(text, "stop") == 0;
    if ((!stop && strcmp(text, "continue") != 0) || *path != '/' ||
        strlen(path) >= sizeof out->path)
        return false;
    out->stop = stop;
    out->with_files = option != NULL;
    out->answer = true;
    out->reason = "request";
    strcpy(out->path, path);
    return true;
}

static void append(char *text, size_t size, const char *part)
{
    const size_t length = strlen(text);
    const size_t room = size - 1 - length;
    const size_t wanted = strlen(part) < room ? strlen(part) : room;
    memcpy(text + length, part, wanted);
    text[length + wanted] = '\0';
}

static void write_all(int fd, const char *text)
{
    size_t length = strlen(text);
    while (length > 0) {
        const ssize_t written = write(fd, text, length);
        if (written < 0 && errno != EINTR)
            return; /* nobody is left to tell */
        if (written > 0) {
            text += written;
            length -= (size_t)written;
        }
    }
}

/* Async-signal-safe, as is all that it calls. */
void mvvm_answer_request(const struct mvvm_request *request, const char *error)
{
    char text[sizeof request->path + 64] = "";
    append(text, sizeof text - 1, error == NULL ? "ok " : "error ");
    append(text, sizeof text - 1, error == NULL ? request->path : error);
    append(text, sizeof text, "\n");
    if (error != NULL) {
        write_all(STDERR_FILENO, "mvvm-aot: checkpoint failed: ");
        write_all(STDERR_FILENO, error);
        write_all(STDERR_FILENO, "\n");
    }
    if (!request->answer)
        return;
    unlink(result_temp);
    const int fd = open(result_temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return;
    write_all(fd, text);
    close(fd);
    if (rename(result_temp, result_path) != 0)
        unlink(result_temp);
}

/* A translation without points could pass no point for hours: the answer must not wait for one. */
static void refuse(void)
{
    static struct mvvm_request request;
    const int saved = errno;
    request = (struct mvvm_request){0};
    take_request_file(&request);
    mvvm_answer_request(&request, no_migration);
    errno = saved;
}

void mvvm_on_request_signal(void)
{
    if (refuse_all) {
        refuse();
        return;
    }
    signal_pending = 1;
    __atomic_store_n(&mvvm_flag, 1, __ATOMIC_RELAXED);
}

void mvvm_on_timer_signal(void)
{
    if (!mvvm_test_on_timer())
        timer_pending = 1;
    __atomic_store_n(&mvvm_flag, 1, __ATOMIC_RELAXED);
}

bool mvvm_checkpoint_wanted(void)
{
    return signal_pending || timer_pending || mvvm_test_wants_answer();
}

bool mvvm_take_request(struct mvvm_request *out)
{
    /* The flag first: a signal after this line sets it again. */
    __atomic_store_n(&mvvm_flag, mvvm_test_active ? 1 : 0, __ATOMIC_RELAXED);
    mvvm_test_answer();
    if (mvvm_options.snapshot_path == NULL)
        return false; /* embedded: nobody set this up */
    out->stop = true;
    out->answer = false;
    out->with_files = false;
    out->reason = "signal";
    out->path[0] = '\0';
    if (signal_pending) {
        signal_pending = 0;
        timer_pending = 0;
        if (take_request_file(out))
            return true;
    } else if (timer_pending) {
        timer_pending = 0;
        out->stop = false;
        out->reason = "timer";
    } else {
        return false;
    }
    append(out->path, sizeof out->path, mvvm_options.snapshot_path);
    return true;
}

void mvvm_requests_init(bool migratable)
{
    refuse_all = !migratable;
    const unsigned pid = (unsigned)getpid();
    const int length =
        snprintf(request_path, sizeof request_path, "%s/%u.request", mvvm_options.control_dir, pid);
    if (length < 0 || (size_t)length >= sizeof request_path ||
        strlen(mvvm_options.snapshot_path) >= 4096)
        mvvm_fatal(MVVM_EXIT_USAGE, "MVVM_CONTROL_DIR or MVVM_SNAPSHOT is too long");
    snprintf(result_path, sizeof result_path, "%s/%u.result", mvvm_options.control_dir, pid);
    snprintf(result_temp, sizeof result_temp, "%s.tmp", result_path);
    if (mvvm_options.checkpoint_every > 0 && migratable &&
        mvvm_os_start_timer(mvvm_options.checkpoint_every) != 0)
        mvvm_fatal(MVVM_EXIT_SYSTEM, "cannot start a timer of %g s", mvvm_options.checkpoint_every);
    if (mvvm_options.checkpoint_every > 0 && !migratable)
        fprintf(stderr, "mvvm-aot: MVVM_CHECKPOINT_EVERY has no effect: %s\n", no_migration);
}
