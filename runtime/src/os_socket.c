/* Sockets on Linux: streams over TCP. All are non-blocking; waiting is mvvm_os_poll's affair. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mvvm_os.h"
#include "mvvm_wasi.h"
#include "os_file.h"

int mvvm_os_listen(const char *host, uint16_t port)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {0};
    socklen_t size = 0;
    if (inet_pton(AF_INET, host, &address.v4.sin_addr) == 1) {
        address.v4.sin_family = AF_INET;
        address.v4.sin_port = htons(port);
        size = sizeof address.v4;
    } else if (inet_pton(AF_INET6, host, &address.v6.sin6_addr) == 1) {
        address.v6.sin6_family = AF_INET6;
        address.v6.sin6_port = htons(port);
        size = sizeof address.v6;
    } else {
        return -WASI_INVAL;
    }
    const int on = 1;
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return mvvm_os_error(errno);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, &address.any, size) < 0 || listen(fd, SOMAXCONN) < 0) {
        int error = mvvm_os_error(errno);
        close(fd);
        return error;
    }
    return fd;
}

int mvvm_os_accept(int fd)
{
    int accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return accepted < 0 ? mvvm_os_error(errno) : accepted;
}

static struct msghdr message_of(const struct mvvm_os_iovec *iovecs, size_t count, struct iovec *raw)
{
    for (size_t i = 0; i < count; i++)
        raw[i] = (struct iovec){.iov_base = iovecs[i].base, .iov_len = iovecs[i].size};
    struct msghdr message = {0};
    message.msg_iov = raw;
    message.msg_iovlen = count;
    return message;
}

int64_t mvvm_os_receive(int fd, const struct mvvm_os_iovec *iovecs, size_t count, bool peek)
{
    struct iovec raw[MVVM_WASI_MAX_IOVECS];
    struct msghdr message = message_of(iovecs, count, raw);
    ssize_t size = recvmsg(fd, &message, peek ? MSG_PEEK : 0);
    return size < 0 ? mvvm_os_error(errno) : size;
}

int64_t mvvm_os_send(int fd, const struct mvvm_os_iovec *iovecs, size_t count)
{
    struct iovec raw[MVVM_WASI_MAX_IOVECS];
    const struct msghdr message = message_of(iovecs, count, raw);
    ssize_t size = sendmsg(fd, &message, MSG_NOSIGNAL);
    return size < 0 ? mvvm_os_error(errno) : size;
}

int mvvm_os_shutdown(int fd, bool reading, bool writing)
{
    int how = reading ? (writing ? SHUT_RDWR : SHUT_RD) : SHUT_WR;
    return shutdown(fd, how) < 0 ? mvvm_os_error(errno) : 0;
}
