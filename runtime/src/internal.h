/* Interfaces between the runtime's own files. */
#ifndef MVVM_INTERNAL_H
#define MVVM_INTERNAL_H

#include "frame_table.h"
#include "mvvm_embed.h"
#include "mvvm_os.h"
#include "mvvm_runtime.h"

#define MVVM_GUARD_SIZE ((size_t)1 << 20)
#define MVVM_DEFAULT_STACK_SIZE ((size_t)8 << 20)
#define MVVM_SNAPSHOT_PAGE 4096u

/* -- arch/<isa>/enter.S ----------------------------------------------------------------------- */

struct mvvm_position {
    uintptr_t sp, fp, pc;
};

extern void *mvvm_host_sp;                   /* 0 outside of Wasm */
extern struct mvvm_position mvvm_last_frame; /* where generated code left last */
extern uint8_t mvvm_poison_bytes[64];
extern uintptr_t mvvm_jump_target;
extern const char mvvm_wasm_return[]; /* a label: where walking ends */

int mvvm_enter_wasm(void *stack_top, void (*thunk)(void));
int mvvm_enter_host(void (*function)(void));
_Noreturn void mvvm_jump_into(uintptr_t sp, uintptr_t fp, uintptr_t pc, int poison);

/* Called by it, on the host stack. */
void mvvm_on_leave(void);
void mvvm_on_host_call(struct mvvm_context *context, uint32_t func_index, uint64_t *homes);
_Noreturn void mvvm_on_trap(int code);

/* -- invoke.c --------------------------------------------------------------------------------- */

struct mvvm_stack {
    uint8_t *reservation; /* the guard, then the stack */
    size_t guard_size;
    size_t size;
};

extern struct mvvm_stack mvvm_stack;
extern uint32_t mvvm_depth; /* entries into Wasm under way; 0 outside */

int mvvm_stack_create(struct mvvm_stack *stack, size_t size);
void mvvm_stack_destroy(struct mvvm_stack *stack);
static inline uint8_t *mvvm_stack_top(const struct mvvm_stack *stack)
{
    return stack->reservation + stack->guard_size + stack->size;
}
static inline bool mvvm_stack_contains(const struct mvvm_stack *stack, uintptr_t address)
{
    return address - (uintptr_t)stack->reservation <= stack->guard_size + stack->size;
}

/* -- instance.c ------------------------------------------------------------------------------- */

extern struct mvvm_func *mvvm_funcs; /* all modules' functions, indexed by func_id */
extern uint32_t mvvm_func_total;

/* What an imported function is bound to. */
struct mvvm_binding {
    mvvm_host_fn *fn; /* NULL: `instance`'s function `func_index` */
    bool is_inward;   /* fn neither changes nor takes anything outside of the process */
    struct mvvm_instance *instance;
    uint32_t func_index;
};
const struct mvvm_binding *mvvm_binding_of(const struct mvvm_instance *instance,
                                           uint32_t func_index);

/* Everything but active segments and the start function: the state that a snapshot then fills. */
struct mvvm_instance *mvvm_instance_prepare(const struct mvvm_module *module,
                                            mvvm_resolver *resolve, void *data,
                                            struct mvvm_failure *failure);
bool mvvm_fail_link(struct mvvm_failure *failure, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* References in snapshots: a func_index, UINT32_MAX for null. */
const char *mvvm_ref_to_index(const struct mvvm_instance *instance, uint8_t reftype, uint64_t ref,
                              uint32_t *out);
uint64_t mvvm_index_to_ref(const struct mvvm_instance *instance, uint32_t index);
/* What is wrong with a snapshot's reference ("refers to ..."); NULL if nothing is, or the value is
 * no reference. */
const char *mvvm_index_objection(const struct mvvm_instance *instance, uint8_t valtype,
                                 uint32_t index);

/* -- resolve.c -------------------------------------------------------------------------------- */

bool mvvm_resolve_imports(struct mvvm_instance *instance, struct mvvm_binding *bindings,
                          mvvm_resolver *resolve, void *data, struct mvvm_failure *failure);

/* -- memory.c --------------------------------------------------------------------------------- */

int mvvm_memory_create(struct mvvm_context *context, uint64_t pages, uint64_t max_pages);
void mvvm_memory_share(struct mvvm_context *context, const struct mvvm_context *owner);
uint64_t mvvm_memory_grow_pages(struct mvvm_context *context,
                                uint64_t delta); /* old size, or UINT64_MAX */
bool mvvm_memory_fill_from(struct mvvm_instance *instance, uint32_t data_index, uint32_t dest,
                           uint32_t source, uint32_t length);
bool mvvm_memory_reserved(uintptr_t address); /* inside a memory's reservation */

/* -- table.c ---------------------------------------------------------------------------------- */

int mvvm_table_create(struct mvvm_table *table, uint8_t reftype, uint32_t size, uint32_t max);
void mvvm_table_share(struct mvvm_table *table, const struct mvvm_table *owner);
bool mvvm_table_resize(struct mvvm_table *table, uint64_t size); /* new elements are null */
uint8_t mvvm_table_reftype(const struct mvvm_table *table);
struct mvvm_elem mvvm_elem_of(uint8_t reftype, uint64_t ref);
uint64_t mvvm_elem_ref(uint8_t reftype, const struct mvvm_elem *elem);
bool mvvm_table_fill_from(struct mvvm_instance *instance, uint32_t table, uint32_t elem_index,
                          uint32_t dest, uint32_t source, uint32_t length);

/* -- constant.c ------------------------------------------------------------------------------- */

void mvvm_eval_init(const struct mvvm_instance *instance, const struct mvvm_init *init,
                    union mvvm_value *out);

/* -- Helpers that generated code calls (HELPERS in mvvm_aot/abi.py) --------------------------- */

uint32_t mvvm_memory_grow(struct mvvm_context *context, uint32_t delta);
void mvvm_memory_init(struct mvvm_context *context, uint32_t data_index, uint32_t dest,
                      uint32_t source, uint32_t length);
void mvvm_data_drop(struct mvvm_context *context, uint32_t data_index);
void mvvm_table_init(struct mvvm_context *context, uint32_t table_index, uint32_t elem_index,
                     uint32_t dest, uint32_t source, uint32_t length);
void mvvm_elem_drop(struct mvvm_context *context, uint32_t elem_index);
void mvvm_table_copy(struct mvvm_context *context, uint32_t dest_table, uint32_t source_table,
                     uint32_t dest, uint32_t source, uint32_t length);
uint64_t mvvm_table_get(struct mvvm_context *context, uint32_t table_index, uint32_t index);
void mvvm_table_set(struct mvvm_context *context, uint32_t table_index, uint32_t index,
                    uint64_t ref);
uint32_t mvvm_table_grow(struct mvvm_context *context, uint32_t table_index, uint64_t ref,
                         uint32_t delta);
void mvvm_table_fill(struct mvvm_context *context, uint32_t table_index, uint32_t start,
                     uint64_t ref, uint32_t length);
uint64_t mvvm_ref_func(struct mvvm_context *context, uint32_t func_index);
_Noreturn void mvvm_trap_indirect(const struct mvvm_table *table, uint32_t index);

/* -- trap.c ----------------------------------------------------------------------------------- */

/* Where a fault struck, for the backtrace; set by the fault handler before it redirects to
 * mvvm_on_trap. */
struct mvvm_fault {
    bool valid;
    uintptr_t pc, sp, fp, entry_return;
};
extern struct mvvm_fault mvvm_fault;

/* -- os_signal.c ------------------------------------------------------------------------------ */

/* What the handlers tell requests.c; both only set flags. */
void mvvm_on_request_signal(void);
void mvvm_on_timer_signal(void);

#endif
