/* Which objects are containers that can grow, and how many entries one has. */
#ifndef MEMWARDEN_CONTAINER_KIND_H
#define MEMWARDEN_CONTAINER_KIND_H

#include <stdint.h>

enum container_kind { NO_CONTAINER, IS_LIST, IS_DICT, IS_SET, IS_DEQUE };

uint64_t type_flags(const uint8_t *type);
const uint8_t *type_base_named(const uint8_t *type, const char *name); /* itself or a base with this tp_name, else NULL */

/* Of a type, subclasses included. */
enum container_kind container_kind(const uint8_t *type);
uint64_t container_length(const uint8_t *object, enum container_kind kind);

#endif
