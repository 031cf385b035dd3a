/* An open-addressing index from a hash to a number, in memory of its own (never the Python heap, never malloc).
 *
 * Slots hold hash and number, so growing and removing need no look at what the numbers mean; equality is the
 * caller's. Number 0 marks an empty slot, so callers store positions starting at 1.
 */
#ifndef MEMWARDEN_HASH_INDEX_H
#define MEMWARDEN_HASH_INDEX_H

#include <stddef.h>
#include <stdint.h>

struct hash_index {
    uint64_t *slots; /* hash << 32 | number */
    uint32_t capacity, used;
};

typedef int (*index_match)(uint32_t number, const void *key);

uint32_t index_find(const struct hash_index *index, uint32_t hash, index_match match, const void *key);
int index_add(struct hash_index *index, uint32_t hash, uint32_t number); /* 0 when no memory is left */
void index_remove(struct hash_index *index, uint32_t hash, uint32_t number);
void index_clear(struct hash_index *index);

void *map_private(size_t bytes); /* zeroed, lazily backed, without huge pages; NULL on failure */

static inline uint32_t hash_mix(uint64_t value) {
    value ^= value >> 33;
    value *= 0xff51afd7ed558ccdULL;
    value ^= value >> 33;
    value *= 0xc4ceb9fe1a85ec53ULL;
    return (uint32_t)(value >> 32);
}

#endif
