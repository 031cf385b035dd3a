/* The entries of a dict, or of the values that an instance keeps without one, by plain loads.
 *
 * With the GIL and without a pause between two steps: nothing else may change the dict meanwhile. Reads go through
 * peek(), so that the self-test can try the layout first. */
#ifndef MEMWARDEN_DICT_ENTRIES_H
#define MEMWARDEN_DICT_ENTRIES_H

#include <stdint.h>

enum { DICT_LENGTH = 16, DICT_KEYS = 32, DICT_VALUES = 40 }; /* PyDictObject: ma_used, ma_keys, ma_values */

struct dict_cursor {
    const uint8_t *entries, *values; /* values: of a dict that shares its keys with others, else NULL */
    uint64_t index, count;
    uint8_t entry_bytes;
};

int dict_open(struct dict_cursor *cursor, const uint8_t *dict); /* 0: unreadable */
/* values: an array, one for each key; capacity: how many of them there are. */
int keys_open(struct dict_cursor *cursor, const uint8_t *keys, const uint8_t *values, uint64_t capacity);
int dict_next(struct dict_cursor *cursor, const uint8_t **key, const uint8_t **value); /* 0: no more */

/* Values of an instance or of a dict that shares its keys: from 3.13 on, a header says how many fit. */
const uint8_t *values_array(const uint8_t *values, uint64_t *capacity);

/* PyDictKeysObject: an index (1, 2, 4 or 8 bytes a slot) followed by room for two thirds as many entries. */
struct keys_shape {
    uint64_t slots, before_entries; /* in bytes: header and index */
    uint8_t entry_bytes;            /* 24 with a hash; 16 where all keys are str and keep it themselves */
};
int keys_measure(const uint8_t *keys, struct keys_shape *shape); /* 0: that is none */

#endif
