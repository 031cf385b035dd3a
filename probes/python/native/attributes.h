/* The attributes that an instance itself has, read without a call into it and without making it a dict.
 *
 * Where an interpreter keeps them differs with its version, and within one: slots, a dict, values under keys that all
 * instances share. The self-test compares what is read here with what Python says, before any of it is used. */
#ifndef MEMWARDEN_ATTRIBUTES_H
#define MEMWARDEN_ATTRIBUTES_H

#include <stddef.h>
#include <stdint.h>

enum { ATTRIBUTES = 64, ATTRIBUTE_NAME_BYTES = 54 };

struct attribute {
    const uint8_t *value;
    uint8_t bytes;
    char name[ATTRIBUTE_NAME_BYTES + 1]; /* ASCII; others, and longer ones, are passed by */
};

/* With the GIL. At most ATTRIBUTES; the number that was read. */
size_t attributes_read(const uint8_t *object, struct attribute *attributes);
int attribute_name(const uint8_t *string, struct attribute *attribute); /* of a str object; 0: too long, or not ASCII */
int whole_number(const uint8_t *object, int64_t *number); /* 1: an int, exactly, between 0 and 2**60 */

#endif
