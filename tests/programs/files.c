/* Writes, reads, seeks and removes files under the pre-opened directory. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "out.h"

int main(void)
{
    char block[64];
    mkdir("/data/sub", 0755);
    int fd = open("/data/sub/log", O_CREAT | O_RDWR | O_TRUNC, 0644);
    if (fd < 0) {
        say("open", errno);
        return 1;
    }
    for (int i = 0; i < 4; i++) {
        memset(block, 'a' + i, sizeof block);
        if (write(fd, block, 16) != 16) {
            return 2;
        }
    }
    say("position", lseek(fd, 0, SEEK_CUR));
    lseek(fd, 12, SEEK_SET);
    int other = open("/data/sub/log", O_RDONLY);
    say("read", read(fd, block, 8));
    write(1, block, 8);
    say(" other", read(other, block, 3));
    int append = open("/data/sub/log", O_WRONLY | O_APPEND);
    write(append, "tail", 4);
    struct stat facts;
    fstat(other, &facts);
    say("size", facts.st_size);
    lseek(other, -4, SEEK_END);
    say("read", read(other, block, 8));
    write(1, block, 4);
    close(append);
    close(other);
    close(fd);
    say(" outside", open("/data/../etc/passwd", O_RDONLY) < 0);
    say("missing", open("/data/none", O_RDONLY) < 0 ? errno == ENOENT : 0);
    rename("/data/sub/log", "/data/log2");
    say("renamed", open("/data/log2", O_RDONLY) >= 0);
    return 0;
}
