/* Names of what is held: the module global, class attribute or instance attribute that refers to it.
 *
 * Who refers to a container is not known by the container, so those of the last census are looked for in the next one's
 * walk, among the attributes of classes and of a few instances each; module globals are looked through at its end. */
#ifndef MEMWARDEN_HOLDERS_H
#define MEMWARDEN_HOLDERS_H

#include <stddef.h>
#include <stdint.h>

#include "attributes.h"
#include "peek.h"

enum { HOLDERS_WANTED = 256 };

/* Is shown each attribute's value, before its name is looked for: it may want it. */
struct holders_look {
    void (*see)(void *context, const uint8_t *value);
    void *context;
};

/* One census at a time, with the GIL. What was wanted stays wanted. */
void holders_forget_names(void);
void holders_see_class(const struct peek_pipe *guard, const uint8_t *type, const struct holders_look *look);
void holders_see_instance(const struct peek_pipe *guard, const uint8_t *object, const struct attribute *attributes,
                          size_t count);

void holders_want(const uint8_t *const *objects, size_t count); /* these instead; a name that was found is kept */
void holders_want_also(const uint8_t *object);                  /* where there is room */
int holders_see_module(uint64_t *position, const struct holders_look *look); /* 0: there are no more */
const char *holder_of(const uint8_t *object); /* UTF-8; "" where no one was found */

#endif
