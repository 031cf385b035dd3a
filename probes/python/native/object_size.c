#include "object_size.h"

#include <string.h>

#include "dict_entries.h"
#include "python_layout.h"

enum {
    LIST_ALLOCATED = 32,
    SET_MASK = 32, SET_TABLE = 40, SET_SMALL_TABLE = 64, SET_ENTRY = 16,
    GC_HEADER = 16,
};

static uint64_t load(const uint8_t *base, size_t offset) {
    uint64_t value;
    memcpy(&value, base + offset, sizeof value);
    return value;
}

struct type_facts object_type_facts(const uint8_t *type) {
    struct type_facts facts = {(int64_t)load(type, TYPE_BASICSIZE), (int64_t)load(type, TYPE_ITEMSIZE), BODY_FIXED};
    uint64_t flags = load(type, TYPE_FLAGS);
    if (flags & TYPE_IS_LIST) facts.body = BODY_LIST;
    else if (flags & TYPE_IS_DICT) facts.body = BODY_DICT;
    else if (type == python.set_type || type == python.frozenset_type) facts.body = BODY_SET;
    return facts;
}

/* A dict's hash table is an index (1, 2, 4 or 8 bytes a slot) followed by room for two thirds as many entries. */
static uint64_t dict_keys_bytes(const uint8_t *keys) {
    struct keys_shape shape;
    return keys_measure(keys, &shape) ? shape.before_entries + (shape.slots << 1) / 3 * shape.entry_bytes : 0;
}

static uint64_t dict_body_bytes(const uint8_t *dict) {
    const uint8_t *keys = (const uint8_t *)load(dict, DICT_KEYS);
    if (keys == NULL) return 0;
    uint64_t bytes = 0;
    /* Keys that several dicts share, the empty ones included, are nobody's. */
    if (load(keys, 0) == 1) bytes += dict_keys_bytes(keys);
    if (load(dict, DICT_VALUES) != 0) {
        struct keys_shape shape;
        if (keys_measure(keys, &shape)) bytes += (shape.slots << 1) / 3 * 8;
    }
    return bytes;
}

uint64_t object_shallow_bytes(const uint8_t *object, const struct type_facts *facts) {
    uint64_t bytes = GC_HEADER + (uint64_t)facts->basic_bytes;
    if (facts->item_bytes != 0) {
        int64_t items = (int64_t)load(object, OBJECT_SIZE);
        bytes += (uint64_t)(items < 0 ? -items : items) * (uint64_t)facts->item_bytes;
    }
    if (facts->body == BODY_LIST) bytes += load(object, LIST_ALLOCATED) * 8;
    else if (facts->body == BODY_DICT) bytes += dict_body_bytes(object);
    else if (facts->body == BODY_SET && (const uint8_t *)load(object, SET_TABLE) != object + SET_SMALL_TABLE)
        bytes += (load(object, SET_MASK) + 1) * SET_ENTRY;
    return bytes;
}
