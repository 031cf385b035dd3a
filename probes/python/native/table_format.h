/* The published table, byte for byte. docs/design/20261121-probe-table.md is its reference.
 *
 * The same layout is used twice: once in private memory, which is the truth, and once in a sealed memfd, which is a
 * copy for the sidecar. A reader may see any prefix of a write; the sequence tells it when to try again.
 */
#ifndef MEMWARDEN_TABLE_FORMAT_H
#define MEMWARDEN_TABLE_FORMAT_H

#include <stdint.h>

#define TABLE_MAGIC "MWTABLE1"

enum {
    HEADER_BYTES = 4096,
    ENTRY_LIMIT = 65536,
    NODE_LIMIT = 131072,
    FRAME_LIMIT = 32768,
    STRING_LIMIT = 2 * 1024 * 1024, /* bytes */
};

struct table_header {
    char magic[8];
    uint32_t layout_version, header_bytes;
    uint32_t pid, parent_pid;
    uint32_t generation; /* counts the published copies of this process */
    uint32_t sequence;   /* odd while a write is under way */
    uint64_t average_bytes;
    uint32_t entry_limit, entry_high, live_samples;
    uint32_t node_limit, node_high;
    uint32_t frame_limit, frame_high;
    uint32_t string_limit, string_high;
    uint32_t reserved;
    double live_bytes, live_blocks; /* estimates over all entries */
    uint64_t start_wall_ns, start_monotonic_ns;
    uint64_t tick_monotonic_ns, sample_monotonic_ns;
    uint64_t fork_ms; /* since the start; 0 when this process was not forked */
    uint64_t rss_bytes, cgroup_usage_bytes, cgroup_limit_bytes; /* 0: not readable */
    uint64_t allocated_bytes, samples_taken; /* cumulative */
    uint64_t gc_collections[3];
    uint64_t dropped_samples, dictionary_overflows, rate_doublings;
    uint64_t tick_cost_ns, ticks;
    uint64_t own_cost_ns; /* CPU time of samples, frees of samples, looks, ticks and censuses; since the fork */
    uint64_t hook_losses; /* times that another allocator had taken the hook's place */
    uint64_t wanted_average, thinnings; /* what was asked for, and how often the budget took more than that */
    uint32_t budget_ppm, over_ppm; /* of the process's CPU time; 0: none. What the probe took when it was over it */
    uint32_t switched_off, reserved_2;
};

struct table_entry {
    uint64_t address; /* 0: free slot */
    uint64_t bytes;
    double weight; /* 1 / probability of having been sampled */
    uint32_t birth_ms, stack;
};

struct table_node { uint32_t parent, frame; };
struct table_frame { uint32_t file, function, line, first_line; };

/* Strings follow one another, each a u32 length and its UTF-8 bytes, padded to 4. Offset 0 is the empty string. */

enum {
    ENTRIES_AT = HEADER_BYTES,
    NODES_AT = ENTRIES_AT + ENTRY_LIMIT * (int)sizeof(struct table_entry),
    FRAMES_AT = NODES_AT + NODE_LIMIT * (int)sizeof(struct table_node),
    STRINGS_AT = FRAMES_AT + FRAME_LIMIT * (int)sizeof(struct table_frame),
    TABLE_BYTES = STRINGS_AT + STRING_LIMIT,
};

_Static_assert(sizeof(struct table_entry) == 32, "the reader unpacks 32 bytes");
_Static_assert(sizeof(struct table_header) == 288, "the reader unpacks 288 bytes");

#endif
