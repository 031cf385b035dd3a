/* What holds entries: caches that know their bound, and the largest containers of no known one.
 *
 * The census shows every object that it walks over; a few of each are kept, those with most entries. What is kept are
 * addresses: they are looked at again at the end, when some may be gone. */
#ifndef MEMWARDEN_HOLDINGS_H
#define MEMWARDEN_HOLDINGS_H

#include <stddef.h>
#include <stdint.h>

#include "peek.h"

enum { HOLDINGS = 64, CONTAINERS_SHOWN = 48 };

enum holding_kind { HOLDS_PLAINLY, HOLDS_LRU_CACHE, HOLDS_DEQUE, HOLDS_BY_ATTRIBUTE };

struct holding {
    const uint8_t *object, *type;
    const uint8_t *inner; /* the container in which the entries are */
    uint64_t entries, bound, hits, misses;
    enum holding_kind kind;
    int has_bound, has_hits, is_untracked;
};

/* Asked once a type. */
struct holding_facts {
    uint8_t container; /* enum container_kind */
    uint8_t is_lru_cache, is_deque, is_class, has_attributes, has_caches;
};

struct holding_list {
    uint32_t count;
    uint64_t least; /* entries, of what is kept, once there is no place left */
    struct holding items[HOLDINGS];
};

/* Each has places of its own: queues of ten thousand connections leave those of the functions' caches alone. */
struct holdings {
    const struct peek_pipe *guard;
    uint32_t lru_caches_proven;
    struct holding_list lru_caches, bounded, containers;
};

/* Until the self-test has said that instance attributes are read rightly, there are no caches but those of C. */
void holdings_trust_attributes(void);
int holdings_are_trusted(void);

struct holding_facts holding_facts(const uint8_t *type);
void holdings_clear(struct holdings *holdings);
/* seen: how many objects of the type, this one included. */
void holdings_see(struct holdings *holdings, const uint8_t *object, const uint8_t *type, struct holding_facts *facts,
                  uint64_t seen);

/* A value of something's attribute: a dict of str, bytes and numbers alone is in none of the collector's rings. */
void holdings_see_value(void *holdings, const uint8_t *value);

/* Forgets what is_there denies, and containers that a kept cache is made of; most entries first. */
typedef int (*holding_test)(const void *context, const struct holding *holding);
void holdings_settle(struct holdings *holdings, holding_test is_there, const void *context);
/* What there is now, as arguments of holders_want. */
size_t holdings_objects(const struct holdings *holdings, const uint8_t *objects[3 * HOLDINGS]);

/* ,"caches":[…],"containers":[…] as JSON members; returns the new end. Without a pause since it was settled. */
char *holdings_put(const struct holdings *holdings, char *out, const char *limit);

#endif
