/* Stands in for the C library's: wasm32-wasi has no setjmp, and the flags of the build make Lua's errors abort. */
#ifndef MVVM_TESTS_SETJMP_H
#define MVVM_TESTS_SETJMP_H

typedef int jmp_buf;

#endif
