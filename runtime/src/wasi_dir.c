/* fd_readdir.
 *
 * A cookie says where an entry stands without any state of ours, so that reading goes on after
 * a move to another machine and while entries come and go: entries are ordered by a hash of
 * their names (then by name), and an entry's cookie is the hash with its number among equal
 * hashes. 0 is the start, 1 follows ".", 2 follows "..". The entries read first are kept until
 * the directory is read from its start again, so a directory that is read in many calls is
 * listed once. */
#include <stdlib.h>

#include "mvvm_os.h"
#include "mvvm_wasi.h"

#define DIRENT_SIZE 24u
#define MAX_ENTRIES (1u << 22)

struct entry {
    uint64_t next; /* the cookie that follows it */
    uint64_t inode;
    char *name;
    uint8_t filetype;
};

struct mvvm_wasi_listing {
    struct entry *entries;
    size_t count, room;
};

void mvvm_wasi_listing_free(struct mvvm_wasi_listing *listing)
{
    if (listing == NULL)
        return;
    for (size_t i = 0; i < listing->count; i++)
        free(listing->entries[i].name);
    free(listing->entries);
    free(listing);
}

/* FNV-1a, then mixed: 55 bits above 8 for the number among equal hashes; never 0 to 2 after
 * that. */
static uint64_t hash_name(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *name != '\0'; name++)
        hash = (hash ^ (uint8_t)*name) * 0x100000001b3u;
    hash ^= hash >> 32;
    hash *= 0x9e3779b97f4a7c15u;
    return ((hash >> 9) | 1) << 8;
}

static int add_entry(void *data, const char *name, uint64_t inode, uint8_t filetype)
{
    struct mvvm_wasi_listing *listing = data;
    if (listing->count == MAX_ENTRIES)
        return -WASI_OVERFLOW;
    if (listing->count == listing->room) {
        size_t room = listing->room < 32 ? 32 : 2 * listing->room;
        struct entry *entries = realloc(listing->entries, room * sizeof *entries);
        if (entries == NULL)
            return -WASI_NOMEM;
        listing->entries = entries;
        listing->room = room;
    }
    char *copy = strdup(name);
    if (copy == NULL)
        return -WASI_NOMEM;
    listing->entries[listing->count++] = (struct entry){hash_name(name), inode, copy, filetype};
    return 0;
}

static int compare_entries(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    if (a->next != b->next)
        return a->next < b->next ? -1 : 1;
    return strcmp(a->name, b->name);
}

static int list(const struct mvvm_wasi_fd *directory, struct mvvm_wasi_listing **result)
{
    struct mvvm_wasi_listing *listing = calloc(1, sizeof *listing);
    if (listing == NULL)
        return WASI_NOMEM;
    int error = -mvvm_os_list(directory->host_fd, add_entry, listing);
    if (error != WASI_SUCCESS) {
        mvvm_wasi_listing_free(listing);
        return error;
    }
    if (listing->count > 0)
        qsort(listing->entries, listing->count, sizeof *listing->entries, compare_entries);
    for (size_t i = 1; i < listing->count; i++)
        if (listing->entries[i].next <= listing->entries[i - 1].next)
            listing->entries[i].next = listing->entries[i - 1].next + 1;
    *result = listing;
    return WASI_SUCCESS;
}

struct output {
    uint8_t *at;
    size_t left;
};

/* Puts one entry, cut off where the buffer ends: then the guest calls again with more room. */
static void put_entry(struct output *out, const char *name, uint64_t next, uint64_t inode,
                      uint8_t filetype)
{
    uint8_t head[DIRENT_SIZE] = {0};
    size_t name_size = strlen(name);
    mvvm_store64(head, next);
    mvvm_store64(head + 8, inode);
    mvvm_store32(head + 16, (uint32_t)name_size);
    head[20] = filetype;
    size_t size = out->left < sizeof head ? out->left : sizeof head;
    memcpy(out->at, head, size);
    out->at += size;
    out->left -= size;
    size = out->left < name_size ? out->left : name_size;
    memcpy(out->at, name, size);
    out->at += size;
    out->left -= size;
}

static void put_entries(struct output *out, const struct mvvm_wasi_listing *listing,
                        uint64_t cookie, uint64_t own_inode)
{
    if (cookie == 0)
        put_entry(out, ".", 1, own_inode, WASI_FILETYPE_DIRECTORY);
    if (cookie <= 1 && out->left > 0) /* its inode may be outside of what the guest may see */
        put_entry(out, "..", 2, 0, WASI_FILETYPE_DIRECTORY);
    size_t first = 0, end = listing->count;
    while (first < end) { /* the first entry behind the cookie */
        size_t middle = first + (end - first) / 2;
        if (listing->entries[middle].next <= cookie)
            first = middle + 1;
        else
            end = middle;
    }
    for (size_t i = first; i < listing->count && out->left > 0; i++) {
        const struct entry *entry = &listing->entries[i];
        put_entry(out, entry->name, entry->next, entry->inode, entry->filetype);
    }
}

int mvvm_wasi_fd_readdir(struct mvvm_instance *instance, const uint64_t *args)
{
    struct mvvm_wasi_fd *directory = mvvm_wasi_directory(mvvm_arg32(args, 0));
    uint32_t size = mvvm_arg32(args, 2);
    uint64_t cookie = mvvm_arg64(args, 3);
    uint8_t *buffer = mvvm_guest(instance, mvvm_arg32(args, 1), size);
    void *used = mvvm_guest(instance, mvvm_arg32(args, 4), 4);
    struct mvvm_os_stat stat;
    if (directory == NULL)
        return WASI_BADF;
    if (mvvm_wasi_lacks(directory, WASI_RIGHT_FD_READDIR))
        return WASI_NOTCAPABLE;
    if (buffer == NULL || used == NULL)
        return WASI_FAULT;
    if (cookie == 0 || directory->listing == NULL) {
        struct mvvm_wasi_listing *listing;
        int error = list(directory, &listing);
        if (error != WASI_SUCCESS)
            return error;
        mvvm_wasi_listing_free(directory->listing);
        directory->listing = listing;
    }
    int result = mvvm_os_stat(directory->host_fd, &stat);
    if (result < 0)
        return -result;
    struct output out = {buffer, size};
    put_entries(&out, directory->listing, cookie, stat.inode);
    mvvm_store32(used, (uint32_t)(size - out.left));
    return WASI_SUCCESS;
}
