/* Sockets: listening ones that are there from the start, and what they accept.
 *
 * A listening socket moves: it listens again at its address. A connection cannot; after a resume
 * it is one that the other end has reset (`host_fd` is -1). */
#include <stdlib.h>

#include "mvvm_os.h"
#include "mvvm_wasi.h"
#include "wasi_state.h"

enum { RIFLAG_PEEK = 1, RIFLAG_WAITALL = 2 };
enum { SDFLAG_RD = 1, SDFLAG_WR = 2 };

/* -- Listening ---------------------------------------------------------------------------- */

/* "HOST:PORT" with a numeric host, in brackets if it is of IPv6. */
static bool parse_address(const char *text, char host[MVVM_WASI_MAX_ADDRESS], uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    size_t size = colon == NULL ? 0 : (size_t)(colon - text);
    if (size == 0 || size >= MVVM_WASI_MAX_ADDRESS)
        return false;
    bool brackets = text[0] == '[' && text[size - 1] == ']';
    memcpy(host, text + brackets, size - 2u * brackets);
    host[size - 2u * brackets] = '\0';
    char *end;
    unsigned long number = strtoul(colon + 1, &end, 10);
    *port = (uint16_t)number;
    return colon[1] >= '0' && colon[1] <= '9' && *end == '\0' && number <= UINT16_MAX;
}

const char *mvvm_wasi_listen(uint32_t fd, const char *address, struct mvvm_wasi_fd *entry)
{
    char host[MVVM_WASI_MAX_ADDRESS];
    uint16_t port;
    if (!parse_address(address, host, &port))
        return mvvm_wasi_message("cannot listen at \"%.300s\": not HOST:PORT", address);
    entry->host_fd = mvvm_os_listen(host, port);
    if (entry->host_fd == -WASI_INVAL)
        return mvvm_wasi_message("cannot listen at \"%s\": the host must be a numeric address",
                                 address);
    if (entry->host_fd < 0)
        return mvvm_wasi_message("cannot listen at \"%s\": %s; another address can be given as "
                                 "--listen HOST:PORT or MVVM_LISTEN=HOST:PORT",
                                 address, mvvm_wasi_error_text(-entry->host_fd));
    entry->path = strdup(address);
    if (entry->path == NULL || mvvm_wasi_fd_set(fd, entry) != WASI_SUCCESS) {
        free(entry->path);
        mvvm_os_close(entry->host_fd);
        return mvvm_wasi_no_memory;
    }
    return NULL;
}

bool mvvm_wasi_next_address(const char **list, char address[MVVM_WASI_MAX_ADDRESS])
{
    if (*list == NULL || **list == '\0')
        return false;
    size_t size = strcspn(*list, ";");
    size_t kept = size < MVVM_WASI_MAX_ADDRESS ? size : MVVM_WASI_MAX_ADDRESS - 1;
    memcpy(address, *list, kept);
    address[kept] = '\0';
    *list += size + ((*list)[size] == ';');
    return true;
}

const char *mvvm_wasi_add_listeners(uint32_t first_fd)
{
    const char *list = mvvm_wasi_settings.listen;
    char address[MVVM_WASI_MAX_ADDRESS];
    const char *message = NULL;
    for (uint32_t fd = first_fd; message == NULL && mvvm_wasi_next_address(&list, address); fd++) {
        struct mvvm_wasi_fd entry = {
            .kind = MVVM_WASI_LISTENER,
            .filetype = WASI_FILETYPE_SOCKET_STREAM,
            .rights_base = WASI_RIGHTS_LISTENER,
            .rights_inheriting = WASI_RIGHTS_CONNECTION,
            .root = UINT32_MAX,
        };
        message = mvvm_wasi_listen(fd, address, &entry);
    }
    return message;
}

/* -- Functions ---------------------------------------------------------------------------- */

static int find_socket(uint32_t fd, uint64_t rights, const struct mvvm_wasi_fd **result)
{
    const struct mvvm_wasi_fd *entry = mvvm_wasi_fd(fd);
    if (entry == NULL)
        return WASI_BADF;
    if (entry->filetype != WASI_FILETYPE_SOCKET_STREAM)
        return WASI_NOTSOCK;
    *result = entry;
    return (entry->rights_base & rights) == rights ? WASI_SUCCESS : WASI_NOTCAPABLE;
}

/* A connection that works. */
static int find_connection(uint32_t fd, uint64_t rights, const struct mvvm_wasi_fd **result)
{
    int error = find_socket(fd, 0, result);
    if (error != WASI_SUCCESS)
        return error;
    if ((*result)->kind == MVVM_WASI_LISTENER)
        return WASI_NOTCONN;
    if (mvvm_wasi_was_reset(*result))
        return WASI_CONNRESET;
    return find_socket(fd, rights, result);
}

int mvvm_wasi_sock_accept(struct mvvm_instance *instance, const uint64_t *args)
{
    const struct mvvm_wasi_fd *entry;
    uint32_t flags = mvvm_arg32(args, 1) & 0xFFFF;
    void *out = mvvm_guest(instance, mvvm_arg32(args, 2), 4);
    int error = find_socket(mvvm_arg32(args, 0), 0, &entry);
    if (error != WASI_SUCCESS)
        return error;
    if (entry->kind == MVVM_WASI_CONNECTION || flags & ~(uint32_t)WASI_FDFLAG_NONBLOCK)
        return WASI_INVAL;
    if (!(entry->rights_base & WASI_RIGHT_SOCK_ACCEPT))
        return WASI_NOTCAPABLE;
    if (out == NULL)
        return WASI_FAULT;
    struct mvvm_wasi_fd connection = {
        .kind = MVVM_WASI_CONNECTION,
        .filetype = WASI_FILETYPE_SOCKET_STREAM,
        .flags = (uint16_t)flags,
        .rights_base = entry->rights_inheriting & WASI_RIGHTS_CONNECTION,
        .root = UINT32_MAX,
    };
    do {
        error = mvvm_wasi_wait(entry, false);
        if (error != WASI_SUCCESS)
            return error;
        connection.host_fd = mvvm_os_accept(entry->host_fd);
        if (connection.host_fd == -WASI_AGAIN && entry->flags & WASI_FDFLAG_NONBLOCK)
            return WASI_AGAIN;
    } while (connection.host_fd == -WASI_AGAIN || connection.host_fd == -WASI_INTR ||
             connection.host_fd == -WASI_CONNABORTED);
    if (connection.host_fd < 0)
        return -connection.host_fd;
    uint32_t fd;
    error = mvvm_wasi_fd_add(&connection, &fd);
    if (error != WASI_SUCCESS) {
        mvvm_os_close(connection.host_fd);
        return error;
    }
    mvvm_store32(out, fd);
    return WASI_SUCCESS;
}

/* What sock_recv and sock_send begin alike: the connection, the flags (the argument 3) and the
 * buffers. */
static int load_transfer(struct mvvm_instance *instance, const uint64_t *args, uint64_t right,
                         uint32_t known_flags, const struct mvvm_wasi_fd **entry,
                         struct mvvm_os_iovec *iovecs, size_t *count)
{
    int error = find_connection(mvvm_arg32(args, 0), right, entry);
    if (error != WASI_SUCCESS)
        return error;
    if (mvvm_arg32(args, 3) & 0xFFFF & ~known_flags)
        return WASI_INVAL;
    return mvvm_wasi_load_iovecs(instance, mvvm_arg32(args, 1), mvvm_arg32(args, 2), iovecs, count);
}

/* Waits, then sends or receives: what can be, or with WAITALL everything. What has been transferred
 * counts when an error or a checkpoint comes between. */
static int transfer(const struct mvvm_wasi_fd *entry, struct mvvm_os_iovec *iovecs, size_t count,
                    bool sending, uint32_t flags, uint32_t *transferred)
{
    *transferred = 0;
    while (count > 0) {
        int64_t size = -mvvm_wasi_wait(entry, sending);
        if (size == 0)
            size = sending ? mvvm_os_send(entry->host_fd, iovecs, count)
                           : mvvm_os_receive(entry->host_fd, iovecs, count, flags & RIFLAG_PEEK);
        if ((size == -WASI_AGAIN && !(entry->flags & WASI_FDFLAG_NONBLOCK)) || size == -WASI_INTR)
            continue;
        if (size < 0)
            return *transferred > 0 ? WASI_SUCCESS : (int)-size;
        *transferred += (uint32_t)size;
        mvvm_wasi_advance(&iovecs, &count, (uint64_t)size);
        if (size == 0 || flags & RIFLAG_PEEK || !(flags & RIFLAG_WAITALL))
            break;
    }
    return WASI_SUCCESS;
}

int mvvm_wasi_sock_recv(struct mvvm_instance *instance, const uint64_t *args)
{
    struct mvvm_os_iovec iovecs[MVVM_WASI_MAX_IOVECS];
    size_t count;
    const struct mvvm_wasi_fd *entry;
    uint32_t received;
    void *size_out = mvvm_guest(instance, mvvm_arg32(args, 4), 4);
    void *flags_out = mvvm_guest(instance, mvvm_arg32(args, 5), 2);
    int error = load_transfer(instance, args, WASI_RIGHT_FD_READ, RIFLAG_PEEK | RIFLAG_WAITALL,
                              &entry, iovecs, &count);
    if (error == WASI_SUCCESS && (size_out == NULL || flags_out == NULL))
        error = WASI_FAULT;
    if (error == WASI_SUCCESS)
        error = transfer(entry, iovecs, count, false, mvvm_arg32(args, 3), &received);
    if (error != WASI_SUCCESS)
        return error;
    mvvm_store32(size_out, received);
    mvvm_store16(flags_out, 0); /* streams cut nothing off */
    return WASI_SUCCESS;
}

int mvvm_wasi_sock_send(struct mvvm_instance *instance, const uint64_t *args)
{
    struct mvvm_os_iovec iovecs[MVVM_WASI_MAX_IOVECS];
    size_t count;
    const struct mvvm_wasi_fd *entry;
    uint32_t sent;
    void *out = mvvm_guest(instance, mvvm_arg32(args, 4), 4);
    int error = load_transfer(instance, args, WASI_RIGHT_FD_WRITE, 0, &entry, iovecs, &count);
    if (error == WASI_SUCCESS && out == NULL)
        error = WASI_FAULT;
    if (error == WASI_SUCCESS)
        error = transfer(entry, iovecs, count, true, 0, &sent);
    if (error == WASI_SUCCESS)
        mvvm_store32(out, sent);
    return error;
}

int mvvm_wasi_sock_shutdown(struct mvvm_instance *instance, const uint64_t *args)
{
    (void)instance;
    const struct mvvm_wasi_fd *entry;
    uint32_t how = mvvm_arg32(args, 1) & 0xFF;
    int error = find_connection(mvvm_arg32(args, 0), 0, &entry);
    if (error == WASI_CONNRESET)
        return WASI_NOTCONN;
    if (error != WASI_SUCCESS)
        return error;
    if (how == 0 || how & ~(uint32_t)(SDFLAG_RD | SDFLAG_WR))
        return WASI_INVAL;
    if (!(entry->rights_base & WASI_RIGHT_SOCK_SHUTDOWN))
        return WASI_NOTCAPABLE;
    return -mvvm_os_shutdown(entry->host_fd, how & SDFLAG_RD, how & SDFLAG_WR);
}
