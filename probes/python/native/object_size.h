/* Shallow sizes without calling into the object: type facts are read once per type, then plain loads per object. */
#ifndef MEMWARDEN_OBJECT_SIZE_H
#define MEMWARDEN_OBJECT_SIZE_H

#include <stdint.h>

enum body { BODY_FIXED, BODY_LIST, BODY_DICT, BODY_SET };

struct type_facts {
    int64_t basic_bytes, item_bytes;
    enum body body;
};

struct type_facts object_type_facts(const uint8_t *type);
uint64_t object_shallow_bytes(const uint8_t *object, const struct type_facts *facts);

#endif
