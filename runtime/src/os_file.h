/* What os_file.c, os_path.c and os_socket.c share; nobody else includes it. */
#ifndef MVVM_OS_FILE_H
#define MVVM_OS_FILE_H

#include <sys/stat.h>
#include <time.h>

#include "mvvm_os.h"
#include "mvvm_wasi.h"

/* The negative WASI number of the host's error. */
int mvvm_os_error(int host_errno);
void mvvm_os_convert_stat(const struct stat *from, struct mvvm_os_stat *to);
void mvvm_os_convert_times(const struct mvvm_os_times *from, struct timespec to[2]);

#endif
