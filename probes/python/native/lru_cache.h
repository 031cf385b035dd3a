/* functools.lru_cache as its C implementation keeps it: entries, bound, hits, misses, and which function it wraps. */
#ifndef MEMWARDEN_LRU_CACHE_H
#define MEMWARDEN_LRU_CACHE_H

#include <stdint.h>

#include "frame_walk.h"
#include "peek.h"

struct lru_cache {
    const uint8_t *entries_dict;
    uint64_t entries, hits, misses;
    int64_t bound; /* −1: none */
};

int lru_cache_type(const uint8_t *type); /* 1: its instances are such wrappers, as far as the type says */

/* With the GIL; guard NULL: by plain loads. 0: this is none, or not built as we know it; then nothing of it was believed. */
int lru_cache_read(const struct peek_pipe *guard, const uint8_t *object, struct lru_cache *cache);

/* The Python function behind it, through bound methods, partials and further caches; 0: there is none. */
int lru_cache_function(const uint8_t *object, struct frame_place *place);

#endif
