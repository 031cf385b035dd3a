#include "dict_entries.h"

#include "frame_walk.h"
#include "peek.h"

enum {
    /* PyDictKeysObject up to 3.10, and from 3.11 on */
    OLD_SIZE = 8, OLD_COUNT = 32, OLD_INDICES = 40,
    LOG2_SLOTS = 8, LOG2_INDEX_BYTES = 9, KIND = 10, COUNT = 24, INDICES = 32,
    KIND_GENERAL = 0,
    /* struct _dictvalues from 3.13 on */
    VALUES_CAPACITY = 0, VALUES_ARRAY = 8,
};
static const uint64_t SLOTS_LIMIT = 1ull << 40;

static uint64_t number(const uint8_t *base, size_t offset, size_t bytes) {
    uint64_t value = 0;
    return peek(base + offset, &value, bytes) ? value : UINT64_MAX;
}

int keys_measure(const uint8_t *keys, struct keys_shape *shape) {
    if (walk_layout->minor < 11) {
        uint64_t slots = number(keys, OLD_SIZE, 8);
        if (slots > SLOTS_LIMIT) return 0;
        uint64_t width = slots <= 0xff ? 1 : slots <= 0xffff ? 2 : slots <= 0xffffffff ? 4 : 8;
        *shape = (struct keys_shape){slots, OLD_INDICES + slots * width, 24};
        return 1;
    }
    uint64_t log2_slots = number(keys, LOG2_SLOTS, 1), log2_index = number(keys, LOG2_INDEX_BYTES, 1);
    if (log2_slots > 40 || log2_index > 44) return 0;
    uint8_t entry_bytes = number(keys, KIND, 1) == KIND_GENERAL ? 24 : 16;
    *shape = (struct keys_shape){1ull << log2_slots, INDICES + (1ull << log2_index), entry_bytes};
    return 1;
}

int keys_open(struct dict_cursor *cursor, const uint8_t *keys, const uint8_t *values, uint64_t capacity) {
    struct keys_shape shape;
    if (!keys_measure(keys, &shape)) return 0;
    *cursor = (struct dict_cursor){.entries = keys + shape.before_entries, .values = values};
    cursor->entry_bytes = shape.entry_bytes;
    cursor->count = number(keys, walk_layout->minor < 11 ? OLD_COUNT : COUNT, 8);
    if (cursor->count > shape.slots) return 0;
    if (values != NULL && cursor->count > capacity) cursor->count = capacity;
    return 1;
}

const uint8_t *values_array(const uint8_t *values, uint64_t *capacity) {
    *capacity = walk_layout->minor < 13 ? UINT64_MAX : number(values, VALUES_CAPACITY, 1);
    return walk_layout->minor < 13 ? values : values + VALUES_ARRAY;
}

int dict_open(struct dict_cursor *cursor, const uint8_t *dict) {
    const uint8_t *keys = peek_pointer(dict, DICT_KEYS), *values = peek_pointer(dict, DICT_VALUES);
    uint64_t capacity = 0;
    if (keys == NULL) return 0;
    if (values != NULL) values = values_array(values, &capacity);
    return keys_open(cursor, keys, values, capacity);
}

int dict_next(struct dict_cursor *cursor, const uint8_t **key, const uint8_t **value) {
    while (cursor->index < cursor->count) {
        uint64_t index = cursor->index++;
        const uint8_t *entry = cursor->entries + index * cursor->entry_bytes + (cursor->entry_bytes - 16u);
        struct { const uint8_t *key, *value; } pair;
        if (!peek(entry, &pair, sizeof pair)) return 0;
        *key = pair.key;
        *value = cursor->values ? peek_pointer(cursor->values, index * 8) : pair.value;
        if (*key != NULL && *value != NULL) return 1;
    }
    return 0;
}
