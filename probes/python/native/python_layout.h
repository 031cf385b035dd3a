/* Where each CPython version keeps what we read: the only place with offsets. */
#ifndef MEMWARDEN_PYTHON_LAYOUT_H
#define MEMWARDEN_PYTHON_LAYOUT_H

#include <stdint.h>

#include "cpython.h"

enum line_table { LINES_LNOTAB, LINES_310, LINES_LOCATIONS };
enum instruction { LASTI_BYTES, LASTI_WORDS, INSTRUCTION_POINTER };

/* Inside struct _gc_runtime_state. */
struct gc_layout {
    uint16_t generation0; /* a pointer to the youngest ring: it holds only where the rest is right */
    uint16_t permanent;   /* 0: right behind the three generations */
    uint16_t stats, collecting;
};

struct python_layout {
    uint32_t minor;
    uint16_t tstate_frame;       /* tstate → frame, or → cframe when cframe_frame ≥ 0 */
    int16_t cframe_frame;        /* cframe → frame (3.11, 3.12), else −1 */
    uint16_t frame_previous, frame_code, frame_instruction;
    int16_t frame_owner;         /* −1: no such field, or not needed */
    uint16_t code_filename, code_name, code_qualname, code_first_line, code_line_table, code_instructions;
    uint16_t str_ascii, str_compact;
    uint8_t instruction, line_table, frame_tag_mask;
    int32_t interp_gc;           /* −1: not known, no census */
    const struct gc_layout *gc;
    uint16_t heap_type_qualname;
};

/* The layout of the running interpreter, or NULL with a reason for people. */
const struct python_layout *layout_choose(uint32_t version_hex, const char **reason);

/* Symbols that are not in the stable ABI. */
struct python_symbols {
    PyThreadState *(*thread_state)(void); /* a single load, NULL instead of a fatal error */
    int (*is_finalizing)(void);           /* a single load */
    const void *code_type, *list_type, *dict_type, *set_type, *frozenset_type, *type_type, *function_type,
        *str_type, *long_type, *float_type, *module_type, *method_type;
};
extern struct python_symbols python;
int layout_resolve_symbols(const char **reason);

#endif
