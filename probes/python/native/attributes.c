#include "attributes.h"

#include <string.h>

#include "container_kind.h"
#include "dict_entries.h"
#include "frame_walk.h"
#include "peek.h"
#include "python_layout.h"

enum {
    MEMBER_NAME = 0, MEMBER_TYPE = 8, MEMBER_OFFSET = 16, MEMBER_BYTES = 40, /* PyMemberDef */
    MEMBER_IS_OBJECT = 6, MEMBER_IS_SLOT = 16,
    INSTANCE_DICT = -24, INSTANCE_VALUES_311 = -32, VALUES_VALID = 3, OBJECT_BYTES = 16, LONGEST_BODY = 1 << 20,
    LONG_SIZE = 16, LONG_DIGITS = 24, DIGIT_BITS = 30,
    BASES = 64,
};
static const uint64_t HAS_INLINE_VALUES = 1u << 2, HAS_MANAGED_DICT = 1u << 4;

/* ---- Values -------------------------------------------------------------------------------------------------- */

int whole_number(const uint8_t *object, int64_t *number) {
    uint64_t size;
    uint32_t digits[2] = {0, 0};
    if (peek_pointer(object, OBJECT_TYPE) != python.long_type || !peek(object + LONG_SIZE, &size, sizeof size)) return 0;
    if (walk_layout->minor >= 12) { /* the lowest bits are the sign: 0 positive, 1 zero, 2 negative */
        if ((size & 3) == 2) return 0;
        size = size & 3 ? 0 : size >> 3;
    }
    if (size > 2 || (size && !peek(object + LONG_DIGITS, digits, size * sizeof *digits))) return 0;
    *number = (int64_t)digits[1] << DIGIT_BITS | digits[0];
    return 1;
}

int attribute_name(const uint8_t *string, struct attribute *attribute) {
    uint64_t head[3], length; /* PyASCIIObject: length, hash, state */
    if (peek_pointer(string, OBJECT_TYPE) != python.str_type || !peek(string + STR_LENGTH, head, sizeof head)) return 0;
    length = head[0];
    if ((head[2] >> 5 & 3) != 3 || length == 0 || length > ATTRIBUTE_NAME_BYTES) return 0; /* compact and ASCII */
    attribute->bytes = (uint8_t)length;
    attribute->name[length] = 0;
    return peek(string + walk_layout->str_ascii, attribute->name, length);
}

/* ---- Where they are ------------------------------------------------------------------------------------------ */

static int read_member(const uint8_t *object, const uint8_t *member, const uint8_t *text, struct attribute *attribute) {
    int32_t type = 0;
    int64_t offset = 0;
    peek(member + MEMBER_TYPE, &type, sizeof type);
    peek(member + MEMBER_OFFSET, &offset, sizeof offset);
    if ((type != MEMBER_IS_SLOT && type != MEMBER_IS_OBJECT) || offset < OBJECT_BYTES || offset > LONGEST_BODY) return 0;
    attribute->value = peek_pointer(object, (size_t)offset);
    if (attribute->value == NULL) return 0;
    for (uint32_t i = 0; i <= ATTRIBUTE_NAME_BYTES; i++) {
        if (!peek(text + i, &attribute->name[i], 1)) return 0;
        attribute->bytes = (uint8_t)i;
        if (attribute->name[i] == 0) return i > 0;
    }
    return 0;
}

static size_t read_slots(const uint8_t *object, const uint8_t *type, struct attribute *attributes) {
    size_t count = 0;
    for (int depth = 0; type != NULL && depth < BASES; depth++, type = peek_pointer(type, TYPE_BASE)) {
        const uint8_t *member = peek_pointer(type, TYPE_MEMBERS), *text;
        for (int i = 0; member != NULL && i < ATTRIBUTES && count < ATTRIBUTES; i++, member += MEMBER_BYTES) {
            if ((text = peek_pointer(member, MEMBER_NAME)) == NULL) break;
            count += (size_t)read_member(object, member, text, &attributes[count]);
        }
    }
    return count;
}

static int open_dict(const uint8_t *dict, struct dict_cursor *cursor) {
    return dict != NULL && type_flags(peek_pointer(dict, OBJECT_TYPE)) & TYPE_IS_DICT && dict_open(cursor, dict);
}

static int open_values(const uint8_t *type, const uint8_t *values, struct dict_cursor *cursor) {
    const uint8_t *keys = peek_pointer(type, walk_layout->heap_type_qualname + 8u); /* ht_cached_keys */
    uint64_t capacity;
    values = values_array(values, &capacity);
    return keys != NULL && keys_open(cursor, keys, values, capacity);
}

/* From 3.11 on before the object: 3.11 has a word for the values and one for the dict, 3.12 one for both, whose lowest
 * bit says which; 3.13 has the values behind the object's own body, until there is a dict. */
static int open_managed(const uint8_t *object, const uint8_t *type, uint64_t flags, struct dict_cursor *cursor) {
    const uint8_t *dict = peek_pointer(object + INSTANCE_DICT, 0);
    if (walk_layout->minor == 11) {
        const uint8_t *values = peek_pointer(object + INSTANCE_VALUES_311, 0);
        return values != NULL ? open_values(type, values, cursor) : open_dict(dict, cursor);
    }
    if (walk_layout->minor == 12 && (uintptr_t)dict & 1) return open_values(type, dict + 1, cursor);
    if (dict == NULL && flags & HAS_INLINE_VALUES) {
        uint8_t are_valid = 0;
        uint64_t body = 0;
        peek(type + TYPE_BASICSIZE, &body, sizeof body);
        if (body < OBJECT_BYTES || body > LONGEST_BODY) return 0;
        peek(object + body + VALUES_VALID, &are_valid, 1);
        return are_valid && open_values(type, object + body, cursor);
    }
    return open_dict(dict, cursor);
}

static int open_attributes(const uint8_t *object, const uint8_t *type, struct dict_cursor *cursor) {
    uint64_t flags = type_flags(type);
    int64_t offset = 0;
    if (walk_layout->minor >= 11 && flags & HAS_MANAGED_DICT) return open_managed(object, type, flags, cursor);
    if (!peek(type + TYPE_DICT_OFFSET, &offset, sizeof offset) || offset <= 0) return 0;
    return open_dict(peek_pointer(object, (size_t)offset), cursor);
}

size_t attributes_read(const uint8_t *object, struct attribute *attributes) {
    const uint8_t *type = peek_pointer(object, OBJECT_TYPE), *key;
    struct dict_cursor cursor;
    if (type == NULL) return 0;
    size_t count = read_slots(object, type, attributes);
    if (!open_attributes(object, type, &cursor)) return count;
    for (int i = 0; i < ATTRIBUTES && count < ATTRIBUTES; i++) {
        if (!dict_next(&cursor, &key, &attributes[count].value)) break;
        count += (size_t)attribute_name(key, &attributes[count]);
    }
    return count;
}
