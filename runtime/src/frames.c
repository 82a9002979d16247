/* See frames.h. Lifting walks native frames from the innermost out; materializing lays them out
 * from the outermost in. Frames tile: a callee's CFA is its caller's sp at the point. */
#include "frames.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static char error_text[256];

static const char *error(const char *format, ...) __attribute__((format(printf, 1, 2)));

static const char *error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error_text, sizeof error_text, format, arguments);
    va_end(arguments);
    return error_text;
}

/* -- The arrays ------------------------------------------------------------------------------- */

static bool make_room(void **array, size_t count, size_t *capacity, size_t unit)
{
    if (count < *capacity)
        return true;
    const size_t wanted = *capacity == 0 ? 64 : *capacity * 2;
    void *grown = realloc(*array, wanted * unit);
    if (grown == NULL)
        return false;
    *array = grown;
    *capacity = wanted;
    return true;
}

bool mvvm_frames_add(struct mvvm_frames *frames, const struct mvvm_frame *frame)
{
    void *array = frames->frames;
    if (!make_room(&array, frames->count, &frames->frame_capacity, sizeof *frame))
        return false;
    frames->frames = array;
    frames->frames[frames->count++] = *frame;
    return true;
}

bool mvvm_frames_add_value(struct mvvm_frames *frames, const struct mvvm_frame_value *value)
{
    void *array = frames->values;
    if (!make_room(&array, frames->value_count, &frames->value_capacity, sizeof *value))
        return false;
    frames->values = array;
    frames->values[frames->value_count++] = *value;
    return true;
}

void mvvm_frames_free(struct mvvm_frames *frames)
{
    free(frames->frames);
    free(frames->values);
    *frames = (struct mvvm_frames){0};
}

/* -- Values ----------------------------------------------------------------------------------- */

static size_t payload_size(uint8_t valtype)
{
    switch (valtype) {
    case MVVM_TYPE_I32:
    case MVVM_TYPE_F32:
        return 4;
    case MVVM_TYPE_V128:
        return 16;
    default:
        return 8;
    }
}

static const char *home_to_value(const struct mvvm_instance *instance, const struct mvvm_home *home,
                                 const uint8_t *at, struct mvvm_frame_value *out)
{
    *out = (struct mvvm_frame_value){.local_index = home->local_index, .valtype = home->valtype};
    memcpy(&out->value, at, payload_size(home->valtype));
    if (home->valtype == MVVM_TYPE_FUNCREF || home->valtype == MVVM_TYPE_EXTERNREF)
        return mvvm_ref_to_index(instance, home->valtype, out->value.ref, &out->value.i32);
    return NULL;
}

static void value_to_home(const struct mvvm_instance *instance,
                          const struct mvvm_frame_value *value, uint8_t *at)
{
    union mvvm_value payload = value->value;
    if (value->valtype == MVVM_TYPE_FUNCREF || value->valtype == MVVM_TYPE_EXTERNREF)
        payload.ref = mvvm_index_to_ref(instance, value->value.i32);
    memcpy(at, &payload, payload_size(value->valtype));
}

/* Whether `home` lies in its frame. */
static bool home_inside(const struct mvvm_function_row *row, const struct mvvm_home *home)
{
    return (uint64_t)home->slot * 8 + payload_size(home->valtype) <= row->homes;
}

/* -- Lifting ---------------------------------------------------------------------------------- */

static const char *lift_frame(struct mvvm_frames *out, const struct mvvm_instance *instance,
                              const struct mvvm_site *site, const uint8_t *cfa)
{
    struct mvvm_frame frame = {site->function->func_id, site->point->offset, 0, 0,
                               out->value_count};
    struct mvvm_values values = mvvm_values_of(site);
    struct mvvm_home home;
    for (int list = 0; list < 2; list++) {
        const uint32_t count = mvvm_values_list(&values);
        while (list == 0 ? mvvm_values_local(&values, &home)
                         : mvvm_values_operand(&values, &home)) {
            struct mvvm_frame_value value;
            if (!home_inside(site->function, &home))
                return "internal error: a home slot lies outside of its frame";
            const char *message = home_to_value(
                instance, &home, cfa - site->function->homes + (size_t)home.slot * 8, &value);
            if (message != NULL)
                return message;
            if (!mvvm_frames_add_value(out, &value))
                return "out of memory";
        }
        *(list == 0 ? &frame.n_locals : &frame.n_operands) = count;
    }
    if (values.failed)
        return "internal error: the frame table's value stream is malformed";
    return mvvm_frames_add(out, &frame) ? NULL : "out of memory";
}

static void reverse(struct mvvm_frames *frames)
{
    for (size_t low = 0, high = frames->count; low + 1 < high; low++) {
        high--;
        const struct mvvm_frame frame = frames->frames[low];
        frames->frames[low] = frames->frames[high];
        frames->frames[high] = frame;
    }
}

static uintptr_t load_word(uintptr_t address)
{
    uintptr_t word;
    memcpy(&word, (const void *)address, sizeof word);
    return word;
}

const char *mvvm_lift(struct mvvm_frames *out, const struct mvvm_position *position,
                      bool skip_innermost)
{
    struct mvvm_position at = *position;
    const uintptr_t top = (uintptr_t)mvvm_stack_top(&mvvm_stack);
    const struct mvvm_module *module = NULL;
    bool skip = skip_innermost;
    for (;;) {
        struct mvvm_site site;
        if (!mvvm_find_point(at.pc, &site))
            return error("internal error: no point has the return address %#" PRIxPTR, at.pc);
        const struct mvvm_function_row *row = site.function;
        if (module != NULL && site.table->module != module)
            return "frames of several modules cannot move";
        module = site.table->module;
        const uintptr_t cfa = at.fp + row->fp_offset;
        if (!mvvm_stack_contains(&mvvm_stack, at.sp) || cfa != at.sp + row->frame_size || cfa > top)
            return error("internal error: the frame at %#" PRIxPTR " of function %" PRIu32
                         " does not tile",
                         at.sp, row->func_id);
        const uintptr_t return_address = load_word(cfa - row->ra_save);
        if (row->func_id >= MVVM_THUNK_FUNC_ID) {
            if (return_address != (uintptr_t)mvvm_wasm_return)
                return "internal error: a thunk is not the outermost frame";
            break;
        }
        if (!skip) {
            const char *message =
                lift_frame(out, site.table->module->context->instance, &site, (const uint8_t *)cfa);
            if (message != NULL)
                return message;
        }
        skip = false;
        at = (struct mvvm_position){
            .sp = cfa, .fp = load_word(cfa - row->fp_save), .pc = return_address};
    }
    reverse(out);
    return NULL;
}

uint64_t *mvvm_host_frame(const struct mvvm_position *position,
                          const struct mvvm_instance **instance, uint32_t *func_index)
{
    struct mvvm_site site;
    if (!mvvm_find_point(position->pc, &site) || site.point->callee != MVVM_CALLEE_HOST)
        return NULL;
    *instance = site.table->module->context->instance;
    *func_index = site.function->func_id;
    return (uint64_t *)(position->fp + site.function->fp_offset - site.function->homes);
}

/* -- Materializing ---------------------------------------------------------------------------- */

/* A thunk's: it has no values, but perhaps fills. */
static const struct mvvm_frame no_values;

/* The value that the snapshot has for a local, or NULL. Both sides ascend; `*next` goes on from
 * call to call. */
static const struct mvvm_frame_value *find_local(const struct mvvm_frame_value *locals,
                                                 uint32_t count, uint32_t *next,
                                                 uint32_t local_index)
{
    while (*next < count && locals[*next].local_index < local_index)
        ++*next;
    return *next < count && locals[*next].local_index == local_index ? &locals[*next] : NULL;
}

static const char *check_values(const struct mvvm_frames *frames, const struct mvvm_frame *frame,
                                const struct mvvm_site *site)
{
    const struct mvvm_frame_value *locals = frames->values + frame->first;
    const struct mvvm_frame_value *operands = locals + frame->n_locals;
    struct mvvm_values values = mvvm_values_of(site);
    struct mvvm_home home;
    uint32_t next = 0;
    for (uint32_t k = 1; k < frame->n_locals; k++)
        if (locals[k].local_index <= locals[k - 1].local_index)
            return "its locals are out of order";
    mvvm_values_list(&values);
    while (mvvm_values_local(&values, &home)) {
        const struct mvvm_frame_value *value =
            find_local(locals, frame->n_locals, &next, home.local_index);
        if (value != NULL && value->valtype != home.valtype)
            return "a local has another type";
        if (!home_inside(site->function, &home))
            return "internal error: a home slot lies outside of its frame";
    }
    if (mvvm_values_list(&values) != frame->n_operands)
        return "the number of operands differs";
    for (uint32_t k = 0; mvvm_values_operand(&values, &home); k++) {
        if (operands[k].valtype != home.valtype)
            return "an operand has another type";
        if (!home_inside(site->function, &home))
            return "internal error: a home slot lies outside of its frame";
    }
    struct mvvm_fill fill;
    mvvm_values_list(&values);
    while (mvvm_values_fill(&values, &fill))
        if (fill.cfa_minus > site->function->frame_size || fill.size > fill.cfa_minus ||
            fill.address_minus > site->function->frame_size)
            return "internal error: a fill lies outside of its frame";
    return values.failed ? "internal error: the frame table's value stream is malformed" : NULL;
}

/* Whether `callee` may stand where a function of type `wanted` was called: their results are the same. */
static bool returns_alike(const struct mvvm_type *wanted, const struct mvvm_type *found)
{
    return wanted->result_count == found->result_count &&
           memcmp(wanted->results, found->results, wanted->result_count) == 0;
}

/* Whether a frame at `site` can be waiting for `callee` (NULL: it is innermost). */
static const char *check_callee(const struct mvvm_instance *instance, const struct mvvm_site *site,
                                const struct mvvm_frame *callee)
{
    const struct mvvm_module *module = instance->module;
    const uint32_t kind = site->point->callee;
    const bool is_call = kind < MVVM_CALLEE_THUNK;
    const uint32_t type_index = kind - MVVM_CALLEE_INDIRECT;
    if (is_call && kind >= MVVM_CALLEE_INDIRECT && type_index >= module->type_count)
        return "internal error: the frame table names no type of the module";
    if (callee == NULL) {
        if (!is_call)
            return kind == MVVM_CALLEE_THUNK ? "the innermost frame cannot be entered" : NULL;
        if (kind >= MVVM_CALLEE_INDIRECT)
            return module->types[type_index].result_count == 0
                       ? NULL
                       : "the innermost frame waits for a result";
        return (kind < module->imported_func_count || module->has_tail_calls) &&
                       mvvm_func_type(instance, kind)->result_count == 0
                   ? NULL
                   : "the innermost frame waits for a function of the module";
    }
    if (!is_call)
        return "a frame that calls nothing has a callee";
    if (module->has_tail_calls)
        return returns_alike(kind >= MVVM_CALLEE_INDIRECT ? &module->types[type_index]
                                                          : mvvm_func_type(instance, kind),
                             mvvm_func_type(instance, callee->func_index))
                   ? NULL
                   : "its callee returns something else";
    if (kind >= MVVM_CALLEE_INDIRECT)
        return module->types[type_index].type_id ==
                       mvvm_func_type(instance, callee->func_index)->type_id
                   ? NULL
                   : "its indirect callee has another type";
    return kind == callee->func_index ? NULL : "its callee is another function";
}

static bool find_thunk(const struct mvvm_instance *instance, const struct mvvm_frames *frames,
                       struct mvvm_site *out)
{
    const uint32_t type_index = instance->module->funcs[frames->frames[0].func_index].type_index;
    return mvvm_find_site(instance->module, MVVM_THUNK_FUNC_ID | type_index, 0, out);
}

static const char *check_references(const struct mvvm_instance *instance,
                                    const struct mvvm_frames *frames)
{
    for (size_t k = 0; k < frames->value_count; k++) {
        const struct mvvm_frame_value *value = &frames->values[k];
        const char *message = mvvm_index_objection(instance, value->valtype, value->value.i32);
        if (message != NULL)
            return error("a frame %s", message);
    }
    return NULL;
}

const char *mvvm_check_frames(const struct mvvm_instance *instance,
                              const struct mvvm_frames *frames, size_t *stack_size)
{
    const struct mvvm_module *module = instance->module;
    struct mvvm_site site;
    if (frames->count == 0)
        return "there are no frames";
    for (size_t k = 0; k < frames->count; k++)
        if (frames->frames[k].func_index >= module->func_count)
            return error("frame %zu: no function %" PRIu32, k, frames->frames[k].func_index);
    if (!find_thunk(instance, frames, &site))
        return "the outermost function cannot be entered from outside";
    const char *objection = check_values(frames, &no_values, &site);
    if (objection != NULL)
        return error("the thunk of the outermost function: %s", objection);
    size_t size = site.function->frame_size;
    for (size_t k = 0; k < frames->count; k++) {
        const struct mvvm_frame *frame = &frames->frames[k];
        if (!mvvm_find_site(module, frame->func_index, frame->offset, &site))
            return error("frame %zu: %s (func %" PRIu32 ") has no point at %#" PRIx32
                         " in this translation (`mvvm-aot resume` makes one for the snapshot)",
                         k, module->funcs[frame->func_index].name, frame->func_index,
                         frame->offset);
        const char *message = check_values(frames, frame, &site);
        if (message == NULL)
            message = check_callee(instance, &site, k + 1 < frames->count ? frame + 1 : NULL);
        if (message != NULL)
            return error("frame %zu, %s (func %" PRIu32 ") +%#" PRIx32 ": %s", k,
                         module->funcs[frame->func_index].name, frame->func_index, frame->offset,
                         message);
        size += site.function->frame_size;
    }
    *stack_size = size;
    return check_references(instance, frames);
}

static void fill_frame(const struct mvvm_instance *instance, const struct mvvm_frames *frames,
                       const struct mvvm_frame *frame, const struct mvvm_site *site, uint8_t *cfa)
{
    static const struct mvvm_frame_value zero;
    const struct mvvm_frame_value *locals = frames->values + frame->first;
    const struct mvvm_frame_value *operands = locals + frame->n_locals;
    struct mvvm_values values = mvvm_values_of(site);
    uint8_t *homes = cfa - site->function->homes;
    struct mvvm_home home;
    uint32_t next = 0;
    mvvm_values_list(&values);
    while (mvvm_values_local(&values, &home)) {
        const struct mvvm_frame_value *value =
            find_local(locals, frame->n_locals, &next, home.local_index);
        if (value != NULL)
            value_to_home(instance, value, homes + (size_t)home.slot * 8);
        else
            memcpy(homes + (size_t)home.slot * 8, &zero.value, payload_size(home.valtype));
    }
    mvvm_values_list(&values);
    for (uint32_t k = 0; mvvm_values_operand(&values, &home); k++)
        value_to_home(instance, &operands[k], homes + (size_t)home.slot * 8);
    struct mvvm_fill fill;
    mvvm_values_list(&values);
    while (mvvm_values_fill(&values, &fill)) {
        const uint64_t address = (uint64_t)(uintptr_t)(cfa - fill.address_minus);
        memcpy(cfa - fill.cfa_minus, fill.bytes != NULL ? (const void *)fill.bytes : &address,
               fill.size);
    }
}

struct mvvm_position mvvm_materialize(const struct mvvm_instance *instance,
                                      const struct mvvm_frames *frames,
                                      const struct mvvm_stack *stack)
{
    struct mvvm_site site = {0};
    struct mvvm_position caller = {
        .sp = (uintptr_t)mvvm_stack_top(stack), .fp = 0, .pc = (uintptr_t)mvvm_wasm_return};
    find_thunk(instance, frames, &site);
    for (size_t k = 0; k <= frames->count; k++) {
        const uintptr_t cfa = caller.sp;
        const struct mvvm_frame *frame = k > 0 ? &frames->frames[k - 1] : &no_values;
        if (k > 0)
            mvvm_find_site(instance->module, frame->func_index, frame->offset, &site);
        fill_frame(instance, frames, frame, &site, (uint8_t *)cfa);
        memcpy((void *)(cfa - site.function->ra_save), &caller.pc, sizeof caller.pc);
        memcpy((void *)(cfa - site.function->fp_save), &caller.fp, sizeof caller.fp);
        caller = (struct mvvm_position){
            .sp = cfa - site.function->frame_size,
            .fp = cfa - site.function->fp_offset,
            .pc = mvvm_site_pc(&site),
        };
    }
    return caller;
}
