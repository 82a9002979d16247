/* Directories, links and names through the C library, and every way out of the pre-opened
 * directory. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRY(call) (errno = 0, printf("%s = %d", #call, (int)(call)), printf(" (%d)\n", errno))

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(const char *path)
{
    char *names[600];
    int count = 0;
    DIR *directory = opendir(path);
    if (directory == NULL) {
        printf("opendir %s: %d\n", path, errno);
        return;
    }
    for (struct dirent *entry; count < 600 && (entry = readdir(directory)) != NULL;) {
        names[count] = malloc(strlen(entry->d_name) + 3);
        sprintf(names[count++], "%s%s", entry->d_name,
                entry->d_type == DT_DIR ? "/" : entry->d_type == DT_LNK ? "@" : "");
    }
    closedir(directory);
    qsort(names, (size_t)count, sizeof *names, compare);
    printf("%s has %d:", path, count);
    for (int i = 0; i < count; i++)
        if (count < 20 || i % 50 == 0)
            printf(" %s", names[i]);
    printf("\n");
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    if (file != NULL) {
        fputs(text, file);
        fclose(file);
    }
}

static void names(void)
{
    char target[100] = "";
    TRY(mkdir("/d/sub", 0777));
    TRY(mkdir("/d/sub", 0777));
    TRY(mkdir("/d/sub/deep/", 0777));
    TRY(mkdir("/d/missing/sub", 0777));
    put("/d/sub/a", "a");
    TRY(link("/d/sub/a", "/d/sub/hard"));
    TRY(link("/d/sub", "/d/sub/hard2"));
    TRY(symlink("a", "/d/sub/soft"));
    TRY(symlink("a", "/d/sub/soft"));
    TRY(readlink("/d/sub/soft", target, sizeof target));
    TRY(readlink("/d/sub/a", target, sizeof target));
    TRY(rename("/d/sub/a", "/d/sub/b"));
    TRY(rename("/d/sub/missing", "/d/sub/b"));
    TRY(rename("/d/sub/b", "/d/sub/deep"));
    TRY(access("/d/sub/soft", F_OK));
    list("/d/sub");
    list("/d/sub/b");
    TRY(rmdir("/d/sub"));
    TRY(rmdir("/d/sub/b"));
    TRY(unlink("/d/sub/deep"));
    TRY(unlink("/d/sub/missing"));
    TRY(rmdir("/d/sub/deep"));
    TRY(unlink("/d/sub/hard"));
    TRY(unlink("/d/sub/soft"));
    list("/d/sub");
}

static void many(void)
{
    char path[50];
    for (int i = 0; i < 400; i++) {
        snprintf(path, sizeof path, "/d/sub/a-file-with-number-%03d", i);
        put(path, "");
    }
    list("/d/sub");
    DIR *directory = opendir("/d/sub");
    int seen = 0, removed = 0;
    while (readdir(directory) != NULL)
        seen++;
    for (int i = 0; i < 400; i++) {
        snprintf(path, sizeof path, "/d/sub/a-file-with-number-%03d", i);
        removed += unlink(path) == 0;
    }
    rewinddir(directory);
    int left = 0;
    while (readdir(directory) != NULL)
        left++;
    closedir(directory);
    printf("seen %d, removed %d, left %d\n", seen, removed, left);
}

static void ways_out(void)
{
    char target[100] = "";
    struct stat stat_of;
    TRY(symlink("/etc/passwd", "/d/absolute"));
    TRY(symlink("../secret", "/d/up"));
    TRY(open("/d/up", O_RDONLY));
    TRY(stat("/d/up", &stat_of));
    TRY(lstat("/d/up", &stat_of));
    TRY(readlink("/d/up", target, sizeof target));
    TRY(symlink("..", "/d/updir"));
    TRY(open("/d/updir/secret", O_RDONLY));
    TRY(mkdir("/d/updir/new", 0777));
    TRY(rename("/d/updir/secret", "/d/stolen"));
    TRY(link("/d/updir/secret", "/d/stolen"));
    TRY(unlink("/d/updir/secret"));
    TRY(symlink("loop", "/d/loop"));
    TRY(open("/d/loop", O_RDONLY));
    TRY(open("/d/sub/../../secret", O_RDONLY));
    TRY(open("/d/sub/../up", O_RDWR | O_CREAT, 0666));
}

int main(void)
{
    names();
    many();
    ways_out();
    return 0;
}
