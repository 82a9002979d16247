/* The snapshot writer. The layout is drawn in docs/internals.md, section 4; restore.c and
 * mvvm_aot/snapshot/codec.py read it. The file is written beside its target and renamed, so a name
 * never stands for half a snapshot. Before that it is forced to the disk, and after it the name is:
 * who is told of a snapshot has it after a power failure too. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* register names in <ucontext.h> */
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "arch.h"
#include "checkpoint.h"
#include "crc32.h"
#include "options.h"
#include "pages.h"
#include "snapshot.h"
#include "stream.h"

static const char *write_source(struct mvvm_writer *w, const char *reason)
{
    char text[512];
    const int length = snprintf(text, sizeof text,
                                "arch=%s\nos=linux\ntool=mvvm-aot\ntime=%lld\npid=%ld\nreason=%s\n",
                                MVVM_ARCH_NAME, (long long)time(NULL), (long)getpid(), reason);
    mvvm_write_bytes(w, text, (size_t)length);
    return NULL;
}

/* A value of a snapshot; a reference is given as its func_index in `value->i32`. */
static void write_value(struct mvvm_writer *w, uint8_t valtype, const union mvvm_value *value)
{
    mvvm_write_u8(w, valtype);
    mvvm_write_bytes(w, value, mvvm_snapshot_value_size(valtype));
}

static void write_frames(struct mvvm_writer *w, const struct mvvm_frames *frames)
{
    mvvm_write_u32(w, (uint32_t)frames->count);
    for (size_t k = 0; k < frames->count; k++) {
        const struct mvvm_frame *frame = &frames->frames[k];
        const struct mvvm_frame_value *value = frames->values + frame->first;
        mvvm_write_u32(w, frame->func_index);
        mvvm_write_u32(w, frame->offset);
        mvvm_write_u32(w, frame->n_locals);
        for (uint32_t n = 0; n < frame->n_locals; n++, value++) {
            mvvm_write_u32(w, value->local_index);
            write_value(w, value->valtype, &value->value);
        }
        mvvm_write_u32(w, frame->n_operands);
        for (uint32_t n = 0; n < frame->n_operands; n++, value++)
            write_value(w, value->valtype, &value->value);
    }
}

static const char *write_globals(struct mvvm_writer *w, const struct mvvm_instance *instance)
{
    const struct mvvm_module *module = instance->module;
    mvvm_write_u32(w, module->global_count - module->imported_global_count);
    for (uint32_t k = module->imported_global_count; k < module->global_count; k++) {
        const uint8_t valtype = module->globals[k].valtype;
        union mvvm_value value;
        memcpy(&value, mvvm_global_slot(instance, k), sizeof value);
        if (valtype == MVVM_TYPE_FUNCREF || valtype == MVVM_TYPE_EXTERNREF) {
            const char *message = mvvm_ref_to_index(instance, valtype, value.ref, &value.i32);
            if (message != NULL)
                return message;
        }
        write_value(w, valtype, &value);
    }
    return NULL;
}

static const char *write_tables(struct mvvm_writer *w, const struct mvvm_instance *instance)
{
    const struct mvvm_module *module = instance->module;
    mvvm_write_u32(w, module->table_count);
    for (uint32_t t = 0; t < module->table_count; t++) {
        const struct mvvm_table *table = &module->tables[t];
        const uint8_t reftype = module->table_descs[t].reftype;
        mvvm_write_u8(w, reftype);
        mvvm_write_u32(w, table->size);
        mvvm_write_u32(w, table->max);
        for (uint32_t k = 0; k < table->size; k++) {
            uint32_t index;
            const char *message = mvvm_ref_to_index(
                instance, reftype, mvvm_elem_ref(reftype, &table->elems[k]), &index);
            if (message != NULL)
                return message;
            mvvm_write_u32(w, index);
        }
    }
    return NULL;
}

static const char *write_memories(struct mvvm_writer *w, const struct mvvm_instance *instance,
                                  struct mvvm_runs *runs)
{
    const struct mvvm_module *module = instance->module;
    const struct mvvm_context *context = module->context;
    mvvm_write_u32(w, module->memory_count);
    if (module->memory_count == 0)
        return NULL;
    if (!mvvm_find_runs(context->memory_base, context->memory_bytes, runs))
        return "out of memory";
    mvvm_write_u64(w, context->memory_bytes / MVVM_WASM_PAGE);
    mvvm_write_u64(w, instance->memory_max_pages);
    mvvm_write_u32(w, (uint32_t)runs->count);
    for (size_t k = 0; k < runs->count; k++) {
        mvvm_write_u64(w, runs->runs[k].first);
        mvvm_write_u64(w, runs->runs[k].count);
    }
    return NULL;
}

static void write_pages(struct mvvm_writer *w, const struct mvvm_instance *instance,
                        const struct mvvm_runs *runs)
{
    const uint8_t *base = instance->module->context->memory_base;
    for (size_t k = 0; k < runs->count; k++)
        mvvm_writer_large(w, base + runs->runs[k].first * MVVM_SNAPSHOT_PAGE,
                          runs->runs[k].count * MVVM_SNAPSHOT_PAGE);
}

static void write_segments(struct mvvm_writer *w, const struct mvvm_instance *instance)
{
    const struct mvvm_module *module = instance->module;
    mvvm_write_u32(w, module->data_count);
    mvvm_write_bytes(w, instance->data_dropped, module->data_count);
    mvvm_write_u32(w, module->elem_count);
    mvvm_write_bytes(w, instance->elem_dropped, module->elem_count);
}

static const char *write_section(struct mvvm_writer *w, uint32_t id,
                                 const struct mvvm_instance *instance,
                                 const struct mvvm_frames *frames, const char *reason,
                                 struct mvvm_runs *runs)
{
    switch (id) {
    case MVVM_SECTION_SOURCE:
        return write_source(w, reason);
    case MVVM_SECTION_MODULE:
        mvvm_write_bytes(w, instance->module->wasm_bytes, instance->module->wasm_size);
        return NULL;
    case MVVM_SECTION_FRAMES:
        write_frames(w, frames);
        return NULL;
    case MVVM_SECTION_GLOBALS:
        return write_globals(w, instance);
    case MVVM_SECTION_TABLES:
        return write_tables(w, instance);
    case MVVM_SECTION_MEMORIES:
        return write_memories(w, instance, runs);
    case MVVM_SECTION_PAGES:
        write_pages(w, instance, runs);
        return NULL;
    case MVVM_SECTION_SEGMENTS:
        write_segments(w, instance);
        return NULL;
    default:
        return mvvm_wasi_save(w);
    }
}

/* Header and directory, over the zeros that were left for them. */
static void write_front(struct mvvm_writer *w, const struct mvvm_module *module,
                        struct mvvm_snapshot_front *front)
{
    memcpy(front->header.magic, MVVM_SNAPSHOT_MAGIC, sizeof front->header.magic);
    front->header.version = MVVM_SNAPSHOT_VERSION;
    front->header.section_count = MVVM_SECTION_COUNT;
    front->header.file_size = w->offset;
    front->header.directory_crc = mvvm_crc32(0, front->sections, sizeof front->sections);
    memcpy(front->header.sha256, module->sha256, sizeof front->header.sha256);
    front->header.header_crc = mvvm_crc32(0, &front->header, sizeof front->header);
    mvvm_writer_flush(w);
    if (w->error == 0 && pwrite(w->fd, front, sizeof *front, 0) != (ssize_t)sizeof *front)
        w->error = errno != 0 ? errno : EIO;
}

static const char *write_all(int fd, const struct mvvm_instance *instance,
                             const struct mvvm_frames *frames, const char *reason)
{
    struct mvvm_writer w;
    struct mvvm_runs runs = {0};
    struct mvvm_snapshot_front front = {0};
    const char *message = NULL;
    mvvm_writer_open(&w, fd);
    w.to_disk = mvvm_options.sync;
    mvvm_write_bytes(&w, &front, sizeof front);
    for (uint32_t id = 1; id <= MVVM_SECTION_COUNT && message == NULL; id++) {
        struct mvvm_snapshot_section *section = &front.sections[id - 1];
        mvvm_writer_pad(&w, id == MVVM_SECTION_PAGES ? MVVM_SNAPSHOT_PAGE : 8);
        mvvm_writer_take_crc(&w);
        section->id = id;
        section->offset = w.offset;
        message = write_section(&w, id, instance, frames, reason, &runs);
        section->size = w.offset - section->offset;
        section->crc = mvvm_writer_take_crc(&w);
    }
    if (message == NULL)
        write_front(&w, instance->module, &front);
    if (message == NULL && w.error != 0)
        message = strerror(w.error);
    mvvm_writer_close(&w);
    free(runs.runs);
    return message;
}

/* "dir/.name.PID.tmp" for "dir/name"; NULL when there is no memory for it. */
static char *temporary_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    const int dir_length = slash != NULL ? (int)(slash + 1 - path) : 0;
    const size_t size = strlen(path) + 32;
    char *name = malloc(size);
    if (name != NULL)
        snprintf(name, size, "%.*s.%s.%ld.tmp", dir_length, path, path + dir_length,
                 (long)getpid());
    return name;
}

/* EINVAL: a file system that has nothing to force. */
static bool force_out(int fd)
{
    return !mvvm_options.sync || fsync(fd) == 0 || errno == EINVAL;
}

/* The rename. The snapshot is in place and whole if this fails, so nobody is told. */
static void force_name_out(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash + 1 - path));
    const int fd = folder == NULL ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        force_out(fd);
        close(fd);
    }
    free(folder);
}

const char *mvvm_snapshot_write(const struct mvvm_instance *instance,
                                const struct mvvm_frames *frames, const char *path,
                                const char *reason)
{
    static char text[4608];
    char *temporary = temporary_name(path);
    if (temporary == NULL)
        return "out of memory";
    unlink(temporary);
    const char *message = NULL;
    const int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        message = strerror(errno);
    } else {
        message = write_all(fd, instance, frames, reason);
        if (message == NULL && !force_out(fd))
            message = strerror(errno);
        if (close(fd) != 0 && message == NULL)
            message = strerror(errno);
        if (message == NULL && rename(temporary, path) != 0)
            message = strerror(errno);
        if (message != NULL)
            unlink(temporary);
        else
            force_name_out(path);
    }
    free(temporary);
    if (message == NULL)
        return NULL;
    snprintf(text, sizeof text, "cannot write %s: %s", path, message);
    return text;
}
