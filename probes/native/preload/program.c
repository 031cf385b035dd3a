#include "program.h"

#include "syscalls.h"
#include "text.h"

enum { PATH_BYTES = 4096 };

int program_name(char name[PROGRAM_NAME_BYTES]) {
    char path[PATH_BYTES];
    long length = kernel_readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    const char *base = path;
    for (const char *at = path; *at; at++) {
        NOT_A_CALL;
        if (*at == '/') base = at + 1;
    }
    size_t used = 0;
    /* A file that was replaced while it runs has " (deleted)" behind its name. */
    for (; base[used] && base[used] != ' '; used++) {
        if (used == PROGRAM_NAME_BYTES - 1) return 0;
        name[used] = base[used];
    }
    name[used] = 0;
    return 1;
}

int program_is_dynamic_linker(const char *name) {
    return text_after(name, "ld-linux") != NULL || text_after(name, "ld-musl") != NULL || text_equals(name, "ld.so") ||
           text_equals(name, "libc.so");
}
