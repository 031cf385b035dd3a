/* Offsets per CPython minor version, in bytes, 64-bit GIL builds.
 *
 * They come from each version's own headers; 3.13 and later publish their own in _Py_DebugOffsets, which is preferred
 * there. None of them is trusted: the self-test compares a walk with sys._getframe before the hook is installed.
 */
#define _GNU_SOURCE
#include "python_layout.h"

#include <dlfcn.h>
#include <string.h>

#include "peek.h"

struct python_symbols python;

/* The generations begin at 24, or at 20 where the compiler aligns them to 4 (Debian's 3.13 for arm64). In the first
 * releases of 3.14 the collector moves objects between two old rings step by step, so that a walk could count them
 * twice: generation0 is not there, and the census stays off. */
static const struct gc_layout GC_39 = {.generation0 = 96, .permanent = 104, .stats = 128, .collecting = 200};
static const struct gc_layout GC_314 = {.generation0 = 256, .permanent = 0, .stats = 120, .collecting = 192};

static const struct python_layout KNOWN[] = {
    {.minor = 8, .tstate_frame = 24, .cframe_frame = -1, .frame_previous = 24, .frame_code = 32,
     .frame_instruction = 104, .frame_owner = -1, .code_filename = 104, .code_name = 112, .code_qualname = 112,
     .code_first_line = 40, .code_line_table = 120, .str_ascii = 48, .str_compact = 72,
     .instruction = LASTI_BYTES, .line_table = LINES_LNOTAB, .interp_gc = -1},
    {.minor = 9, .tstate_frame = 24, .cframe_frame = -1, .frame_previous = 24, .frame_code = 32,
     .frame_instruction = 104, .frame_owner = -1, .code_filename = 104, .code_name = 112, .code_qualname = 112,
     .code_first_line = 40, .code_line_table = 120, .str_ascii = 48, .str_compact = 72,
     .instruction = LASTI_BYTES, .line_table = LINES_LNOTAB, .interp_gc = 616, .gc = &GC_39, .heap_type_qualname = 856},
    {.minor = 10, .tstate_frame = 24, .cframe_frame = -1, .frame_previous = 24, .frame_code = 32,
     .frame_instruction = 96, .frame_owner = -1, .code_filename = 104, .code_name = 112, .code_qualname = 112,
     .code_first_line = 40, .code_line_table = 120, .str_ascii = 48, .str_compact = 72,
     .instruction = LASTI_WORDS, .line_table = LINES_310, .interp_gc = 616, .gc = &GC_39, .heap_type_qualname = 864},
    {.minor = 11, .tstate_frame = 56, .cframe_frame = 8, .frame_previous = 48, .frame_code = 32,
     .frame_instruction = 56, .frame_owner = -1, .code_filename = 112, .code_name = 120, .code_qualname = 128,
     .code_first_line = 72, .code_line_table = 136, .code_instructions = 184, .str_ascii = 48, .str_compact = 72,
     .instruction = INSTRUCTION_POINTER, .line_table = LINES_LOCATIONS, .interp_gc = 648, .gc = &GC_39,
     .heap_type_qualname = 864},
    {.minor = 12, .tstate_frame = 56, .cframe_frame = 0, .frame_previous = 8, .frame_code = 0,
     .frame_instruction = 56, .frame_owner = 70, .code_filename = 112, .code_name = 120, .code_qualname = 128,
     .code_first_line = 68, .code_line_table = 136, .code_instructions = 192, .str_ascii = 40, .str_compact = 56,
     .instruction = INSTRUCTION_POINTER, .line_table = LINES_LOCATIONS, .interp_gc = 112, .gc = &GC_39,
     .heap_type_qualname = 872},
    {.minor = 13, .cframe_frame = -1, .instruction = INSTRUCTION_POINTER, .line_table = LINES_LOCATIONS,
     .str_compact = 56, .interp_gc = -1, .gc = &GC_39, .heap_type_qualname = 872},
    {.minor = 14, .cframe_frame = -1, .instruction = INSTRUCTION_POINTER, .line_table = LINES_LOCATIONS,
     .str_compact = 56, .frame_tag_mask = 7, .interp_gc = -1, .gc = &GC_314, .heap_type_qualname = 872},
};

/* Positions inside _Py_DebugOffsets, whose own layout changes with each minor version. */
struct debug_offsets {
    uint16_t current_frame, previous, executable, instruction, owner, filename, name, qualname, line_table,
        first_line, instructions, str_ascii, interp_gc;
};
static const struct debug_offsets DEBUG_313 = {184, 232, 240, 248, 264, 280, 288, 296, 304, 312, 344, 560, 80};
static const struct debug_offsets DEBUG_314 = {208, 256, 264, 272, 288, 320, 328, 336, 344, 352, 384, 640, 88};

static uint64_t word(const uint8_t *base, size_t offset) {
    uint64_t value;
    memcpy(&value, base + offset, sizeof value);
    return value;
}

/* Every value is an offset into a struct of a few KiB; anything else means that the layout is not what we think. */
static int fill_from_debug_offsets(struct python_layout *layout, uint32_t version_hex, const char **reason) {
    const uint8_t *runtime = dlsym(RTLD_DEFAULT, "_PyRuntime");
    if (runtime == NULL || memcmp(runtime, "xdebugpy", 8) != 0 || word(runtime, 8) != version_hex) {
        *reason = "this interpreter publishes no debug offsets";
        return 0;
    }
    if (word(runtime, 16) != 0) {
        *reason = "free-threaded builds are not supported yet";
        return 0;
    }
    const struct debug_offsets *at = layout->minor == 13 ? &DEBUG_313 : &DEBUG_314;
    struct { uint16_t *into; uint16_t from; } fields[] = {
        {&layout->tstate_frame, at->current_frame}, {&layout->frame_previous, at->previous},
        {&layout->frame_code, at->executable},      {&layout->frame_instruction, at->instruction},
        {&layout->code_filename, at->filename},     {&layout->code_name, at->name},
        {&layout->code_qualname, at->qualname},     {&layout->code_line_table, at->line_table},
        {&layout->code_first_line, at->first_line}, {&layout->code_instructions, at->instructions},
        {&layout->str_ascii, at->str_ascii},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        uint64_t value = word(runtime, fields[i].from);
        if (value > 4096) {
            *reason = "the debug offsets of this interpreter are out of range";
            return 0;
        }
        *fields[i].into = (uint16_t)value;
    }
    layout->frame_owner = (int16_t)word(runtime, at->owner);
    if (word(runtime, at->interp_gc) < (1u << 20))
        layout->interp_gc = (int32_t)word(runtime, at->interp_gc);
    return 1;
}

const struct python_layout *layout_choose(uint32_t version_hex, const char **reason) {
    static struct python_layout chosen;
    uint32_t minor = (version_hex >> 16) & 0xff;
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++) {
        if (version_hex >> 24 != 3 || KNOWN[i].minor != minor) continue;
        chosen = KNOWN[i];
        if (minor >= 13 && !fill_from_debug_offsets(&chosen, version_hex, reason)) return NULL;
        return &chosen;
    }
    *reason = "this Python version is not known to the probe";
    return NULL;
}

/* What lost its underscore in 3.13. */
static void *public_or_private(const char *public_name, const char *private_name) {
    void *found = dlsym(RTLD_DEFAULT, public_name);
    return found != NULL ? found : dlsym(RTLD_DEFAULT, private_name);
}

int layout_resolve_symbols(const char **reason) {
    void *load = public_or_private("PyThreadState_GetUnchecked", "_PyThreadState_UncheckedGet");
    void *finalizing = public_or_private("Py_IsFinalizing", "_Py_IsFinalizing");
    /* ISO C has no cast from object to function pointer */
    memcpy(&python.thread_state, &load, sizeof load);
    memcpy(&python.is_finalizing, &finalizing, sizeof finalizing);
    struct { const void **into; const char *name; } types[] = {
        {&python.code_type, "PyCode_Type"}, {&python.list_type, "PyList_Type"},
        {&python.dict_type, "PyDict_Type"}, {&python.set_type, "PySet_Type"},
        {&python.frozenset_type, "PyFrozenSet_Type"}, {&python.type_type, "PyType_Type"},
        {&python.function_type, "PyFunction_Type"}, {&python.str_type, "PyUnicode_Type"},
        {&python.long_type, "PyLong_Type"}, {&python.float_type, "PyFloat_Type"},
        {&python.module_type, "PyModule_Type"}, {&python.method_type, "PyMethod_Type"},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) *types[i].into = dlsym(RTLD_DEFAULT, types[i].name);
    if (load == NULL || finalizing == NULL || python.code_type == NULL || python.type_type == NULL) {
        *reason = "this interpreter does not export the symbols that the probe needs";
        return 0;
    }
    return 1;
}
