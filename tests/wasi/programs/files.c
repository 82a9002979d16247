/* Files through the C library: positions, appending, truncation, attributes, and what goes
 * wrong. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define TRY(call) (errno = 0, printf("%s = %d", #call, (int)(call)), printf(" (%d)\n", errno))

static void show(const char *path)
{
    char text[100];
    FILE *file = fopen(path, "r");
    size_t size = file == NULL ? 0 : fread(text, 1, sizeof text, file);
    printf("%s: [%.*s]\n", path, (int)size, text);
    if (file != NULL)
        fclose(file);
}

static void positions(void)
{
    char text[100] = "";
    int fd = open("/d/file", O_RDWR | O_CREAT | O_EXCL, 0666);
    struct iovec parts[3] = {{"Hello, ", 7}, {"", 0}, {"world", 5}};
    while (parts[2].iov_len > 0) { /* a short count is allowed */
        ssize_t size = writev(fd, parts, 3);
        if (size < 0)
            return;
        for (int i = 0; i < 3; i++) {
            size_t part = (size_t)size < parts[i].iov_len ? (size_t)size : parts[i].iov_len;
            parts[i].iov_base = (char *)parts[i].iov_base + part;
            parts[i].iov_len -= part;
            size -= (ssize_t)part;
        }
    }
    TRY(lseek(fd, -5, SEEK_END));
    TRY(read(fd, text, 3));
    TRY(lseek(fd, 0, SEEK_CUR));
    TRY(lseek(fd, -100, SEEK_CUR));
    TRY(pread(fd, text, 5, 0));
    TRY(pwrite(fd, "J", 1, 0));
    TRY(ftruncate(fd, 9));
    TRY(ftruncate(fd, -1));
    TRY(fsync(fd));
    TRY(fdatasync(fd));
    TRY(lseek(fd, 20, SEEK_SET));
    TRY(write(fd, "end", 3));
    TRY(close(fd));
    TRY(close(fd));
    TRY(read(fd, text, 1));
    printf("text: %s\n", text);
    show("/d/file");
}

static void flags(void)
{
    TRY(open("/d/file", O_RDWR | O_CREAT | O_EXCL, 0666));
    TRY(open("/d/missing", O_RDONLY));
    TRY(open("/d/missing/file", O_RDWR | O_CREAT, 0666));
    TRY(open("/d/file/file", O_RDONLY));
    TRY(open("/d", O_RDWR));
    TRY(open("/elsewhere", O_RDONLY));
    TRY(open("/d/../secret", O_RDONLY));
    TRY(open("/d/file", O_RDONLY | O_DIRECTORY));
    int reading = open("/d/file", O_RDONLY), writing = open("/d/file", O_WRONLY | O_TRUNC);
    TRY(write(reading, "x", 1));
    char byte;
    TRY(read(writing, &byte, 1));
    int appending = open("/d/file", O_WRONLY | O_APPEND);
    TRY(write(writing, "written", 7));
    TRY(write(appending, "+appended", 9));
    TRY(fcntl(appending, F_GETFL) & O_APPEND ? 1 : 0);
    TRY(fcntl(writing, F_SETFL, O_APPEND));
    TRY(lseek(writing, 0, SEEK_SET));
    TRY(write(writing, "!", 1));
    show("/d/file");
}

static void attributes(void)
{
    struct stat stat_of;
    struct timespec times[2] = {{1000, 500}, {2000, 600}};
    TRY(utimensat(AT_FDCWD, "/d/file", times, 0));
    TRY(stat("/d/file", &stat_of));
    printf("size %lld, links %d, regular %d, times %lld.%09ld %lld.%09ld\n",
           (long long)stat_of.st_size, (int)stat_of.st_nlink, S_ISREG(stat_of.st_mode),
           (long long)stat_of.st_atim.tv_sec, stat_of.st_atim.tv_nsec,
           (long long)stat_of.st_mtim.tv_sec, stat_of.st_mtim.tv_nsec);
    int fd = open("/d/file", O_RDWR);
    times[0].tv_nsec = UTIME_OMIT;
    times[1].tv_nsec = UTIME_NOW;
    TRY(futimens(fd, times));
    TRY(fstat(fd, &stat_of));
    printf("%lld, %d\n", (long long)stat_of.st_atim.tv_sec, stat_of.st_mtim.tv_sec > 1000000000);
    TRY(stat("/d", &stat_of));
    printf("directory %d\n", S_ISDIR(stat_of.st_mode));
    TRY(posix_fadvise(fd, 0, 10, POSIX_FADV_SEQUENTIAL));
    TRY(fstat(1, &stat_of));
    TRY(stat("/d/missing", &stat_of));
}

int main(void)
{
    positions();
    flags();
    attributes();
    return 3;
}
