#define _GNU_SOURCE
#include "sample_table.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "address_filter.h"
#include "hash_index.h"
#include "poisson.h"

#ifndef MFD_CLOEXEC
#define MFD_CLOEXEC 1u
#define MFD_ALLOW_SEALING 2u
#endif
#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#define F_SEAL_SEAL 1
#define F_SEAL_SHRINK 2
#define F_SEAL_GROW 4
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 16
#endif

struct table truth, mirror;
uint8_t filter_pages[PAGE_SLOTS], filter_granules[GRANULE_SLOTS];

static struct hash_index by_address;
static uint32_t first_free; /* position + 1; freed slots are linked through their `bytes` */

int table_start(uint64_t average_bytes, uint64_t wall_ns, uint64_t monotonic_ns) {
    truth.base = map_private(TABLE_BYTES);
    if (truth.base == NULL) return 0;
    struct table_header *header = header_of(truth);
    memcpy(header->magic, TABLE_MAGIC, sizeof header->magic);
    header->layout_version = 2;
    header->header_bytes = sizeof *header;
    header->pid = (uint32_t)getpid();
    header->parent_pid = (uint32_t)getppid();
    header->average_bytes = average_bytes;
    header->entry_limit = ENTRY_LIMIT;
    header->node_limit = NODE_LIMIT;
    header->frame_limit = FRAME_LIMIT;
    header->string_limit = STRING_LIMIT;
    header->node_high = header->frame_high = 1; /* number 0 means "unknown" in each */
    header->string_high = 4;
    header->start_wall_ns = wall_ns;
    header->start_monotonic_ns = monotonic_ns;
    return 1;
}

/* A reader that sees an odd sequence, or another one after its copy than before, copies again. */
static void begin_write(void) {
    if (mirror.base == NULL) return;
    uint32_t *sequence = &header_of(mirror)->sequence;
    __atomic_store_n(sequence, *sequence + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

static void end_write(void) {
    if (mirror.base == NULL) return;
    struct table_header *copy = header_of(mirror);
    uint32_t sequence = copy->sequence;
    header_of(truth)->sequence = sequence;
    memcpy(copy, header_of(truth), sizeof *copy);
    __atomic_store_n(&copy->sequence, sequence + 1, __ATOMIC_RELEASE);
}

void table_write_header(void) {
    begin_write();
    end_write();
}

static int same_address(uint32_t number, const void *key) {
    return entries_of(truth)[number - 1].address == *(const uintptr_t *)key;
}

static void set_entry(uint32_t position, const struct table_entry *entry) {
    begin_write();
    entries_of(truth)[position] = *entry;
    if (mirror.base != NULL) {
        struct table_entry *copy = &entries_of(mirror)[position];
        copy->address = 0; /* never a new address beside old numbers, should the reader's patience end */
        __atomic_thread_fence(__ATOMIC_RELEASE);
        copy->bytes = entry->bytes;
        copy->weight = entry->weight;
        copy->birth_ms = entry->birth_ms;
        copy->stack = entry->stack;
        __atomic_store_n(&copy->address, entry->address, __ATOMIC_RELEASE);
    }
    end_write();
}

static void account(const struct table_entry *entry, int sign) {
    struct table_header *header = header_of(truth);
    header->live_samples += (uint32_t)sign;
    header->live_bytes += sign * (double)entry->bytes * entry->weight;
    header->live_blocks += sign * entry->weight;
    if (header->live_samples == 0) header->live_bytes = header->live_blocks = 0; /* no rounding dust */
}

static void remove_at(uint32_t position) {
    struct table_entry *entry = &entries_of(truth)[position];
    index_remove(&by_address, hash_mix(entry->address), position + 1);
    filter_change((uintptr_t)entry->address, -1);
    account(entry, -1);
    struct table_entry empty = {.bytes = first_free};
    first_free = position + 1;
    set_entry(position, &empty);
}

/* Each sample stays with the probability that the new rate would have given it. */
void table_thin(uint64_t average_bytes) {
    struct table_header *header = header_of(truth);
    header->average_bytes = average_bytes;
    for (uint32_t position = 0; position < header->entry_high; position++) {
        struct table_entry entry = entries_of(truth)[position];
        if (entry.address == 0) continue;
        double kept = poisson_probability((double)entry.bytes, (double)header->average_bytes) * entry.weight;
        if (kept >= 1) continue; /* it was taken at a lower rate already */
        remove_at(position);
        if (poisson_uniform() >= kept) continue;
        entry.weight /= kept;
        table_put_back(&entry);
    }
}

void table_put_back(const struct table_entry *entry) {
    struct table_header *header = header_of(truth);
    uint32_t position;
    if (first_free != 0) {
        position = first_free - 1;
        first_free = (uint32_t)entries_of(truth)[position].bytes;
    } else if (header->entry_high < ENTRY_LIMIT) {
        position = header->entry_high++;
    } else {
        header->dropped_samples++;
        return;
    }
    if (!index_add(&by_address, hash_mix(entry->address), position + 1)) {
        entries_of(truth)[position].address = 0;
        entries_of(truth)[position].bytes = first_free;
        first_free = position + 1;
        header->dropped_samples++;
        return;
    }
    filter_change((uintptr_t)entry->address, +1);
    account(entry, +1);
    set_entry(position, entry);
}

void table_add(uintptr_t address, uint64_t bytes, uint32_t stack, uint64_t now_ns) {
    struct table_header *header = header_of(truth);
    struct table_entry stale;
    /* A block freed behind our back (another allocator was in our place for a while) must not stay beside its heir. */
    table_take(address, &stale);
    double probability = poisson_probability((double)bytes, (double)header->average_bytes);
    header->samples_taken++;
    header->sample_monotonic_ns = now_ns;
    uint64_t birth_ms = (now_ns - header->start_monotonic_ns) / 1000000;
    if (birth_ms < header->fork_ms) birth_ms = header->fork_ms; /* the clock is too coarse to tell parent from child */
    struct table_entry entry = {.address = address, .bytes = bytes, .weight = 1 / probability,
                                .birth_ms = (uint32_t)birth_ms, .stack = stack};
    table_put_back(&entry);
    if (header->live_samples == ENTRY_LIMIT) {
        header->rate_doublings++;
        table_thin(header->average_bytes * 2);
    }
}

int table_take(uintptr_t address, struct table_entry *taken) {
    uint32_t number = index_find(&by_address, hash_mix(address), same_address, &address);
    if (number == 0) return 0;
    *taken = entries_of(truth)[number - 1];
    remove_at(number - 1);
    return 1;
}

void table_clear(void) {
    for (uint32_t position = 0; position < header_of(truth)->entry_high; position++)
        if (entries_of(truth)[position].address != 0) remove_at(position);
}

/* Copies what is in use only: untouched pages of a memfd cost nothing. */
static void copy_used(uint8_t *to) {
    const struct table_header *header = header_of(truth);
    struct { size_t at, bytes; } used[] = {
        {ENTRIES_AT, header->entry_high * sizeof(struct table_entry)},
        {NODES_AT, header->node_high * sizeof(struct table_node)},
        {FRAMES_AT, header->frame_high * sizeof(struct table_frame)},
        {STRINGS_AT, header->string_high},
        {0, sizeof *header},
    };
    for (size_t i = 0; i < sizeof used / sizeof *used; i++)
        memcpy(to + used[i].at, truth.base + used[i].at, used[i].bytes);
}

int table_publish(void) {
    table_unpublish();
    int fd = (int)syscall(SYS_memfd_create, "memwarden", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return -1;
    if (ftruncate(fd, TABLE_BYTES) != 0) goto failed;
    void *memory = mmap(NULL, TABLE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) goto failed;
    /* A child must not write into its parent's table, and a core dump has the private one already. */
    if (madvise(memory, TABLE_BYTES, MADV_DONTFORK) != 0) goto unmap;
    madvise(memory, TABLE_BYTES, MADV_DONTDUMP);
    /* FUTURE_WRITE needs Linux 5.1; without it the reader could write, which would hurt only its own numbers. */
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) != 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        goto unmap;
    header_of(truth)->generation++;
    header_of(truth)->sequence = 0;
    copy_used(memory);
    mirror.base = memory;
    return fd;
unmap:
    munmap(memory, TABLE_BYTES);
failed:
    close(fd);
    return -1;
}

void table_unpublish(void) {
    if (mirror.base != NULL) munmap(mirror.base, TABLE_BYTES);
    mirror.base = NULL;
}

void table_forget_mirror(void) { mirror.base = NULL; }
