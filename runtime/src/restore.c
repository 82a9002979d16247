/* The snapshot reader: a file that nobody vouches for -> the state of a prepared instance. The
 * layout is drawn in docs/internals.md, section 4; snapshot.c writes it. Everything is checked
 * before it is believed: each part against its checksum, each size against the file, each value
 * against the module. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint.h"
#include "crc32.h"
#include "restore_pages.h"
#include "snapshot.h"

/* A snapshot being read. The first failure is kept. */
struct input {
    int fd;
    int status; /* 0, or the exit status of the failure */
    char *message;
    size_t message_size;
    struct mvvm_snapshot_front front;
    uint8_t *parts[MVVM_SECTION_COUNT + 1]; /* by id; PAGES goes straight into the memory */
    struct mvvm_frames *frames;
    const uint8_t *page_runs; /* inside MEMORIES: run_count * (u64, u64) */
    uint32_t page_run_count;
    uint64_t memory_pages;
};

static bool fail(struct input *in, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool fail(struct input *in, int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (in->status == 0) {
        in->status = status;
        vsnprintf(in->message, in->message_size, format, arguments);
    }
    va_end(arguments);
    return false;
}

static bool bad(struct input *in, const char *what)
{
    return fail(in, MVVM_EXIT_BAD_SNAPSHOT, "%s", what);
}

/* Exactly `size` bytes at `offset`. */
static bool read_at(struct input *in, void *buffer, size_t size, uint64_t offset)
{
    uint8_t *at = buffer;
    while (size > 0) {
        const ssize_t got = pread(in->fd, at, size < (1u << 30) ? size : (1u << 30), (off_t)offset);
        if (got < 0 && errno != EINTR)
            return fail(in, MVVM_EXIT_SYSTEM, "cannot read: %s", strerror(errno));
        if (got == 0)
            return bad(in, "the snapshot is truncated");
        if (got > 0) {
            at += got;
            offset += (uint64_t)got;
            size -= (size_t)got;
        }
    }
    return true;
}

/* -- The frame of the file: header, directory, checksums -------------------------------------- */

static bool check_header(struct input *in, uint64_t file_size)
{
    struct mvvm_snapshot_header header = in->front.header;
    if (memcmp(header.magic, MVVM_SNAPSHOT_MAGIC, sizeof header.magic) != 0)
        return bad(in, "not a snapshot");
    if (header.version != MVVM_SNAPSHOT_VERSION)
        return fail(in, MVVM_EXIT_BAD_SNAPSHOT,
                    "a snapshot of version %" PRIu32 ", this program reads version %u",
                    header.version, MVVM_SNAPSHOT_VERSION);
    header.header_crc = 0;
    if (mvvm_crc32(0, &header, sizeof header) != in->front.header.header_crc)
        return bad(in, "the snapshot's header is damaged");
    if (header.file_size != file_size)
        return fail(in, MVVM_EXIT_BAD_SNAPSHOT,
                    "the snapshot is truncated or has grown: %" PRIu64 " bytes of %" PRIu64,
                    file_size, header.file_size);
    if (header.section_count != MVVM_SECTION_COUNT ||
        mvvm_crc32(0, in->front.sections, sizeof in->front.sections) != header.directory_crc)
        return bad(in, "the snapshot's directory is damaged");
    return true;
}

static bool check_gap(struct input *in, uint64_t from, uint64_t to)
{
    uint8_t gap[MVVM_SNAPSHOT_PAGE];
    if (to < from || to - from >= sizeof gap)
        return bad(in, "a section of the snapshot is out of place");
    if (!read_at(in, gap, (size_t)(to - from), from))
        return false;
    for (size_t k = 0; k < to - from; k++)
        if (gap[k] != 0)
            return bad(in, "the snapshot is damaged between its sections");
    return true;
}

static bool check_directory(struct input *in)
{
    uint64_t end = sizeof in->front;
    for (uint32_t id = 1; id <= MVVM_SECTION_COUNT; id++) {
        const struct mvvm_snapshot_section *section = &in->front.sections[id - 1];
        const uint64_t unit = id == MVVM_SECTION_PAGES ? MVVM_SNAPSHOT_PAGE : 8;
        if (section->id != id || section->reserved0 != 0 || section->reserved1 != 0 ||
            section->offset % unit != 0 || section->offset > in->front.header.file_size ||
            section->size > in->front.header.file_size - section->offset)
            return bad(in, "the snapshot's directory is malformed");
        if (!check_gap(in, end, section->offset))
            return false;
        end = section->offset + section->size;
    }
    return end == in->front.header.file_size ||
           bad(in, "the snapshot has bytes behind its last section");
}

static bool read_part(struct input *in, uint32_t id)
{
    static const char *const names[] = {"",       "SOURCE",   "MODULE", "FRAMES",   "GLOBALS",
                                        "TABLES", "MEMORIES", "PAGES",  "SEGMENTS", "WASI"};
    const struct mvvm_snapshot_section *section = &in->front.sections[id - 1];
    in->parts[id] = malloc(section->size + 1);
    if (in->parts[id] == NULL)
        return fail(in, MVVM_EXIT_SYSTEM, "out of memory");
    if (!read_at(in, in->parts[id], section->size, section->offset))
        return false;
    if (mvvm_crc32(0, in->parts[id], section->size) != section->crc)
        return fail(in, MVVM_EXIT_BAD_SNAPSHOT, "the snapshot's section %s is damaged", names[id]);
    return true;
}

static bool check_module(struct input *in, const struct mvvm_module *module)
{
    const struct mvvm_snapshot_section *section = &in->front.sections[MVVM_SECTION_MODULE - 1];
    if (memcmp(in->front.header.sha256, module->sha256, sizeof module->sha256) != 0)
        return bad(in, "a snapshot of another module");
    if (section->size != module->wasm_size)
        return bad(in, "the snapshot's module has another size than its hash says");
    if (!read_part(in, MVVM_SECTION_MODULE))
        return false;
    return memcmp(in->parts[MVVM_SECTION_MODULE], module->wasm_bytes, module->wasm_size) == 0 ||
           bad(in, "the snapshot's module differs from what its hash says");
}

static bool open_file(struct input *in, const char *path)
{
    struct stat info;
    in->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (in->fd < 0 || fstat(in->fd, &info) != 0)
        return fail(in, MVVM_EXIT_BAD_SNAPSHOT, "cannot open: %s", strerror(errno));
    if (!S_ISREG(info.st_mode))
        return bad(in, "not a regular file");
    const uint64_t size = (uint64_t)info.st_size;
    if (size < sizeof in->front) {
        uint8_t magic[8];
        if (size < sizeof magic || !read_at(in, magic, sizeof magic, 0) ||
            memcmp(magic, MVVM_SNAPSHOT_MAGIC, sizeof magic) != 0)
            return bad(in, "not a snapshot");
        return bad(in, "the snapshot is truncated");
    }
    return read_at(in, &in->front, sizeof in->front, 0) && check_header(in, size) &&
           check_directory(in);
}

/* -- Contents --------------------------------------------------------------------------------- */

static struct mvvm_reader reader_of(const struct input *in, uint32_t id)
{
    const uint8_t *at = in->parts[id];
    return (struct mvvm_reader){at, at + in->front.sections[id - 1].size, false};
}

/* A section must be read to its end, and not past it. */
static bool finish(struct input *in, const struct mvvm_reader *r, const char *name)
{
    if (!r->failed && r->at == r->end)
        return true;
    return fail(in, MVVM_EXIT_BAD_SNAPSHOT, "the snapshot's section %s has the wrong length", name);
}

static bool read_value(struct mvvm_reader *r, uint8_t *valtype, union mvvm_value *value)
{
    *valtype = mvvm_read_u8(r);
    const size_t size = mvvm_snapshot_value_size(*valtype);
    const uint8_t *bytes = size != 0 ? mvvm_read_bytes(r, size) : NULL;
    memset(value, 0, sizeof *value);
    if (bytes == NULL)
        return false;
    memcpy(value, bytes, size);
    return true;
}

static bool read_frame_values(struct input *in, struct mvvm_reader *r, uint32_t count, bool locals)
{
    for (uint32_t k = 0; k < count; k++) {
        struct mvvm_frame_value value = {.local_index = locals ? mvvm_read_u32(r) : UINT32_MAX};
        if (!read_value(r, &value.valtype, &value.value))
            return bad(in, "a value in the snapshot's frames is malformed");
        if (!mvvm_frames_add_value(in->frames, &value))
            return fail(in, MVVM_EXIT_SYSTEM, "out of memory");
    }
    return true;
}

static bool read_frames(struct input *in)
{
    struct mvvm_reader r = reader_of(in, MVVM_SECTION_FRAMES);
    const uint32_t count = mvvm_read_u32(&r);
    for (uint32_t k = 0; k < count && !r.failed; k++) {
        struct mvvm_frame frame = {.func_index = mvvm_read_u32(&r), .offset = mvvm_read_u32(&r)};
        frame.first = in->frames->value_count;
        frame.n_locals = mvvm_read_u32(&r);
        if (!read_frame_values(in, &r, frame.n_locals, true))
            return false;
        frame.n_operands = mvvm_read_u32(&r);
        if (!read_frame_values(in, &r, frame.n_operands, false))
            return false;
        if (!mvvm_frames_add(in->frames, &frame))
            return fail(in, MVVM_EXIT_SYSTEM, "out of memory");
    }
    return finish(in, &r, "FRAMES");
}

static bool read_globals(struct input *in, const struct mvvm_instance *instance)
{
    const struct mvvm_module *module = instance->module;
    struct mvvm_reader r = reader_of(in, MVVM_SECTION_GLOBALS);
    if (mvvm_read_u32(&r) != module->global_count - module->imported_global_count)
        return bad(in, "the snapshot has another number of globals than the module");
    for (uint32_t k = module->imported_global_count; k < module->global_count; k++) {
        uint8_t valtype;
        union mvvm_value value;
        if (!read_value(&r, &valtype, &value) || valtype != module->globals[k].valtype)
            return bad(in, "a global of the snapshot has another type than the module's");
        const char *message = mvvm_index_objection(instance, valtype, value.i32);
        if (message != NULL)
            return fail(in, MVVM_EXIT_BAD_SNAPSHOT, "global %" PRIu32 " of the snapshot %s", k,
                        message);
        if (valtype == MVVM_TYPE_FUNCREF || valtype == MVVM_TYPE_EXTERNREF)
            value.ref = mvvm_index_to_ref(instance, value.i32);
        memcpy(mvvm_global_slot(instance, k), &value, sizeof value);
    }
    return finish(in, &r, "GLOBALS");
}

static bool read_table(struct input *in, struct mvvm_reader *r,
                       const struct mvvm_instance *instance, uint32_t t)
{
    const struct mvvm_table_desc *desc = &instance->module->table_descs[t];
    struct mvvm_table *table = &instance->module->tables[t];
    const uint8_t reftype = mvvm_read_u8(r);
    const uint32_t size = mvvm_read_u32(r);
    const uint32_t max = mvvm_read_u32(r);
    if (reftype != desc->reftype || max != desc->max || size < desc->min || size > max)
        return bad(in, "a table of the snapshot does not fit the module's");
    if ((uint64_t)(r->end - r->at) < (uint64_t)size * 4)
        return bad(in, "the snapshot's section TABLES has the wrong length");
    if (!mvvm_table_resize(table, size))
        return fail(in, MVVM_EXIT_SYSTEM, "no memory for a table of %" PRIu32 " elements", size);
    for (uint32_t k = 0; k < size; k++) {
        const uint32_t index = mvvm_read_u32(r);
        const char *message = mvvm_index_objection(instance, reftype, index);
        if (message != NULL)
            return fail(in, MVVM_EXIT_BAD_SNAPSHOT,
                        "element %" PRIu32 " of the snapshot's table %" PRIu32 " %s", k, t, message);
        table->elems[k] = mvvm_elem_of(reftype, mvvm_index_to_ref(instance, index));
    }
    return true;
}

static bool read_tables(struct input *in, const struct mvvm_instance *instance)
{
    struct mvvm_reader r = reader_of(in, MVVM_SECTION_TABLES);
    if (mvvm_read_u32(&r) != instance->module->table_count)
        return bad(in, "the snapshot has another number of tables than the module");
    for (uint32_t t = 0; t < instance->module->table_count; t++)
        if (!read_table(in, &r, instance, t))
            return false;
    return finish(in, &r, "TABLES");
}

/* The runs ascend, do not touch the memory's end, and add up to PAGES. */
static bool check_runs(struct input *in, struct mvvm_reader *r)
{
    const uint64_t limit = in->memory_pages * (MVVM_WASM_PAGE / MVVM_SNAPSHOT_PAGE);
    uint64_t next = 0, total = 0;
    in->page_run_count = mvvm_read_u32(r);
    in->page_runs = r->at;
    for (uint32_t k = 0; k < in->page_run_count; k++) {
        const uint64_t first = mvvm_read_u64(r);
        const uint64_t count = mvvm_read_u64(r);
        if (r->failed || count == 0 || first < next || first > limit || count > limit - first)
            return bad(in, "the snapshot's memory runs are malformed");
        next = first + count;
        total += count;
    }
    return total * MVVM_SNAPSHOT_PAGE == in->front.sections[MVVM_SECTION_PAGES - 1].size ||
           bad(in, "the snapshot's section PAGES has the wrong length");
}

static bool read_memories(struct input *in, const struct mvvm_instance *instance)
{
    const struct mvvm_module *module = instance->module;
    struct mvvm_reader r = reader_of(in, MVVM_SECTION_MEMORIES);
    if (mvvm_read_u32(&r) != module->memory_count)
        return bad(in, "the snapshot has another number of memories than the module");
    if (module->memory_count == 0) {
        if (in->front.sections[MVVM_SECTION_PAGES - 1].size != 0)
            return bad(in, "the snapshot's section PAGES has the wrong length");
        return finish(in, &r, "MEMORIES");
    }
    in->memory_pages = mvvm_read_u64(&r);
    const uint64_t max = mvvm_read_u64(&r);
    if (r.failed || max != instance->memory_max_pages || in->memory_pages > max ||
        in->memory_pages < module->memory_min_pages)
        return bad(in, "the snapshot's memory does not fit the module's limits");
    return check_runs(in, &r) && finish(in, &r, "MEMORIES");
}

static bool restore_pages(struct input *in, const struct mvvm_instance *instance, const char *path)
{
    struct mvvm_context *context = instance->module->context;
    const struct mvvm_snapshot_section *section = &in->front.sections[MVVM_SECTION_PAGES - 1];
    const uint64_t old_pages = context->memory_bytes / MVVM_WASM_PAGE;
    const struct mvvm_pages_source source = {
        .fd = in->fd,
        .path = path,
        .offset = section->offset,
        .size = section->size,
        .crc = section->crc,
        .run_count = in->page_run_count,
        .runs = in->page_runs,
    };
    int status;
    if (in->memory_pages > old_pages &&
        mvvm_memory_grow_pages(context, in->memory_pages - old_pages) == UINT64_MAX)
        return fail(in, MVVM_EXIT_SYSTEM, "no memory for %" PRIu64 " pages of 64 KiB",
                    in->memory_pages);
    const char *message = mvvm_restore_pages(&source, context->memory_base, context->memory_bytes, &status);
    return message == NULL || fail(in, status, "%s", message);
}

static bool read_flags(struct input *in, struct mvvm_reader *r, uint32_t count, uint8_t *dropped,
                       uint32_t *sizes)
{
    if (mvvm_read_u32(r) != count)
        return bad(in, "the snapshot has another number of segments than the module");
    for (uint32_t k = 0; k < count; k++) {
        dropped[k] = mvvm_read_u8(r);
        if (dropped[k] > 1)
            return bad(in, "the snapshot's section SEGMENTS is malformed");
        if (dropped[k])
            sizes[k] = 0;
    }
    return true;
}

static bool read_segments(struct input *in, const struct mvvm_instance *instance)
{
    const struct mvvm_module *module = instance->module;
    struct mvvm_reader r = reader_of(in, MVVM_SECTION_SEGMENTS);
    return read_flags(in, &r, module->data_count, instance->data_dropped, instance->data_sizes) &&
           read_flags(in, &r, module->elem_count, instance->elem_dropped, instance->elem_sizes) &&
           finish(in, &r, "SEGMENTS");
}

static bool read_wasi(struct input *in, const char *dirs)
{
    struct mvvm_reader r = reader_of(in, MVVM_SECTION_WASI);
    bool bad_snapshot = true;
    mvvm_wasi_settings.before_effect = mvvm_settle;
    const char *message = mvvm_wasi_load(&r, dirs, &bad_snapshot);
    if (message != NULL)
        return fail(in, bad_snapshot ? MVVM_EXIT_BAD_SNAPSHOT : MVVM_EXIT_SYSTEM, "%s", message);
    return finish(in, &r, "WASI");
}

static bool read_everything(struct input *in, const struct mvvm_instance *instance,
                            const char *path, const char *dirs)
{
    if (!open_file(in, path) || !check_module(in, instance->module))
        return false;
    for (uint32_t id = 1; id <= MVVM_SECTION_COUNT; id++)
        if (id != MVVM_SECTION_MODULE && id != MVVM_SECTION_PAGES && !read_part(in, id))
            return false;
    return read_frames(in) && read_globals(in, instance) && read_tables(in, instance) &&
           read_memories(in, instance) && read_segments(in, instance) &&
           restore_pages(in, instance, path) && read_wasi(in, dirs);
}

int mvvm_snapshot_read(struct mvvm_instance *instance, const char *path, const char *dirs,
                       struct mvvm_frames *frames, char *message, size_t message_size)
{
    struct input in = {
        .fd = -1, .message = message, .message_size = message_size, .frames = frames};
    if (!read_everything(&in, instance, path, dirs))
        mvvm_settle(); /* one message: damage is the cause of what follows from it */
    for (uint32_t id = 0; id <= MVVM_SECTION_COUNT; id++)
        free(in.parts[id]);
    if (in.fd >= 0)
        close(in.fd);
    return in.status;
}
