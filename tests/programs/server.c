// Answers each line that a client sends with a running count; "quit" ends it. Descriptor 3 listens.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void)
{
    char line[200], answer[256];
    int count = 0, resets = 0;
    puts("listening");
    fflush(stdout);
    for (;;) {
        const int client = accept(3, NULL, NULL);
        if (client < 0)
            return 2;
        for (;;) {
            const ssize_t size = recv(client, line, sizeof line - 1, 0);
            if (size < 0 && errno != ECONNRESET)
                return 3;
            resets += size < 0;
            if (size <= 0)
                break;
            line[size] = '\0';
            count++;
            const int length = snprintf(answer, sizeof answer, "%d %d %s", count, resets, line);
            if (send(client, answer, (size_t)length, 0) != length)
                return 4;
            if (strcmp(line, "quit\n") == 0)
                return 0;
        }
        close(client);
        puts("closed");
        fflush(stdout);
    }
}
