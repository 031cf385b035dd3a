#include "container_kind.h"

#include <string.h>

#include "dict_entries.h"
#include "peek.h"
#include "python_layout.h"

enum { SET_LENGTH = 24, BASES = 64 };
/* int, tuple, bytes, str, exceptions, types: asked for most often. */
static const uint64_t NO_CONTAINERS = 1ull << 24 | 1ull << 26 | 1ull << 27 | 1ull << 28 | 1ull << 30 | 1ull << 31;

uint64_t type_flags(const uint8_t *type) {
    uint64_t flags = 0;
    return type != NULL && peek(type + TYPE_FLAGS, &flags, sizeof flags) ? flags : 0;
}

/* One byte at a time: a shorter name may end where readable memory does. */
static int is_named(const uint8_t *type, const char *name) {
    const uint8_t *text = peek_pointer(type, TYPE_NAME);
    char c = 1;
    for (size_t i = 0; text != NULL && peek(text + i, &c, 1) && c == name[i]; i++)
        if (c == 0) return 1;
    return 0;
}

const uint8_t *type_base_named(const uint8_t *type, const char *name) {
    for (int i = 0; type != NULL && i < BASES; i++, type = peek_pointer(type, TYPE_BASE))
        if (is_named(type, name)) return type;
    return NULL;
}

static int is_set(const uint8_t *type) {
    for (int i = 0; type != NULL && i < BASES; i++, type = peek_pointer(type, TYPE_BASE))
        if (type == python.set_type) return 1;
    return 0;
}

enum container_kind container_kind(const uint8_t *type) {
    uint64_t flags = type_flags(type);
    if (flags & TYPE_IS_LIST) return IS_LIST;
    if (flags & TYPE_IS_DICT) return IS_DICT;
    if (flags & NO_CONTAINERS) return NO_CONTAINER;
    if (is_set(type)) return IS_SET;
    return type_base_named(type, "collections.deque") ? IS_DEQUE : NO_CONTAINER;
}

uint64_t container_length(const uint8_t *object, enum container_kind kind) {
    int64_t length = 0;
    size_t at = kind == IS_DICT ? DICT_LENGTH : kind == IS_SET ? SET_LENGTH : OBJECT_SIZE;
    return kind != NO_CONTAINER && peek(object + at, &length, sizeof length) && length > 0 ? (uint64_t)length : 0;
}
