/* Embedding translated modules: instantiate, look up exports, invoke. What main.c uses, and test
 * harnesses that link several modules with all of the runtime but main.c. One thread only. */
#ifndef MVVM_EMBED_H
#define MVVM_EMBED_H

#include "mvvm_runtime.h"

/* Must come first. `stack_size`: bytes of Wasm call stack, 0 for the default. Returns 0 or a
 * negative errno. */
int mvvm_runtime_init(size_t stack_size);

/* What an import is resolved to: a host function, or `index` in `instance`'s index space of the
 * import's kind. */
struct mvvm_extern {
    const struct mvvm_host_func *host;
    struct mvvm_instance *instance;
    uint32_t index;
};

/* Returns false when there is no such thing; kinds and types are checked by the caller. */
typedef bool mvvm_resolver(void *data, const struct mvvm_module *module,
                           const struct mvvm_import *import, struct mvvm_extern *out);

/* Resolves functions among mvvm_wasi_funcs and mvvm_env_funcs. `data` is unused. */
bool mvvm_resolve_host(void *data, const struct mvvm_module *module,
                       const struct mvvm_import *import, struct mvvm_extern *out);

enum mvvm_failure_kind { MVVM_FAILURE_LINK = 1, MVVM_FAILURE_TRAP = 2, MVVM_FAILURE_SYSTEM = 3 };

struct mvvm_failure {
    enum mvvm_failure_kind kind;
    int trap_code; /* of MVVM_FAILURE_TRAP */
    char message[400];
};

/* Imports, globals, tables, memory, active segments and the start function. A module has at most
 * one instance per process. NULL on failure; what active segments wrote before a trap stays
 * written, as the specification says. */
struct mvvm_instance *mvvm_instantiate(const struct mvvm_module *module, mvvm_resolver *resolve,
                                       void *data, struct mvvm_failure *failure);

/* NULL when `instance` has no export of that name. */
const struct mvvm_export *mvvm_find_export(const struct mvvm_instance *instance, const char *name);

/* Calls a function: 0 and its results, or a trap's code. `values` and `results` may be NULL when
 * there are none. */
int mvvm_invoke(struct mvvm_instance *instance, uint32_t func_index, const union mvvm_value *values,
                union mvvm_value *results);

const struct mvvm_type *mvvm_func_type(const struct mvvm_instance *instance, uint32_t func_index);
void *mvvm_global_slot(const struct mvvm_instance *instance, uint32_t global_index);

/* A funcref's function, as (instance, func_index); false for null. */
bool mvvm_ref_is_func(uint64_t ref, struct mvvm_instance **instance, uint32_t *func_index);

/* The Wasm backtrace of the last trap, one "  at name (func 3) +0x1a2" line per frame. */
void mvvm_print_backtrace(FILE *out);

#endif
