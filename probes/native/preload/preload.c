/* Named by LD_PRELOAD in a pod's containers: puts Memwarden's folder in front of what a runtime is told by the
 * environment (PYTHONPATH), with the value that the process really has.
 *
 * A webhook sees the variables of the pod, and not those of the image: setting PYTHONPATH there hides the image's. So
 * the pod gets LD_PRELOAD, and the rest happens here, before the program's first instruction. It must hold for every
 * program of every container: nothing is exported, needed, allocated by the C library, printed or changed but that one
 * variable, and that only in a process of the runtime. Why it is like this: docs/design/20261121-preload.md.
 */
#include <stddef.h>

#include "environment.h"
#include "program.h"
#include "syscalls.h"
#include "text.h"

/* A runtime: one row here, and a function that knows its programs. */
struct runtime {
    const char *folder;   /* the variable with what is to be joined; unset: this runtime is left alone */
    const char *variable; /* the runtime's own */
    char separator;
    int (*is_it)(const char *name); /* NULL for a name that is not known */
};

extern void Py_BytesMain(void) __attribute__((weak, visibility("default")));

/* python, python3, python3.13, python3.13t, python3.11d, python3-dbg; uwsgi has the interpreter inside. */
static int is_python(const char *name) {
    if (name == NULL) {
        /* Programs that have Python inside export it, too (gdb, perf): so this is asked only where the name says nothing. */
        void (*volatile entry)(void) = Py_BytesMain;
        return entry != NULL;
    }
    if (text_equals(name, "uwsgi") || text_equals(name, "uwsgi-core")) return 1;
    const char *rest = text_after(name, "python");
    if (rest == NULL) return 0;
    while (*rest == '.' || (*rest >= '0' && *rest <= '9')) {
        NOT_A_CALL;
        rest++;
    }
    if (*rest == 't') rest++;
    if (*rest == 'd') rest++;
    return *rest == 0 || text_equals(rest, "-dbg");
}

static const struct runtime RUNTIMES[] = {
    {"MEMWARDEN_PRELOAD_PYTHONPATH", "PYTHONPATH", ':', is_python},
};

static int is_off(void) {
    const char *value = environment_value("MEMWARDEN_DISABLE");
    return value != NULL && text_equals(value, "1");
}

static void join(const struct runtime *runtime, const char *name) {
    const char *folder = environment_value(runtime->folder);
    if (folder == NULL || *folder == 0 || !runtime->is_it(name)) return;
    /* A folder that isn't there must not be named: this pod may have lost its volume, or be another's. */
    if (kernel_access(folder, MAY_READ | MAY_SEARCH) == 0) environment_join(runtime->variable, runtime->separator, folder);
}

/* musl passes no arguments to it, so it takes none. */
__attribute__((constructor)) static void preload(void) {
    char name[PROGRAM_NAME_BYTES];
    if (is_off()) return;
    int known = program_name(name) && !program_is_dynamic_linker(name);
    for (size_t i = 0; i < sizeof RUNTIMES / sizeof *RUNTIMES; i++) join(&RUNTIMES[i], known ? name : NULL);
}
