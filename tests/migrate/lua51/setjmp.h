/* Stands in for the C library's: wasm32-wasi has no setjmp. A call is protected until its first error, which ends the
   script: host.c says where, and goes on with the next. */
#ifndef MVVM_TESTS_SETJMP_H
#define MVVM_TESTS_SETJMP_H

typedef int jmp_buf;

struct lua_State;
_Noreturn void error_is_caught(struct lua_State *state);

#define setjmp(buffer) 0
#define longjmp(buffer, value) error_is_caught(L) /* Lua calls it where L is the thread */

#endif
