/* Live samples: which block, how large, how much it stands for, when and where it was allocated.
 *
 * Every function here is called under the probe's lock.
 */
#ifndef MEMWARDEN_SAMPLE_TABLE_H
#define MEMWARDEN_SAMPLE_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "table_format.h"

struct table { uint8_t *base; };

extern struct table truth;  /* private; kept by a forked child through copy-on-write */
extern struct table mirror; /* the memfd; base is NULL when nothing is published */

static inline struct table_header *header_of(struct table t) { return (void *)t.base; }
static inline struct table_entry *entries_of(struct table t) { return (void *)(t.base + ENTRIES_AT); }
static inline struct table_node *nodes_of(struct table t) { return (void *)(t.base + NODES_AT); }
static inline struct table_frame *frames_of(struct table t) { return (void *)(t.base + FRAMES_AT); }
static inline uint8_t *strings_of(struct table t) { return t.base + STRINGS_AT; }

int table_start(uint64_t average_bytes, uint64_t wall_ns, uint64_t monotonic_ns);
void table_add(uintptr_t address, uint64_t bytes, uint32_t stack, uint64_t now_ns);
int table_take(uintptr_t address, struct table_entry *taken); /* 1 = it was there and is removed */
void table_put_back(const struct table_entry *entry);
void table_thin(uint64_t average_bytes); /* keeps as many samples as this average would have given */
void table_clear(void);

/* Publishing: a new sealed memfd with a copy of all there is; returns the descriptor or −1. */
int table_publish(void);
void table_unpublish(void);
void table_forget_mirror(void); /* after a fork: the mapping is not there (MADV_DONTFORK) */
void table_write_header(void);

#endif
