#define _GNU_SOURCE
#include "census.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cpython.h"
#include "frame_walk.h"
#include "hash_index.h"
#include "holders.h"
#include "holdings.h"
#include "json_scan.h"
#include "object_size.h"
#include "peek.h"
#include "process.h"
#include "type_name.h"

enum {
    /* struct _gc_runtime_state, as far as it is the same from 3.9 to 3.14 */
    GENERATIONS_MIN = 20, GENERATIONS_MAX = 24, GENERATION_BYTES = 24, THRESHOLD = 16, STATS_BYTES = 24,
    GC_NEXT = 0, GC_PREVIOUS = 8, GC_HEADER = 16,
    HOLDINGS_BYTES = 384 * 1024, /* of the answer, for what is not types */
    TYPE_LIMIT = 32768, RINGS = 4, CLOCK_EVERY = 128, MAX_RESTARTS = 2, COLLECTING_WAITS = 200,
};
static const uintptr_t GC_FLAGS = 3;
static const uint64_t STEP_NS = 4000000; /* "at least every 5 ms" with room for the clock */

struct counted_type {
    const uint8_t *type;
    struct type_facts facts;
    struct holding_facts holding;
    uint64_t objects, bytes;
};

struct census {
    const uint8_t *collector;
    const uint8_t *rings[RINGS]; /* permanent, old, middle, young: oldest first */
    struct counted_type *types;
    struct hash_index by_type;
    uint32_t type_count;
    uint64_t objects;
    struct holdings holdings;
    struct peek_pipe guard;
    const int *stop;
    int partial;
};

static const uint8_t *follow(const uint8_t *head, size_t direction) {
    uintptr_t value;
    memcpy(&value, head + direction, sizeof value);
    return (const uint8_t *)(value & ~GC_FLAGS);
}

/* Is this a member of some ring, as far as its neighbours say so? Nothing read here need exist. */
static int is_linked(const struct peek_pipe *guard, const uint8_t *head) {
    uintptr_t links[2], next_previous, previous_next;
    if (!peek_copy(guard, head, links, sizeof links)) return 0;
    const uint8_t *next = (const uint8_t *)(links[0] & ~GC_FLAGS), *previous = (const uint8_t *)(links[1] & ~GC_FLAGS);
    return peek_copy(guard, next + GC_PREVIOUS, &next_previous, sizeof next_previous) &&
           (next_previous & ~GC_FLAGS) == (uintptr_t)head &&
           peek_copy(guard, previous + GC_NEXT, &previous_next, sizeof previous_next) &&
           (previous_next & ~GC_FLAGS) == (uintptr_t)head;
}

static const uint8_t *generations_of(const uint8_t *collector) {
    return peek_pointer(collector, walk_layout->gc->generation0);
}

static void find_rings(const uint8_t *collector, const uint8_t *rings[RINGS]) {
    const uint8_t *generations = generations_of(collector);
    size_t permanent = walk_layout->gc->permanent;
    rings[0] = permanent ? collector + permanent : generations + 3 * GENERATION_BYTES;
    for (int i = 1; i < RINGS; i++) rings[i] = generations + (RINGS - 1 - i) * GENERATION_BYTES;
}

const uint8_t *census_find_collector(const uint8_t *interpreter, const int thresholds[3]) {
    if (walk_layout->interp_gc < 0 || peek_guard == NULL) return NULL;
    const uint8_t *collector = interpreter + walk_layout->interp_gc, *rings[RINGS];
    const uint8_t *generations = generations_of(collector);
    int threshold, collecting;
    if (generations < collector + GENERATIONS_MIN || generations > collector + GENERATIONS_MAX) return NULL;
    find_rings(collector, rings);
    for (int i = 0; i < RINGS; i++)
        if (!is_linked(peek_guard, rings[i])) return NULL;
    for (int i = 0; i < 3; i++) {
        if (!peek(generations + i * GENERATION_BYTES + THRESHOLD, &threshold, sizeof threshold)) return NULL;
        if (threshold != thresholds[i]) return NULL;
    }
    return peek(collector + walk_layout->gc->collecting, &collecting, sizeof collecting) && collecting == 0 ? collector
                                                                                                            : NULL;
}

void census_collections(const uint8_t *collector, uint64_t collections[3]) {
    const uint8_t *stats = collector + walk_layout->gc->stats;
    for (int i = 0; i < 3; i++) memcpy(&collections[i], stats + i * STATS_BYTES, sizeof *collections);
}

/* ---- Counting ----------------------------------------------------------------------------------------------- */

struct type_key { const struct census *census; const uint8_t *type; };

static int same_type(uint32_t number, const void *key) {
    const struct type_key *wanted = key;
    return wanted->census->types[number - 1].type == wanted->type;
}

static struct counted_type *entry_for(struct census *census, const uint8_t *type) {
    struct type_key key = {census, type};
    uint32_t hash = hash_mix((uintptr_t)type), number = index_find(&census->by_type, hash, same_type, &key);
    if (number == 0) {
        if (census->type_count == TYPE_LIMIT || !index_add(&census->by_type, hash, census->type_count + 1)) return NULL;
        number = ++census->type_count;
        census->types[number - 1] = (struct counted_type){.type = type, .facts = object_type_facts(type),
                                                          .holding = holding_facts(type)};
    }
    return &census->types[number - 1];
}

static void count(struct census *census, const uint8_t *object) {
    uintptr_t type;
    memcpy(&type, object + OBJECT_TYPE, sizeof type);
    struct counted_type *entry = entry_for(census, (const uint8_t *)type);
    census->objects++;
    if (entry == NULL) {
        census->partial = 1;
        return;
    }
    entry->objects++;
    entry->bytes += object_shallow_bytes(object, &entry->facts);
    holdings_see(&census->holdings, object, entry->type, &entry->holding, entry->objects);
}

static void start_over(struct census *census) {
    index_clear(&census->by_type);
    census->type_count = 0;
    census->objects = 0;
    holdings_clear(&census->holdings);
    holders_forget_names();
}

/* ---- Walking ------------------------------------------------------------------------------------------------ */

static int is_collecting(const struct census *census) {
    int collecting;
    memcpy(&collecting, census->collector + walk_layout->gc->collecting, sizeof collecting);
    return collecting;
}

static uint64_t full_collections(const struct census *census) {
    uint64_t collections[3];
    census_collections(census->collector, collections);
    return collections[2];
}

static void yield_gil(unsigned microseconds) {
    PyThreadState *saved = PyEval_SaveThread();
    usleep(microseconds);
    PyEval_RestoreThread(saved);
}

static int is_ring(const struct census *census, const uint8_t *head) {
    for (int i = 0; i < RINGS; i++)
        if (census->rings[i] == head) return 1;
    return 0;
}

/* Where there are other interpreters, the place may have become one of theirs: its neighbours agree, and their ring's
 * head, which no census knows, would be taken for an object. The newest interpreter comes first in the list. */
static int is_alone(const struct census *census) {
    return (const uint8_t *)PyInterpreterState_Head() + walk_layout->interp_gc == census->collector;
}

/* Types, functions and modules rarely die: a pause at one of them can nearly always be resumed. */
static int is_steady(const uint8_t *object) {
    const void *type;
    memcpy(&type, object + OBJECT_TYPE, sizeof type);
    return type == python.type_type || type == python.function_type;
}

/* 0: the ring changed under a pause so that the place is lost. */
static int walk_ring(struct census *census, const uint8_t *ring, int may_pause) {
    uint64_t began = clock_exact_ns(), collections = full_collections(census);
    unsigned steps = 0;
    int due = 0;
    for (const uint8_t *head = follow(ring, GC_NEXT); head != ring; head = follow(head, GC_NEXT)) {
        if (is_ring(census, head)) return 0; /* the cursor had moved to another generation */
        count(census, head + GC_HEADER);
        if (++steps % CLOCK_EVERY == 0) {
            uint64_t elapsed = clock_exact_ns() - began;
            due = elapsed > STEP_NS ? 2 : elapsed > STEP_NS / 4 * 3;
        }
        if (!may_pause || due == 0 || (due == 1 && !is_steady(head + GC_HEADER))) continue;
        yield_gil(50);
        if (__atomic_load_n(census->stop, __ATOMIC_ACQUIRE)) return census->partial = 1;
        if (!is_alone(census) || is_collecting(census) || full_collections(census) != collections ||
            !is_linked(&census->guard, head))
            return 0;
        began = clock_exact_ns();
        due = 0;
    }
    return 1;
}

static int wait_for_collector(const struct census *census) {
    for (int waits = 0; is_collecting(census); waits++) {
        if (waits == COLLECTING_WAITS || *census->stop) return 0;
        yield_gil(1000);
    }
    return 1;
}

/* The two young rings are small (thresholds) and are walked without a pause, so that nothing moves out of them into
 * the old one behind our back. */
static int walk_all(struct census *census) {
    for (int i = 0; i < RINGS && !census->partial; i++)
        if (!walk_ring(census, census->rings[i], i < 2)) return 0;
    return 1;
}

static void take(struct census *census) {
    for (int attempt = 0; attempt <= MAX_RESTARTS; attempt++) {
        start_over(census);
        if (!wait_for_collector(census)) break;
        if (walk_all(census)) return;
    }
    census->partial = 1;
}

/* ---- What holds much ---------------------------------------------------------------------------------------- */

static int is_there(const void *context, const struct holding *holding) {
    const struct census *census = context;
    const uint8_t *type;
    return (holding->is_untracked || is_linked(&census->guard, holding->object - GC_HEADER)) &&
           peek_copy(&census->guard, holding->object + OBJECT_TYPE, &type, sizeof type) && type == holding->type;
}

/* Ends as the walk does: what is kept is there, and stays there as long as nothing gives the GIL back. */
static void find_holders(struct census *census) {
    uint64_t began = clock_exact_ns(), position = 0;
    const struct holders_look look = {holdings_see_value, &census->holdings};
    const uint8_t *objects[3 * HOLDINGS];
    holdings_settle(&census->holdings, is_there, census);
    holders_want(objects, holdings_objects(&census->holdings, objects));
    while (holders_see_module(&position, &look)) {
        if (clock_exact_ns() - began < STEP_NS) continue;
        yield_gil(50);
        if (__atomic_load_n(census->stop, __ATOMIC_ACQUIRE)) break;
        began = clock_exact_ns();
    }
    holdings_settle(&census->holdings, is_there, census);
}

/* ---- The answer --------------------------------------------------------------------------------------------- */

static struct counted_type *largest(struct census *census) {
    struct counted_type *best = NULL;
    for (uint32_t i = 0; i < census->type_count; i++) {
        struct counted_type *entry = &census->types[i];
        if (entry->type != NULL && (best == NULL || entry->bytes > best->bytes)) best = entry;
    }
    return best;
}

static char *put_types(struct census *census, uint32_t top, char *out, const char *limit) {
    for (uint32_t i = 0; i < top; i++) {
        struct counted_type *entry = largest(census);
        if (entry == NULL) break;
        uint8_t name[2 * NAME_BYTES];
        size_t bytes = type_name(&census->guard, entry->type, name, sizeof name);
        if (limit - out < (ptrdiff_t)bytes * 6 + 512) break; /* half an entry would make the answer no JSON */
        out += snprintf(out, 32, "%s{\"name\":", i ? "," : "");
        out = json_put_string(out, limit, name, bytes);
        out += snprintf(out, 128, ",\"count\":%llu,\"bytes\":%llu}", (unsigned long long)entry->objects,
                               (unsigned long long)entry->bytes);
        entry->type = NULL;
    }
    return out;
}

static int prepare(struct census *census) {
    census->types = map_private(TYPE_LIMIT * sizeof *census->types);
    if (census->types == NULL) return 0;
    if (peek_open(&census->guard)) return 1;
    munmap(census->types, TYPE_LIMIT * sizeof *census->types);
    return 0;
}

static void release(struct census *census) {
    peek_close(&census->guard);
    munmap(census->types, TYPE_LIMIT * sizeof *census->types);
    if (census->by_type.slots != NULL)
        munmap(census->by_type.slots, census->by_type.capacity * sizeof *census->by_type.slots);
}

size_t census_reply(const uint8_t *collector, uint32_t top, const int *stop, const char *id, char *out, size_t limit) {
    struct census census = {.collector = collector, .stop = stop, .holdings.guard = &census.guard};
    uint64_t began = clock_exact_ns();
    if (!prepare(&census))
        return (size_t)snprintf(out, limit, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-32000,\"message\":"
                                            "\"no memory or descriptor left for a census\"}}\n", id);
    find_rings(collector, census.rings);
    take(&census);
    find_holders(&census);
    char *at = out + snprintf(out, limit, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"types\":[", id);
    at = put_types(&census, top, at, out + limit - HOLDINGS_BYTES);
    *at++ = ']';
    at = holdings_put(&census.holdings, at, out + limit - 512);
    at += snprintf(at, 200, ",\"objects\":%llu,\"partial\":%s,\"seconds\":%.4f}}\n", (unsigned long long)census.objects,
                   census.partial ? "true" : "false", (double)(clock_exact_ns() - began) / 1e9);
    release(&census);
    return (size_t)(at - out);
}
