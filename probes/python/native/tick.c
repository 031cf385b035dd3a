#define _GNU_SOURCE
#include "tick.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "allocator_hook.h"
#include "budget.h"
#include "census.h"
#include "command.h"
#include "ending.h"
#include "link.h"
#include "process.h"
#include "sample_table.h"

static const uint64_t TICK_NS = 250000000;

uint64_t tick_next_ns;
static const uint8_t *gc_state;

static size_t read_file(const char *path, char *text, size_t limit) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return text[0] = 0, 0;
    ssize_t got = read(fd, text, limit - 1);
    close(fd);
    text[got > 0 ? got : 0] = 0;
    return got > 0 ? (size_t)got : 0;
}

static uint64_t read_number(const char *path) {
    char text[64];
    return read_file(path, text, sizeof text) ? strtoull(text, NULL, 10) : 0; /* "max" reads as 0: no limit */
}

/* Version 2 first; in a container its own cgroup is the root that it sees. */
static uint64_t read_cgroup(const char *v2, const char *v1) {
    uint64_t value = read_number(v2);
    return value ? value : read_number(v1);
}

static uint64_t resident_bytes(void) {
    char text[128], *second = NULL;
    if (!read_file("/proc/self/statm", text, sizeof text)) return 0;
    strtoull(text, &second, 10);
    return strtoull(second, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Only the private header is written here; the end of the tick publishes it as a whole. */
static void refresh_counters(void) {
    struct table_header *header = header_of(truth);
    header->rss_bytes = resident_bytes();
    header->cgroup_usage_bytes =
        read_cgroup("/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory/memory.usage_in_bytes");
    uint64_t limit = read_cgroup("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes");
    header->cgroup_limit_bytes = limit < (uint64_t)1 << 60 ? limit : 0; /* version 1 says "none" with a huge number */
    if (gc_state != NULL) census_collections(gc_state, header->gc_collections);
    hook_reinstall_if_lost();
}

void tick_start(const uint8_t *interpreter_gc) {
    gc_state = interpreter_gc;
    tick_next_ns = clock_coarse_ns();
}

void tick(uint64_t now) {
    if (ending_has_begun()) return;
    if (__atomic_exchange_n(&process->ticking, 1, __ATOMIC_ACQUIRE) != 0) return;
    uint64_t started = budget_thread_ns();
    tick_next_ns = now + TICK_NS;
    refresh_counters();
    command_reap();
    link_poll(now);
    uint64_t took = budget_thread_ns() - started;
    struct table_header *header = header_of(truth);
    if (!budget_keep(took)) hook_switch_off();
    process_lock();
    header->tick_monotonic_ns = now;
    header->allocated_bytes = hook_allocated_bytes();
    header->ticks++;
    header->tick_cost_ns += took;
    table_write_header();
    process_unlock();
    __atomic_store_n(&process->ticking, 0, __ATOMIC_RELEASE);
}
