/* Declares what Lua's libraries ask of C and wasm32-wasi has not; host.c defines it. */
#ifndef MVVM_TESTS_MISSING_H
#define MVVM_TESTS_MISSING_H

#include <stdio.h>

#define L_tmpnam 32
#define tmpnam temporary_name
#define tmpfile temporary_file

char *temporary_name(char *name);
FILE *temporary_file(void);

#endif
