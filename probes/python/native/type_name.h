/* "module.Qual" of a type that may have died since it was counted. */
#ifndef MEMWARDEN_TYPE_NAME_H
#define MEMWARDEN_TYPE_NAME_H

#include <stddef.h>
#include <stdint.h>

#include "peek.h"

/* With the GIL. UTF-8, never longer than limit; "?" when the type is gone. */
size_t type_name(const struct peek_pipe *guard, const uint8_t *type, uint8_t *name, size_t limit);

#endif
