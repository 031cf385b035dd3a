/* "Might this address be one of ours?" in two loads, for every free of the program.
 *
 * Two counting filters: 8 KiB by page, which stays in the first-level cache and answers nearly always, then 256 KiB by
 * 16-byte granule. A counter that reached 255 stays there: it can only cost time, never lose an entry.
 */
#ifndef MEMWARDEN_ADDRESS_FILTER_H
#define MEMWARDEN_ADDRESS_FILTER_H

#include <stdint.h>

enum { PAGE_SLOTS = 8192, GRANULE_SLOTS = 262144 };

/* Hidden: an array that another object might replace is reached through one load more. */
extern __attribute__((visibility("hidden"))) uint8_t filter_pages[PAGE_SLOTS], filter_granules[GRANULE_SLOTS];

static inline int filter_may_hold(uintptr_t address) {
    return filter_pages[(address >> 12) % PAGE_SLOTS] && filter_granules[(address >> 4) % GRANULE_SLOTS];
}

static inline void filter_count(uint8_t *counter, int by) {
    if (*counter != 255) *counter = (uint8_t)(*counter + by);
}

static inline void filter_change(uintptr_t address, int by) {
    filter_count(&filter_pages[(address >> 12) % PAGE_SLOTS], by);
    filter_count(&filter_granules[(address >> 4) % GRANULE_SLOTS], by);
}

#endif
