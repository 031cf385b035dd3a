#include "holdings.h"

#include <string.h>

#include "attributes.h"
#include "container_kind.h"
#include "cpython.h"
#include "holders.h"
#include "lru_cache.h"
#include "python_layout.h"

enum {
    LEAST_CONTAINER = 128,  /* entries */
    LEAST_CACHE = 16,       /* entries; of those that functools doesn't vouch for */
    INSTANCES = 256,        /* of a class, oldest first, whose attributes are looked at */
    BOUNDED_INSTANCES = 4096, /* the same, once there was a bound among them */
    GUARDED_LRU_CACHES = 4, /* read through the pipe until so many were as we know them */
    DEQUE_LEFT = 40, DEQUE_RIGHT = 48, DEQUE_BOUND = 64, DEQUE_BYTES = 72, DEQUE_BLOCK = 64,
    FLOAT_VALUE = 16, GC_HEADER = 16,
};

static int attributes_are_known;

void holdings_trust_attributes(void) { attributes_are_known = 1; }
int holdings_are_trusted(void) { return attributes_are_known; }

struct holding_facts holding_facts(const uint8_t *type) {
    uint64_t flags = type_flags(type);
    struct holding_facts facts = {.container = (uint8_t)container_kind(type)};
    int64_t bytes = 0;
    memcpy(&bytes, type + TYPE_BASICSIZE, sizeof bytes);
    facts.is_class = (flags & TYPE_IS_METATYPE) != 0;
    facts.is_deque = facts.container == IS_DEQUE && bytes >= DEQUE_BYTES;
    facts.is_lru_cache = (uint8_t)lru_cache_type(type);
    facts.has_attributes = attributes_are_known && flags & TYPE_IS_HEAP && !facts.is_class && !facts.is_lru_cache;
    return facts;
}

void holdings_clear(struct holdings *holdings) {
    struct holding_list *lists[] = {&holdings->lru_caches, &holdings->bounded, &holdings->containers};
    for (int i = 0; i < 3; i++) lists[i]->count = 0, lists[i]->least = 0;
}

static uint32_t place_of_least(const struct holding_list *list) {
    uint32_t place = 0;
    for (uint32_t i = 1; i < list->count; i++)
        if (list->items[i].entries < list->items[place].entries) place = i;
    return place;
}

/* Keeps the holding (1) if it has more entries than the least that is kept. */
static int keep(struct holding_list *list, const struct holding *offered) {
    if (list->count < HOLDINGS) {
        list->items[list->count++] = *offered;
    } else {
        if (offered->entries <= list->least) return 0;
        list->items[place_of_least(list)] = *offered;
    }
    if (list->count == HOLDINGS) list->least = list->items[place_of_least(list)].entries;
    return 1;
}

void holdings_see_value(void *context, const uint8_t *value) {
    struct holdings *holdings = context;
    const uint8_t *type = peek_pointer(value, OBJECT_TYPE);
    if (type != python.dict_type || peek_pointer(value - GC_HEADER, 0) != NULL) return;
    struct holding found = {.object = value, .type = type, .inner = value, .is_untracked = 1,
                            .entries = container_length(value, IS_DICT)};
    if (found.entries < LEAST_CONTAINER) return;
    for (uint32_t i = 0; i < holdings->containers.count; i++)
        if (holdings->containers.items[i].object == value) return;
    if (keep(&holdings->containers, &found)) holders_want_also(value);
}

/* ---- What vouches for its bound by its type ------------------------------------------------------------------- */

static void see_lru_cache(struct holdings *holdings, const uint8_t *object, const uint8_t *type) {
    struct lru_cache cache;
    const struct peek_pipe *guard = holdings->lru_caches_proven < GUARDED_LRU_CACHES ? holdings->guard : NULL;
    if (!lru_cache_read(guard, object, &cache)) return;
    holdings->lru_caches_proven++;
    if (cache.entries == 0) return;
    struct holding found = {.object = object, .type = type, .inner = cache.entries_dict, .kind = HOLDS_LRU_CACHE,
                            .entries = cache.entries, .hits = cache.hits, .misses = cache.misses, .has_hits = 1,
                            .has_bound = cache.bound > 0, .bound = (uint64_t)cache.bound};
    keep(&holdings->lru_caches, &found);
}

static int64_t word(const uint8_t *base, size_t offset) {
    int64_t value;
    memcpy(&value, base + offset, sizeof value);
    return value;
}

/* 1: it has a bound, by itself. */
static int see_deque(struct holdings *holdings, const uint8_t *object, const uint8_t *type, uint64_t length) {
    int64_t left = word(object, DEQUE_LEFT), right = word(object, DEQUE_RIGHT), bound = word(object, DEQUE_BOUND);
    int is_as_known = left >= 0 && left < DEQUE_BLOCK && right >= 0 && right < DEQUE_BLOCK;
    if (!is_as_known || bound < 0 || length > (uint64_t)bound) return 0;
    struct holding found = {.object = object, .type = type, .inner = object, .kind = HOLDS_DEQUE, .entries = length,
                            .has_bound = 1, .bound = (uint64_t)bound};
    if (length >= LEAST_CACHE) keep(&holdings->bounded, &found);
    return 1;
}

/* ---- What has a bound among its attributes ------------------------------------------------------------------- */

/* Without what a class's own names begin with: "_", or "_Class__" for private ones. */
static const char *bare(const char *name) {
    const char *private = name[0] == '_' ? strstr(name + 1, "__") : NULL;
    if (private != NULL && private[2] != 0) name = private;
    while (*name == '_') name++;
    return name;
}

static int is_bound(const char *name) {
    static const char *const NAMES[] = {"maxsize", "max_size", "maxlen", "max_len", "max_entries", "capacity", "limit",
                                        "bound"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (strcmp(name, NAMES[i]) == 0) return 1;
    return 0;
}

/* SQLAlchemy's LRUCache lets itself grow over its capacity by this share before it cuts itself back. */
static double slack(const struct attribute *attribute) {
    double value = 0;
    if (peek_pointer(attribute->value, OBJECT_TYPE) != python.float_type) return 0;
    memcpy(&value, attribute->value + FLOAT_VALUE, sizeof value);
    return value > 0 && value <= 1 ? value : 0;
}

static void see_container(struct holding *found, const uint8_t *object) {
    uint64_t length = container_length(object, container_kind(peek_pointer(object, OBJECT_TYPE)));
    if (length < found->entries || length == 0) return;
    found->entries = length;
    found->inner = object;
}

/* Of an instance: entries at most. Of several bounds the largest counts, the least that may be relied on. 0: it names
 * none, or says that there is none. */
static uint64_t bound_among(const struct attribute *attributes, size_t count) {
    int64_t bound = 0, value;
    double over = 0;
    for (size_t i = 0; i < count; i++) {
        const char *name = bare(attributes[i].name);
        if (is_bound(name) && whole_number(attributes[i].value, &value)) bound = value > bound ? value : bound;
        else if (strcmp(name, "threshold") == 0) over = slack(&attributes[i]);
        else if (strcmp(name, "getsizeof") == 0) return 0; /* cachetools: the bound is of sizes then, not of entries */
    }
    return (uint64_t)((double)bound * (1 + over));
}

/* 1: an attribute is the bound of what it holds. */
static int see_attributes(struct holdings *holdings, const uint8_t *object, const uint8_t *type,
                          const struct attribute *attributes, size_t count) {
    struct holding found = {.object = object, .type = type, .kind = HOLDS_BY_ATTRIBUTE, .has_bound = 1,
                            .bound = bound_among(attributes, count)};
    if (found.bound == 0) return 0;
    see_container(&found, object);
    for (size_t i = 0; i < count; i++) see_container(&found, attributes[i].value);
    if (found.inner == NULL || found.entries > found.bound) return 0; /* it is something else's */
    if (found.entries >= LEAST_CACHE) keep(&holdings->bounded, &found);
    return 1;
}

static void see_instance(struct holdings *holdings, const uint8_t *object, const uint8_t *type,
                         struct holding_facts *facts, uint64_t seen) {
    struct attribute attributes[ATTRIBUTES];
    if (seen > (facts->has_caches ? BOUNDED_INSTANCES : INSTANCES)) return;
    size_t count = attributes_read(object, attributes);
    for (size_t i = 0; i < count; i++) holdings_see_value(holdings, attributes[i].value);
    if (seen <= INSTANCES) holders_see_instance(holdings->guard, object, attributes, count);
    if (see_attributes(holdings, object, type, attributes, count)) facts->has_caches = 1;
}

/* ---- All of them --------------------------------------------------------------------------------------------- */

void holdings_see(struct holdings *holdings, const uint8_t *object, const uint8_t *type, struct holding_facts *facts,
                  uint64_t seen) {
    if (facts->container != NO_CONTAINER) {
        uint64_t length = container_length(object, facts->container);
        int is_bounded = facts->is_deque && see_deque(holdings, object, type, length);
        if (length >= LEAST_CONTAINER && !is_bounded) {
            struct holding found = {.object = object, .type = type, .inner = object, .entries = length};
            keep(&holdings->containers, &found);
        }
    }
    if (facts->is_lru_cache) see_lru_cache(holdings, object, type);
    if (facts->is_class && type_flags(object) & TYPE_IS_HEAP) {
        const struct holders_look look = {holdings_see_value, holdings};
        holders_see_class(holdings->guard, object, &look);
    }
    if (facts->has_attributes) see_instance(holdings, object, type, facts, seen);
}

/* By hand: the C library's qsort may allocate. */
static void sort(struct holding_list *list) {
    for (uint32_t i = 1; i < list->count; i++) {
        struct holding moved = list->items[i];
        uint32_t place = i;
        for (; place > 0 && list->items[place - 1].entries < moved.entries; place--)
            list->items[place] = list->items[place - 1];
        list->items[place] = moved;
    }
}

static int is_of_a_cache(const struct holding_list *caches, const struct holding *container) {
    for (uint32_t i = 0; i < caches->count; i++)
        if (container->object == caches->items[i].object || container->object == caches->items[i].inner) return 1;
    return 0;
}

static void settle(struct holding_list *list, holding_test is_there, const void *context) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < list->count; i++)
        if (is_there(context, &list->items[i])) list->items[count++] = list->items[i];
    list->count = count;
    sort(list);
}

void holdings_settle(struct holdings *holdings, holding_test is_there, const void *context) {
    struct holding_list *containers = &holdings->containers;
    uint32_t count = 0;
    settle(&holdings->lru_caches, is_there, context);
    settle(&holdings->bounded, is_there, context);
    settle(containers, is_there, context);
    for (uint32_t i = 0; i < containers->count && count < CONTAINERS_SHOWN; i++)
        if (!is_of_a_cache(&holdings->lru_caches, &containers->items[i]) &&
            !is_of_a_cache(&holdings->bounded, &containers->items[i]))
            containers->items[count++] = containers->items[i];
    containers->count = count;
}

size_t holdings_objects(const struct holdings *holdings, const uint8_t *objects[3 * HOLDINGS]) {
    const struct holding_list *lists[] = {&holdings->lru_caches, &holdings->bounded, &holdings->containers};
    size_t count = 0;
    for (size_t list = 0; list < 3; list++)
        for (uint32_t i = 0; i < lists[list]->count; i++) objects[count++] = lists[list]->items[i].object;
    return count;
}
