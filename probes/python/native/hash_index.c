#define _GNU_SOURCE
#include "hash_index.h"

#include <string.h>
#include <sys/mman.h>

enum { FIRST_CAPACITY = 512 };

void *map_private(size_t bytes) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return NULL;
    /* With transparent huge pages set to "always", touching a few bytes would otherwise cost 2 MiB. */
    madvise(memory, bytes, MADV_NOHUGEPAGE);
    return memory;
}

uint32_t index_find(const struct hash_index *index, uint32_t hash, index_match match, const void *key) {
    if (index->capacity == 0) return 0;
    uint32_t mask = index->capacity - 1;
    for (uint32_t i = hash & mask, seen = 0; seen <= mask; i = (i + 1) & mask, seen++) {
        uint64_t slot = index->slots[i];
        if (slot == 0) return 0;
        if ((uint32_t)(slot >> 32) == hash && match((uint32_t)slot, key)) return (uint32_t)slot;
    }
    return 0;
}

static void place(uint64_t *slots, uint32_t mask, uint64_t slot) {
    uint32_t i = (uint32_t)(slot >> 32) & mask;
    while (slots[i] != 0) i = (i + 1) & mask;
    slots[i] = slot;
}

int index_add(struct hash_index *index, uint32_t hash, uint32_t number) {
    if ((uint64_t)(index->used + 1) * 4 > (uint64_t)index->capacity * 3) {
        uint32_t capacity = index->capacity ? index->capacity * 2 : FIRST_CAPACITY;
        uint64_t *slots = map_private(capacity * sizeof *slots);
        if (slots == NULL) return 0;
        for (uint32_t i = 0; i < index->capacity; i++)
            if (index->slots[i] != 0) place(slots, capacity - 1, index->slots[i]);
        if (index->slots != NULL) munmap(index->slots, index->capacity * sizeof *slots);
        index->slots = slots;
        index->capacity = capacity;
    }
    place(index->slots, index->capacity - 1, (uint64_t)hash << 32 | number);
    index->used++;
    return 1;
}

/* Removal moves later slots of the same run back, so no tombstones ever pile up. */
void index_remove(struct hash_index *index, uint32_t hash, uint32_t number) {
    if (index->capacity == 0) return;
    uint32_t mask = index->capacity - 1, hole = hash & mask;
    uint64_t wanted = (uint64_t)hash << 32 | number;
    while (index->slots[hole] != wanted) {
        if (index->slots[hole] == 0) return;
        hole = (hole + 1) & mask;
    }
    for (uint32_t next = (hole + 1) & mask; index->slots[next] != 0; next = (next + 1) & mask) {
        uint32_t home = (uint32_t)(index->slots[next] >> 32) & mask;
        if (((next - home) & mask) >= ((next - hole) & mask)) {
            index->slots[hole] = index->slots[next];
            hole = next;
        }
    }
    index->slots[hole] = 0;
    index->used--;
}

void index_clear(struct hash_index *index) {
    if (index->slots != NULL) memset(index->slots, 0, index->capacity * sizeof *index->slots);
    index->used = 0;
}
