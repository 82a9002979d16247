/* Every kind of state that a descriptor has, on both sides of a checkpoint: a directory in the midst of its listing,
 * append and non-blocking flags, a renumbered descriptor, what the standard streams are. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <wasi/api.h>

__attribute__((import_module("env"), import_name("__checkpoint"))) void checkpoint(int stop);

enum { ENTRIES = 400 }; /* more than a buffer */
static int seen[ENTRIES];

static int list(DIR *directory, int most)
{
    const struct dirent *entry;
    int count = 0, number;
    for (; count < most && (entry = readdir(directory)) != NULL; count++)
        if (sscanf(entry->d_name, "entry-with-a-long-name-%d", &number) == 1)
            seen[number]++;
    return count;
}

static const char *read_two(void)
{
    static char text[3];
    ssize_t size = read(STDIN_FILENO, text, 2);
    if (size < 0)
        return errno == EAGAIN ? "again" : strerror(errno);
    text[size] = '\0';
    return size == 0 ? "end" : text;
}

static void append(int fd, const char *text)
{
    if (lseek(fd, 0, SEEK_SET) != 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        perror("append");
}

int main(void)
{
    DIR *directory = opendir("/d/list");
    int log = open("/d/log", O_WRONLY | O_APPEND), other = open("/d/other", O_RDONLY);
    int once = 0, moved = other;
    if (directory == NULL || log < 0 || other < 0 || __wasi_fd_renumber(log, other) != 0)
        return 1;
    if (fcntl(moved, F_SETFL, O_APPEND | O_NONBLOCK) != 0 ||
        fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK) != 0)
        return 2;
    append(moved, "before\n");
    list(directory, 10);
    printf("%s|", read_two());
    fflush(stdout);
    checkpoint(1);
    append(moved, "after\n");
    list(directory, ENTRIES);
    for (int k = 0; k < ENTRIES; k++)
        once += seen[k] == 1;
    printf("%s|", read_two());
    printf("%s|%d|%x|%d|%d%d\n", read_two(), once, fcntl(moved, F_GETFL) & (O_APPEND | O_NONBLOCK),
           write(log, "x", 1) < 0 ? errno == EBADF : -1, isatty(STDIN_FILENO), isatty(STDOUT_FILENO));
    return 0;
}
