/* Holdings as members of the census's answer. */
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "frame_walk.h"
#include "holders.h"
#include "holdings.h"
#include "json_scan.h"
#include "lru_cache.h"
#include "type_name.h"

enum { PLACE_BYTES = 6 * 3 * NAME_BYTES + 512 }; /* of one entry, with every byte escaped */

static uint64_t mixed(uint64_t value) {
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ull;
    value = (value ^ value >> 27) * 0x94d049bb133111ebull;
    return value ^ value >> 31;
}

/* The same from census to census, also in forked children; it tells no address. */
static unsigned long long identity(const struct holding *holding) {
    static uint64_t salt;
    if (salt == 0 && syscall(SYS_getrandom, &salt, sizeof salt, 1 /* GRND_NONBLOCK */) != sizeof salt) salt = 1;
    return mixed((uintptr_t)holding->object ^ mixed((uintptr_t)holding->type ^ salt));
}

static char *put_text(char *out, const char *limit, const char *member, const void *text, size_t bytes) {
    out += snprintf(out, 32, ",\"%s\":", member);
    return json_put_string(out, limit, text, bytes);
}

static char *put_type(const struct holdings *holdings, const struct holding *holding, const char *member, char *out,
                      const char *limit) {
    uint8_t name[2 * NAME_BYTES];
    size_t bytes = type_name(holdings->guard, holding->type, name, sizeof name);
    return put_text(out, limit, member, name, bytes < NAME_BYTES ? bytes : NAME_BYTES);
}

static char *put_function(const struct holding *cache, char *out, const char *limit) {
    struct frame_place place;
    if (!lru_cache_function(cache->object, &place)) {
        const char *name = holder_of(cache->object);
        return put_text(out, limit, "name", name, strlen(name));
    }
    out = put_text(out, limit, "name", place.function, place.function_bytes);
    out = put_text(out, limit, "file", place.file, place.file_bytes);
    return out + snprintf(out, 32, ",\"line\":%u", place.first_line);
}

static char *put_cache(const struct holdings *holdings, const struct holding *cache, char *out, const char *limit) {
    const char *holder = holder_of(cache->object);
    out += snprintf(out, 128, "{\"id\":\"%016llx\",\"entries\":%llu", identity(cache), (unsigned long long)cache->entries);
    if (cache->has_bound) out += snprintf(out, 64, ",\"bound\":%llu", (unsigned long long)cache->bound);
    else out += snprintf(out, 64, ",\"bound\":null");
    if (cache->has_hits)
        out += snprintf(out, 96, ",\"hits\":%llu,\"misses\":%llu", (unsigned long long)cache->hits,
                        (unsigned long long)cache->misses);
    if (cache->kind == HOLDS_LRU_CACHE) {
        out = put_text(out, limit, "kind", "lru_cache", strlen("lru_cache"));
        out = put_function(cache, out, limit);
    } else {
        out = cache->kind == HOLDS_DEQUE ? put_text(out, limit, "kind", "deque", strlen("deque"))
                                         : put_type(holdings, cache, "kind", out, limit);
        out = put_text(out, limit, "name", holder, strlen(holder));
    }
    *out++ = '}';
    return out;
}

static char *put_container(const struct holdings *holdings, const struct holding *container, char *out,
                           const char *limit) {
    const char *holder = holder_of(container->object);
    out += snprintf(out, 128, "{\"id\":\"%016llx\",\"entries\":%llu", identity(container),
                    (unsigned long long)container->entries);
    out = put_type(holdings, container, "type", out, limit);
    out = put_text(out, limit, "name", holder, strlen(holder));
    *out++ = '}';
    return out;
}

typedef char *(*put_holding)(const struct holdings *, const struct holding *, char *, const char *);

static char *put_list(const struct holdings *holdings, const struct holding_list *list, put_holding put, char *out,
                      const char *limit) {
    for (uint32_t i = 0; i < list->count && limit - out > PLACE_BYTES; i++) {
        if (out[-1] != '[') *out++ = ',';
        out = put(holdings, &list->items[i], out, limit);
    }
    return out;
}

char *holdings_put(const struct holdings *holdings, char *out, const char *limit) {
    if (holdings_are_trusted()) {
        out += snprintf(out, 32, ",\"caches\":[");
        out = put_list(holdings, &holdings->lru_caches, put_cache, out, limit);
        out = put_list(holdings, &holdings->bounded, put_cache, out, limit);
        *out++ = ']';
    }
    out += snprintf(out, 32, ",\"containers\":[");
    out = put_list(holdings, &holdings->containers, put_container, out, limit);
    *out++ = ']';
    return out;
}
