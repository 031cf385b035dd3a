#include "lru_cache.h"

#include <string.h>

#include "container_kind.h"
#include "python_layout.h"

enum {
    /* struct lru_cache_object, the same from 3.8 to 3.14: it begins with the root of its ring of entries */
    ROOT_PREVIOUS = 16, ROOT_NEXT = 24, CACHE_DICT = 72, HITS = 80, FUNCTION = 88, BOUND = 96, MISSES = 104,
    CACHE_BYTES = 112,
    METHOD_FUNCTION = 16, PARTIAL_FUNCTION = 16,
    WRAPPERS = 8,
};

int lru_cache_type(const uint8_t *type) {
    int64_t bytes = 0;
    return type_base_named(type, "functools._lru_cache_wrapper") != NULL &&
           peek(type + TYPE_BASICSIZE, &bytes, sizeof bytes) && bytes >= CACHE_BYTES;
}

static const uint8_t *pointer(const struct peek_pipe *guard, const uint8_t *base, size_t offset) {
    const uint8_t *value = NULL;
    if (base == NULL) return NULL;
    if (guard == NULL) return peek_pointer(base, offset);
    return peek_copy(guard, base + offset, &value, sizeof value) ? value : NULL;
}

/* The ring leads back to this very object from both sides, and the dict is one: no other layout has that. */
static int is_as_known(const struct peek_pipe *guard, const uint8_t *object) {
    const uint8_t *previous = pointer(guard, object, ROOT_PREVIOUS), *next = pointer(guard, object, ROOT_NEXT);
    return pointer(guard, next, ROOT_PREVIOUS) == object && pointer(guard, previous, ROOT_NEXT) == object &&
           pointer(guard, pointer(guard, object, CACHE_DICT), OBJECT_TYPE) == python.dict_type &&
           pointer(guard, object, FUNCTION) != NULL;
}

int lru_cache_read(const struct peek_pipe *guard, const uint8_t *object, struct lru_cache *cache) {
    int64_t hits, misses;
    if (!is_as_known(guard, object)) return 0;
    cache->entries_dict = peek_pointer(object, CACHE_DICT);
    cache->entries = container_length(cache->entries_dict, IS_DICT);
    memcpy(&hits, object + HITS, sizeof hits);
    memcpy(&misses, object + MISSES, sizeof misses);
    memcpy(&cache->bound, object + BOUND, sizeof cache->bound);
    cache->hits = (uint64_t)hits;
    cache->misses = (uint64_t)misses;
    return hits >= 0 && misses >= 0 && cache->bound >= -1 &&
           (cache->bound == -1 || cache->entries <= (uint64_t)cache->bound);
}

static const uint8_t *unwrapped(const uint8_t *object) {
    for (int i = 0; object != NULL && i < WRAPPERS; i++) {
        const uint8_t *type = peek_pointer(object, OBJECT_TYPE);
        if (type == python.function_type) return object;
        if (type == python.method_type) object = peek_pointer(object, METHOD_FUNCTION);
        else if (lru_cache_type(type)) object = peek_pointer(object, FUNCTION);
        else if (type_base_named(type, "functools.partial")) object = peek_pointer(object, PARTIAL_FUNCTION);
        else return NULL;
    }
    return NULL;
}

int lru_cache_function(const uint8_t *object, struct frame_place *place) {
    /* PyFunctionObject: its fields were put into another order with 3.10 */
    size_t code_at = walk_layout->minor < 10 ? 16 : 48, qualname_at = walk_layout->minor < 10 ? 104 : 40;
    const uint8_t *function = unwrapped(peek_pointer(object, FUNCTION));
    if (function == NULL) return 0;
    const uint8_t *code = peek_pointer(function, code_at), *qualname = peek_pointer(function, qualname_at);
    if (code == NULL || qualname == NULL || peek_pointer(code, OBJECT_TYPE) != python.code_type ||
        peek_pointer(qualname, OBJECT_TYPE) != python.str_type)
        return 0;
    return walk_locate(&(struct walked_frame){.code = code, .instruction = -1}, place) &&
           walk_text(qualname, place->function, &place->function_bytes);
}
