#include "type_name.h"

#include <string.h>

#include "cpython.h"
#include "frame_walk.h"

enum { STATIC_NAME_BYTES = 200 };

static const uint8_t *guarded_pointer(const struct peek_pipe *guard, const uint8_t *base, size_t offset) {
    const uint8_t *value;
    return peek_copy(guard, base + offset, &value, sizeof value) ? value : NULL;
}

/* Its own type must be a metatype, and both must be ready. */
static int is_type(const struct peek_pipe *guard, const uint8_t *type, uint64_t *flags) {
    uint64_t meta_flags;
    const uint8_t *meta = guarded_pointer(guard, type, OBJECT_TYPE);
    return meta != NULL && peek_copy(guard, meta + TYPE_FLAGS, &meta_flags, sizeof meta_flags) &&
           meta_flags & TYPE_IS_METATYPE && peek_copy(guard, type + TYPE_FLAGS, flags, sizeof *flags) &&
           *flags & TYPE_IS_READY;
}

/* One page at most lies between a name and unreadable memory: byte by byte is slow only for the few that are printed. */
static size_t static_name(const struct peek_pipe *guard, const uint8_t *type, uint8_t *name) {
    const uint8_t *text = guarded_pointer(guard, type, TYPE_NAME);
    size_t bytes = 0;
    int dotted = 0;
    uint8_t raw[STATIC_NAME_BYTES];
    while (text != NULL && bytes < sizeof raw && peek_copy(guard, text + bytes, &raw[bytes], 1) && raw[bytes] != 0) {
        if (raw[bytes] >= 0x80) return 0;
        dotted |= raw[bytes++] == '.';
    }
    size_t prefix = dotted || bytes == 0 ? 0 : strlen("builtins.");
    memcpy(name, "builtins.", prefix);
    memcpy(name + prefix, raw, bytes);
    return prefix + bytes;
}

static size_t heap_name(const struct peek_pipe *guard, const uint8_t *type, uint8_t *name) {
    const uint8_t *dict = guarded_pointer(guard, type, TYPE_DICT);
    const uint8_t *qualname = guarded_pointer(guard, type, walk_layout->heap_type_qualname);
    uint32_t module_bytes = 0, name_bytes = 0;
    if (dict != NULL && guarded_pointer(guard, dict, OBJECT_TYPE) == python.dict_type) {
        const uint8_t *module = (const uint8_t *)PyDict_GetItemString((PyObject *)dict, "__module__");
        if (module != NULL && walk_text(module, name, &module_bytes) && module_bytes > 0) name[module_bytes++] = '.';
    }
    if (guarded_pointer(guard, qualname, OBJECT_TYPE) != python.str_type) return 0;
    return walk_text(qualname, name + module_bytes, &name_bytes) ? module_bytes + name_bytes : 0;
}

size_t type_name(const struct peek_pipe *guard, const uint8_t *type, uint8_t *name, size_t limit) {
    uint64_t flags = 0;
    size_t bytes = 0;
    if (limit >= 2 * NAME_BYTES && is_type(guard, type, &flags))
        bytes = flags & TYPE_IS_HEAP ? heap_name(guard, type, name) : static_name(guard, type, name);
    if (bytes == 0) name[bytes++] = '?';
    return bytes;
}
