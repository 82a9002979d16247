/* One command per test of tests/unit/runtime: see test_runtime.py. Prints "ok" at the end; every
 * failed check ends the program. Built with the address and undefined-behaviour sanitizers. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crc32.h"
#include "fake_module.h"
#include "options.h"
#include "pages.h"
#include "restore_pages.h"
#include "snapshot.h"

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            exit(1); \
        } \
    } while (0)

static uint64_t random_state;

static uint32_t random_number(uint32_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((random_state >> 33) % below);
}

/* -- Checksums and pages ---------------------------------------------------------------------- */

/* Prints the CRC of each line's text, and holds the fast way against the portable one. */
static void test_crc(void)
{
    static uint8_t bytes[3000];
    char line[256];
    for (size_t k = 0; k < sizeof bytes; k++)
        bytes[k] = (uint8_t)(k * 131 >> 3 ^ k);
    for (size_t start = 0; start < 17; start++)
        for (size_t size = 0; size < 2900; size += size < 300 ? 1 : 61) {
            const uint32_t fast = mvvm_crc32(5, bytes + start, size);
            CHECK(fast == mvvm_crc32_portable(5, bytes + start, size));
            CHECK(fast == mvvm_crc32(mvvm_crc32(5, bytes + start, size / 3),
                                     bytes + start + size / 3, size - size / 3));
            const uint32_t second = mvvm_crc32(0, bytes + start + size / 3, size - size / 3);
            CHECK(fast == mvvm_crc32_combine(mvvm_crc32(5, bytes + start, size / 3), second,
                                             size - size / 3));
        }
    while (fgets(line, sizeof line, stdin) != NULL)
        printf("%08x\n", mvvm_crc32(0, line, strcspn(line, "\n")));
}

static void test_pages(void)
{
    const uint64_t size = 64 * MVVM_SNAPSHOT_PAGE;
    uint8_t *memory = mvvm_os_reserve(size);
    struct mvvm_runs runs = {0};
    CHECK(memory != NULL && mvvm_os_commit(memory, size) == 0);
    CHECK(mvvm_find_runs(memory, size, &runs) && runs.count == 0);
    memory[0] = 1;
    memory[2 * 4096 - 1] = 1; /* the last byte of a page */
    memory[5 * 4096] = 0;     /* touched, but zero */
    memory[9 * 4096 + 130] = 1;
    memory[63 * 4096 + 4095] = 0x80;
    CHECK(mvvm_find_runs(memory, size, &runs) && runs.count == 3);
    CHECK(runs.runs[0].first == 0 && runs.runs[0].count == 2);
    CHECK(runs.runs[1].first == 9 && runs.runs[1].count == 1);
    CHECK(runs.runs[2].first == 63 && runs.runs[2].count == 1);
    free(runs.runs);
}

/* -- The section PAGES ------------------------------------------------------------------------ */

enum { MEMORY_PAGES = 2500, SECTION_PAGES = 1200 + 2 + 1100 };

static const uint64_t section_runs[] = {1, 1200, 1300, 2, 1400, 1100}; /* first page, count */
static const uint64_t section_offset = 3 * 4096;

static int write_section(const char *path, uint8_t *bytes)
{
    const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    const ssize_t size = SECTION_PAGES * 4096;
    for (ssize_t k = 0; k < size; k++)
        bytes[k] = (uint8_t)(k * 7 + (k >> 12)) | 1;
    CHECK(fd >= 0 && pwrite(fd, bytes, (size_t)size, (off_t)section_offset) == size);
    return fd;
}

static void check_memory(const uint8_t *base, const uint8_t *bytes)
{
    static const uint8_t zeros[4096];
    uint64_t next = 0;
    for (int k = 0; k < 3; k++) {
        for (; next < section_runs[2 * k]; next++)
            CHECK(memcmp(base + next * 4096, zeros, 4096) == 0);
        CHECK(memcmp(base + next * 4096, bytes, section_runs[2 * k + 1] * 4096) == 0);
        bytes += section_runs[2 * k + 1] * 4096;
        next += section_runs[2 * k + 1];
    }
}

/* What a checkpoint finds: the section's runs, but for a page that is zero now. */
static void check_found(uint8_t *base)
{
    struct mvvm_runs runs = {0};
    CHECK(mvvm_find_runs(base, (uint64_t)MEMORY_PAGES * 4096, &runs) && runs.count == 3);
    CHECK(runs.runs[2].first == 1400 && runs.runs[2].count == 1100);
    runs.count = 0;
    base[700 * 4096] = 0; /* written, not zero */
    memset(base + 800 * 4096, 0, 4096);
    CHECK(mvvm_find_runs(base, (uint64_t)MEMORY_PAGES * 4096, &runs) && runs.count == 4);
    CHECK(runs.runs[0].first == 1 && runs.runs[0].count == 799 && runs.runs[1].first == 801);
    free(runs.runs);
}

/* Restores from `source` in a process of its own; returns its status. */
static int restore_apart(const struct mvvm_pages_source *source, uint8_t *base)
{
    int status = 0;
    const pid_t child = fork();
    if (child == 0) {
        const char *message = mvvm_restore_pages(source, base, MEMORY_PAGES * 4096, &status);
        if (message != NULL)
            _exit(status);
        mvvm_settle();
        _exit(0);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Looks at bytes here and there, and writes some, before all is there. */
static void touch_pages(uint8_t *base, const uint8_t *bytes)
{
    for (int k = 0; k < 400; k++) {
        const uint32_t page = random_number(1200), byte = random_number(4096);
        CHECK(base[(1 + page) * 4096 + byte] == bytes[page * 4096 + byte]);
        const uint32_t late = random_number(1100);
        base[(1400 + late) * 4096 + byte] ^= 1;
        CHECK(base[(1400 + late) * 4096 + byte] == (bytes[(1202 + late) * 4096 + byte] ^ 1));
        base[(1400 + late) * 4096 + byte] ^= 1;
    }
}

static bool can_be_read(const uint8_t *at)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    const bool can = write(ends[1], at, 1) == 1;
    CHECK(can || errno == EFAULT);
    close(ends[0]);
    close(ends[1]);
    return can;
}

/* `shift`: pages between the start of a large page and the memory's. */
static void restore_in_place(const struct mvvm_pages_source *source, const uint8_t *bytes,
                             size_t shift)
{
    const size_t size = (size_t)MEMORY_PAGES * 4096;
    uint8_t *area = mvvm_os_reserve(size + 2 * MVVM_OS_LARGE_PAGE);
    CHECK(area != NULL);
    const uintptr_t over = (uintptr_t)area % MVVM_OS_LARGE_PAGE;
    uint8_t *base = area + (MVVM_OS_LARGE_PAGE - over) + shift * 4096;
    int status;
    CHECK(mvvm_os_commit(base, size) == 0);
    mvvm_os_prefer_large_pages(base, size);
    CHECK(restore_apart(source, base) == 0);
    CHECK(mvvm_restore_pages(source, base, size, &status) == NULL);
    if (shift % 2 == 0)
        touch_pages(base, bytes);
    mvvm_settle();
    CHECK(!mvvm_load_on_fault((uintptr_t)base));
    check_memory(base, bytes);
    check_found(base);
    CHECK(can_be_read(base + size - 1) && !can_be_read(base + size)); /* it ends where it did */
    mvvm_os_release(area, size + 2 * MVVM_OS_LARGE_PAGE);
}

static void test_section(const char *path)
{
    enum { LATE, WITHOUT_THREAD, AT_ONCE, WAYS };
    uint8_t *bytes = malloc((size_t)SECTION_PAGES * 4096);
    CHECK(bytes != NULL);
    struct mvvm_pages_source source = {write_section(path, bytes), path, section_offset,
                                       SECTION_PAGES * 4096, 0, 3, (const uint8_t *)section_runs};
    source.crc = mvvm_crc32(0, bytes, source.size);
    mvvm_os_install_handlers();
    for (int how = LATE; how < WAYS; how++) {
        mvvm_options.load_late = how != AT_ONCE;
        mvvm_os_test_no_thread = how == WITHOUT_THREAD;
        for (size_t shift = 0; shift < 400; shift += how == LATE ? 37 : 301)
            restore_in_place(&source, bytes, shift);
        uint8_t *base = mvvm_os_reserve((size_t)MEMORY_PAGES * 4096);
        CHECK(base != NULL && mvvm_os_commit(base, (size_t)MEMORY_PAGES * 4096) == 0);
        for (uint64_t at = 0; at < source.size; at += 3001 * 1001) {
            const uint8_t other = bytes[at] ^ 4;
            CHECK(pwrite(source.fd, &other, 1, (off_t)(section_offset + at)) == 1);
            CHECK(restore_apart(&source, base) == MVVM_EXIT_BAD_SNAPSHOT);
            CHECK(pwrite(source.fd, bytes + at, 1, (off_t)(section_offset + at)) == 1);
        }
        CHECK(ftruncate(source.fd, (off_t)(section_offset + source.size - 1)) == 0);
        CHECK(restore_apart(&source, base) == MVVM_EXIT_BAD_SNAPSHOT);
        CHECK(pwrite(source.fd, bytes, source.size, (off_t)section_offset) == (ssize_t)source.size);
        mvvm_os_release(base, (size_t)MEMORY_PAGES * 4096);
    }
    free(bytes);
}

/* -- Frames ----------------------------------------------------------------------------------- */

static bool same_frames(const struct mvvm_frames *a, const struct mvvm_frames *b)
{
    if (a->count != b->count || a->value_count != b->value_count)
        return false;
    for (size_t k = 0; k < a->count; k++) {
        const struct mvvm_frame *x = &a->frames[k], *y = &b->frames[k];
        if (x->func_index != y->func_index || x->offset != y->offset ||
            x->n_locals != y->n_locals || x->n_operands != y->n_operands)
            return false;
        for (uint32_t v = 0; v < x->n_locals + x->n_operands; v++) {
            const struct mvvm_frame_value *p = &a->values[x->first + v],
                                          *q = &b->values[y->first + v];
            if (p->valtype != q->valtype || p->local_index != q->local_index ||
                memcmp(&p->value, &q->value, mvvm_snapshot_value_size(p->valtype)) != 0)
                return false;
        }
    }
    return true;
}

/* Checked frames -> native frames in a stack of poison -> frames: nothing changes. */
static void check_native(struct mvvm_instance *instance, const struct mvvm_frames *frames)
{
    struct mvvm_frames again = {0};
    memset(mvvm_stack_top(&mvvm_stack) - mvvm_stack.size, 0xDB, mvvm_stack.size);
    const struct mvvm_position position = mvvm_materialize(instance, frames, &mvvm_stack);
    CHECK(mvvm_lift(&again, &position, false) == NULL);
    CHECK(same_frames(frames, &again));
    mvvm_frames_free(&again);
}

static void test_frames(void)
{
    struct mvvm_instance *instance = fake_instance();
    struct mvvm_frames frames = fake_frames();
    size_t size;
    CHECK(mvvm_check_frames(instance, &frames, &size) == NULL);
    CHECK(size == 48 + 112 + 96);
    check_native(instance, &frames);
    const struct mvvm_position position = mvvm_materialize(instance, &frames, &mvvm_stack);
    CHECK(position.sp == (uintptr_t)mvvm_stack_top(&mvvm_stack) - size);
    struct mvvm_position wrong = position;
    struct mvvm_frames none = {0};
    wrong.pc++;
    CHECK(strstr(mvvm_lift(&none, &wrong, false), "no point has the return address") != NULL);
    wrong = position;
    wrong.sp += 16;
    CHECK(strstr(mvvm_lift(&none, &wrong, false), "does not tile") != NULL);
    mvvm_frames_free(&none);
    mvvm_frames_free(&frames);
}

static uint64_t word_at(uintptr_t address)
{
    uint64_t word;
    memcpy(&word, (const void *)address, sizeof word);
    return word;
}

/* Puts one byte into the value stream; returns how the frames are judged with it there. */
static const char *judged_with(struct mvvm_instance *instance, uint32_t at, uint8_t byte)
{
    struct mvvm_frames frames = fake_frames();
    uint32_t values_off;
    size_t size;
    memcpy(&values_off, fake_frame_table + 28, sizeof values_off);
    const uint8_t before = fake_frame_table[values_off + at];
    fake_frame_table[values_off + at] = byte;
    const char *message = mvvm_check_frames(instance, &frames, &size);
    fake_frame_table[values_off + at] = before;
    mvvm_frames_free(&frames);
    return message;
}

/* Fills get their constants and the addresses of homes, in thunks too, and must lie in the frame. */
static void test_fills(void)
{
    struct mvvm_instance *instance = fake_instance();
    struct mvvm_frames frames = fake_frames();
    const uintptr_t top = (uintptr_t)mvvm_stack_top(&mvvm_stack), cfa = top - 48 - 112;
    memset((uint8_t *)top - 48 - 112 - 96, 0xDB, 48 + 112 + 96);
    CHECK(mvvm_materialize(instance, &frames, &mvvm_stack).sp == cfa - 96);
    CHECK(word_at(cfa - 80) == 0xDBDBDBDBDEADBEEF);
    CHECK(word_at(cfa - 72) == cfa - 64 && word_at(cfa - 64) == UINT64_MAX); /* of local 0 */
    CHECK(word_at(cfa - 96) == cfa - 48 && word_at(cfa - 88) == 0xDBDBDBDBDBDBDBDB);
    CHECK(word_at(top - 40) == top - 32 && word_at(top - 48) == 0xDBDBDBDBDBDBDBDB);
    mvvm_frames_free(&frames);
    const struct {
        uint32_t at;
        uint8_t byte;
        const char *message;
    } bad[] = {
        {INNER_FILLS + 7, 7, "a fill lies outside"},  /* eight bytes from CFA - 7 */
        {INNER_FILLS + 7, 97, "a fill lies outside"}, /* below the frame */
        {INNER_FILLS + 9, 97, "a fill lies outside"}, /* the address of what is below it */
        {INNER_FILLS + 2, 65, "malformed"},           /* larger than any fill */
        {INNER_FILLS + 12, 0x80, NULL},               /* a longer number: what follows is its rest */
        {INNER_FILLS, 4, "a fill lies outside"},      /* what is behind the third one is none */
        {THUNK_FILLS + 1, 49, "a fill lies outside"},
        {THUNK_FILLS + 3, 49, "a fill lies outside"},
        {THUNK_FILLS + 3, 0x80, "malformed"},         /* the stream ends within the address */
        {THUNK_FILLS, 2, "malformed"},                /* and before the second one's place */
    };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        const char *message = judged_with(instance, bad[k].at, bad[k].byte);
        CHECK(bad[k].message == NULL ? message == NULL
                                     : message != NULL && strstr(message, bad[k].message) != NULL);
    }
    CHECK(judged_with(instance, 0, 1) == NULL);
}

/* Each way in which frames may not fit the program has its message. */
static void test_misfits(void)
{
    struct mvvm_instance *instance = fake_instance();
    size_t size;
#define EXPECT(change, message) \
    do { \
        struct mvvm_frames frames = fake_frames(); \
        change; \
        const char *text = mvvm_check_frames(instance, &frames, &size); \
        CHECK(text != NULL && strstr(text, message) != NULL); \
        mvvm_frames_free(&frames); \
    } while (0)
    EXPECT(frames.count = 0, "no frames");
    EXPECT(frames.frames[0].func_index = 3, "no function 3");
    EXPECT(frames.frames[0].offset = 0x41, "no point at 0x41");
    EXPECT(frames.frames[1].offset = START_CALL, "no point");
    EXPECT(frames.count = 1, "waits for a function of the module");
    EXPECT(frames.frames[1].func_index = 0;
           frames.frames[1].offset = 0, "its callee is another function");
    EXPECT(frames.frames[0].offset = START_IMPORT;
           frames.frames[0].n_operands = 0, "another function");
    EXPECT(frames.frames[0] = frames.frames[1], "entered from outside");
    EXPECT(frames.values[0].valtype = MVVM_TYPE_F32, "a local has another type");
    EXPECT(frames.values[1].local_index = 0, "out of order");
    EXPECT(frames.values[3].valtype = MVVM_TYPE_F64, "an operand has another type");
    EXPECT(frames.frames[0].n_operands = 0, "number of operands");
    EXPECT(frames.frames[1].n_operands = 1; frames.frames[1].n_locals = 1, "number of operands");
    EXPECT(frames.values[5].value.i32 = 3, "does not exist");
    /* A frame at a poll cannot have a callee. */
    EXPECT(frames.frames[0] = frames.frames[1]; frames.frames[0].func_index = 1;
           frames.frames[0].offset = START_IMPORT;
           frames.frames[0].n_locals = 0, "its callee is another function");
    /* Locals that the snapshot lacks are zero, those that nobody wants are ignored. */
    struct mvvm_frames frames = fake_frames();
    struct mvvm_frames lifted = {0};
    frames.values[1].local_index = 3;
    CHECK(mvvm_check_frames(instance, &frames, &size) == NULL);
    const struct mvvm_position position = mvvm_materialize(instance, &frames, &mvvm_stack);
    CHECK(mvvm_lift(&lifted, &position, false) == NULL);
    CHECK(lifted.values[lifted.frames[0].first + 1].local_index == 2);
    CHECK(lifted.values[lifted.frames[0].first + 1].value.i64 == 0);
    mvvm_frames_free(&lifted);
    mvvm_frames_free(&frames);
}

/* -- Snapshots -------------------------------------------------------------------------------- */

static void fill_state(struct mvvm_instance *instance)
{
    struct mvvm_context *context = fake_module.context;
    CHECK(mvvm_memory_grow_pages(context, 1) == 1);
    memcpy(context->memory_base + 5000, "hello", 5);
    context->memory_base[2 * 65536 - 1] = 9;
    fake_module.tables[0].elems[2] =
        mvvm_elem_of(MVVM_TYPE_FUNCREF, mvvm_index_to_ref(instance, 1));
    CHECK(mvvm_table_resize(&fake_module.tables[0], 6));
    mvvm_data_drop(context, 0);
    *(uint32_t *)mvvm_global_slot(instance, 0) = 99;
}

static void write_snapshot(const char *path)
{
    struct mvvm_instance *instance = fake_instance();
    struct mvvm_frames frames = fake_frames();
    fill_state(instance);
    CHECK(mvvm_snapshot_write(instance, &frames, path, "test") == NULL);
    mvvm_frames_free(&frames);
}

/* The file may not grow to the snapshot's size: an error that names the file, and nothing stays
 * behind. */
static void test_full(const char *path)
{
    struct mvvm_instance *instance = fake_instance();
    struct mvvm_frames frames = fake_frames();
    const struct rlimit limit = {4096, 4096};
    fill_state(instance);
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    const char *message = mvvm_snapshot_write(instance, &frames, path, "test");
    CHECK(message != NULL && strstr(message, path) != NULL &&
          strstr(message, strerror(EFBIG)) != NULL);
    message = mvvm_snapshot_write(instance, &frames, "/nonexistent/x.snap", "test");
    CHECK(message != NULL && strstr(message, strerror(ENOENT)) != NULL);
    mvvm_frames_free(&frames);
}

/* A host's value in a table or a global: the error says so, and there is no file. */
static void test_host_values(const char *path)
{
    struct mvvm_instance *instance = fake_instance();
    struct mvvm_frames frames = fake_frames();
    const struct mvvm_table_desc *table_descs = fake_module.table_descs;
    const struct mvvm_table_desc host_tables[] = {
        {MVVM_TYPE_EXTERNREF, table_descs[0].min, table_descs[0].max}};
    const struct mvvm_global_desc *globals = fake_module.globals;
    struct mvvm_global_desc host_globals[] = {globals[0], globals[1], globals[2]};
    host_globals[1].valtype = MVVM_TYPE_EXTERNREF;
    fill_state(instance);
    fake_module.globals = host_globals;
    const char *message = mvvm_snapshot_write(instance, &frames, path, "test");
    CHECK(message != NULL && strstr(message, "externref") != NULL);
    fake_module.globals = globals;
    fake_module.table_descs = host_tables;
    message = mvvm_snapshot_write(instance, &frames, path, "test");
    CHECK(message != NULL && strstr(message, "externref") != NULL);
    fake_module.table_descs = table_descs;
    CHECK(access(path, F_OK) != 0);
    mvvm_frames_free(&frames);
}

static void test_read(const char *path)
{
    struct mvvm_instance *instance = fake_instance();
    struct mvvm_frames frames = {0}, expected = fake_frames();
    const struct mvvm_context *context = fake_module.context;
    char message[256] = "";
    size_t size;
    const int status = mvvm_snapshot_read(instance, path, NULL, &frames, message, sizeof message);
    if (status != 0)
        fprintf(stderr, "%s\n", message);
    CHECK(status == 0);
    CHECK(same_frames(&frames, &expected));
    CHECK(mvvm_check_frames(instance, &frames, &size) == NULL);
    check_native(instance, &frames);
    CHECK(context->memory_bytes == 2 * 65536);
    CHECK(memcmp(context->memory_base + 5000, "hello", 5) == 0 &&
          context->memory_base[2 * 65536 - 1] == 9);
    CHECK(fake_module.tables[0].size == 6 && fake_module.tables[0].elems[2].func_id == 1);
    CHECK(fake_module.tables[0].elems[5].func_id == MVVM_NULL_TYPE_ID);
    CHECK(instance->data_dropped[0] == 1 && instance->data_sizes[0] == 0 &&
          instance->elem_sizes[0] == 2);
    CHECK(*(uint32_t *)mvvm_global_slot(instance, 0) == 99);
    CHECK(*(uint64_t *)mvvm_global_slot(instance, 1) == mvvm_index_to_ref(instance, 2));
    mvvm_frames_free(&frames);
    mvvm_frames_free(&expected);
}

/* Reads what the descriptor holds now; whatever passes must be safe to materialize. */
static int read_again(struct mvvm_instance *instance, const char *path)
{
    struct mvvm_frames frames = {0};
    char message[256];
    size_t size;
    const int status = mvvm_snapshot_read(instance, path, NULL, &frames, message, sizeof message);
    CHECK(status == 0 || strlen(message) > 0);
    if (status == 0 && mvvm_check_frames(instance, &frames, &size) == NULL &&
        size <= mvvm_stack.size)
        mvvm_materialize(instance, &frames, &mvvm_stack);
    mvvm_frames_free(&frames);
    return status;
}

static uint8_t *load_file(const char *path, size_t *size)
{
    struct stat info;
    const int fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && fstat(fd, &info) == 0);
    *size = (size_t)info.st_size;
    uint8_t *bytes = malloc(*size);
    CHECK(bytes != NULL && read(fd, bytes, *size) == info.st_size);
    close(fd);
    return bytes;
}

/* Every truncation and one flipped bit in every byte are noticed. */
static void test_damage(const char *path)
{
    struct mvvm_instance *instance = fake_instance();
    size_t size;
    uint8_t *bytes = load_file(path, &size);
    const int fd = open(path, O_RDWR);
    CHECK(read_again(instance, path) == 0);
    random_state = 1;
    for (size_t at = 0; at < size; at++) {
        const uint8_t flipped = bytes[at] ^ (uint8_t)(1u << random_number(8));
        CHECK(pwrite(fd, &flipped, 1, (off_t)at) == 1);
        CHECK(read_again(instance, path) == MVVM_EXIT_BAD_SNAPSHOT);
        CHECK(pwrite(fd, &bytes[at], 1, (off_t)at) == 1);
    }
    CHECK(read_again(instance, path) == 0);
    CHECK(pwrite(fd, "", 1, (off_t)size) == 1);
    CHECK(read_again(instance, path) == MVVM_EXIT_BAD_SNAPSHOT);
    for (size_t length = size; length-- > 0;) {
        CHECK(ftruncate(fd, (off_t)length) == 0);
        CHECK(read_again(instance, path) == MVVM_EXIT_BAD_SNAPSHOT);
    }
    close(fd);
    free(bytes);
}

/* Makes all checksums right again, so that hostile contents are reached. */
static void mend(uint8_t *bytes, size_t size)
{
    struct mvvm_snapshot_front front;
    memcpy(&front, bytes, sizeof front);
    for (int k = 0; k < MVVM_SECTION_COUNT; k++) {
        struct mvvm_snapshot_section *section = &front.sections[k];
        if (section->offset <= size && section->size <= size - section->offset)
            section->crc = mvvm_crc32(0, bytes + section->offset, section->size);
    }
    front.header.directory_crc = mvvm_crc32(0, front.sections, sizeof front.sections);
    front.header.header_crc = 0;
    front.header.header_crc = mvvm_crc32(0, &front.header, sizeof front.header);
    memcpy(bytes, &front, sizeof front);
}

static void mutate(uint8_t *bytes, size_t size)
{
    static const uint32_t numbers[] = {
        0, 1, 2, 3, 0x7F, 0xFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF};
    const size_t interesting = size < 2048 ? size : 2048; /* behind it are only pages */
    for (uint32_t k = 1 + random_number(3); k > 0; k--) {
        const size_t at = random_number(8) == 0 ? random_number((uint32_t)size)
                                                : sizeof(struct mvvm_snapshot_header) +
                                                      random_number((uint32_t)(interesting - 64));
        const uint32_t number = numbers[random_number(sizeof numbers / sizeof *numbers)];
        if (random_number(2) == 0)
            bytes[at] ^= (uint8_t)(1u << random_number(8));
        else if (at + 4 <= size)
            memcpy(bytes + at, &number, 1 + random_number(4));
    }
}

static void fuzz(const char *path, uint64_t seed, unsigned long count)
{
    struct mvvm_instance *instance = fake_instance();
    size_t size, accepted = 0, rejected = 0;
    uint8_t *bytes = load_file(path, &size);
    uint8_t *changed = malloc(size);
    const int fd = open(path, O_RDWR);
    CHECK(changed != NULL && fd >= 0);
    random_state = seed;
    for (unsigned long k = 0; k < count; k++) {
        memcpy(changed, bytes, size);
        mutate(changed, size);
        mend(changed, size);
        CHECK(pwrite(fd, changed, size, 0) == (ssize_t)size);
        const int status = read_again(instance, path);
        CHECK(status == 0 || status == MVVM_EXIT_BAD_SNAPSHOT || status == MVVM_EXIT_SYSTEM);
        *(status == 0 ? &accepted : &rejected) += 1;
    }
    CHECK(rejected > count / 4); /* the mutations do reach the contents, */
    CHECK(accepted > 0);         /* and some only change values */
    CHECK(pwrite(fd, bytes, size, 0) == (ssize_t)size);
    CHECK(read_again(instance, path) == 0);
    close(fd);
    free(changed);
    free(bytes);
}

/* -- The frame table -------------------------------------------------------------------------- */

static void read_all_points(const struct mvvm_frame_table *table)
{
    for (uint32_t k = 0; k < table->point_count; k++) {
        const struct mvvm_site site = {table, &table->points[k],
                                       &table->functions[table->points[k].function]};
        struct mvvm_values values = mvvm_values_of(&site);
        struct mvvm_home home;
        struct mvvm_fill fill;
        mvvm_values_list(&values);
        while (mvvm_values_local(&values, &home))
            CHECK(!values.failed);
        mvvm_values_list(&values);
        while (mvvm_values_operand(&values, &home))
            CHECK(!values.failed);
        mvvm_values_list(&values);
        while (mvvm_values_fill(&values, &fill))
            CHECK(fill.bytes == NULL ? fill.size == 8
                                     : fill.bytes + fill.size <= values.end && !values.failed);
    }
}

static void test_table(uint64_t seed, unsigned long count)
{
    static _Alignas(16) uint8_t whole[1024];
    struct mvvm_frame_table table;
    const size_t size = fake_build_table(whole);
    CHECK(mvvm_frame_table_open(&table, whole, fake_text) == NULL);
    CHECK(table.point_count == 6 && table.function_count == 4);
    CHECK(mvvm_frame_table_open(&table, whole + 1, fake_text) != NULL);
    uint8_t *bytes = malloc(size); /* exactly as large, for the sanitizer */
    CHECK(bytes != NULL);
    random_state = seed;
    unsigned long refused = 0;
    for (unsigned long k = 0; k < count; k++) {
        memcpy(bytes, whole, size);
        for (uint32_t n = 1 + random_number(3); n > 0; n--) {
            const size_t at = random_number((uint32_t)size);
            if (at < 40 || at >= 44) /* the total size is all that tells where the bytes end */
                bytes[at] = (uint8_t)random_number(256);
        }
        if (mvvm_frame_table_open(&table, bytes, fake_text) == NULL)
            read_all_points(&table);
        else
            refused++;
    }
    CHECK(refused > count / 4);
    free(bytes);
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    const char *path = argc > 2 ? argv[2] : "";
    const uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
    const unsigned long count = argc > 4 ? strtoul(argv[4], NULL, 10) : 1000;
    if (strcmp(command, "crc") == 0)
        test_crc();
    else if (strcmp(command, "pages") == 0)
        test_pages();
    else if (strcmp(command, "section") == 0)
        test_section(path);
    else if (strcmp(command, "frames") == 0)
        test_frames();
    else if (strcmp(command, "fills") == 0)
        test_fills();
    else if (strcmp(command, "misfits") == 0)
        test_misfits();
    else if (strcmp(command, "write") == 0)
        write_snapshot(path);
    else if (strcmp(command, "full") == 0)
        test_full(path);
    else if (strcmp(command, "host-values") == 0)
        test_host_values(path);
    else if (strcmp(command, "read") == 0)
        test_read(path);
    else if (strcmp(command, "damage") == 0)
        test_damage(path);
    else if (strcmp(command, "fuzz") == 0)
        fuzz(path, seed, count);
    else if (strcmp(command, "table") == 0)
        test_table(seed, count);
    else
        return 2;
    puts("ok");
    return 0;
}
