#define _GNU_SOURCE
#include "process.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "allocator_hook.h"
#include "budget.h"
#include "command.h"
#include "ending.h"
#include "hash_index.h"
#include "link.h"
#include "poisson.h"
#include "sample_table.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

struct fork_page *process;

static uint64_t read_clock(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t clock_coarse_ns(void) { return read_clock(CLOCK_MONOTONIC_COARSE); }
uint64_t clock_exact_ns(void) { return read_clock(CLOCK_MONOTONIC); }
uint64_t clock_wall_ns(void) { return read_clock(CLOCK_REALTIME); }

/* A spin lock: held for well under a microsecond, and only sub-interpreters with a GIL of their own contend. A mutex
 * would not survive the wiping of its page in a defined state. */
void process_lock(void) {
    for (int spins = 0; __atomic_exchange_n(&process->lock, 1, __ATOMIC_ACQUIRE) != 0; spins++)
        if (spins > 100) sched_yield();
}

void process_unlock(void) { __atomic_store_n(&process->lock, 0, __ATOMIC_RELEASE); }

/* The child keeps the table (the inherited blocks are its own now) and starts everything else anew, lazily: a child
 * that lives less than a second never opens a connection. */
void process_check_forked(void) {
    if (process->alive) return;
    process->alive = 1;
    struct table_header *header = header_of(truth);
    uint64_t now = clock_coarse_ns();
    table_forget_mirror();
    header->pid = (uint32_t)getpid();
    header->parent_pid = (uint32_t)getppid();
    /* Above every birth that came with the fork: the clock's, and those that a fork a moment ago set ahead of it. Never
     * 0, which means "not forked". */
    uint64_t now_ms = (now - header->start_monotonic_ns) / 1000000;
    header->fork_ms = (now_ms > header->fork_ms ? now_ms : header->fork_ms) + 1;
    header->ticks = header->tick_cost_ns = header->own_cost_ns = 0;
    budget_forked();
    poisson_seed((uint64_t)getpid() ^ now);
    command_forked();
    ending_forked();
    link_forked(now, hook_allocated_bytes());
}

static void before_fork(void) { process_lock(); }

static void after_fork_parent(void) {
    process_unlock();
    command_hold(2); /* 3.13 counts the threads after all hooks have run, and would warn about ours */
}

static void after_fork_child(void) {
    process->alive = process->lock = process->ticking = 0; /* kernels before 4.14 don't wipe the page */
    process_check_forked();
}

int process_start(void) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    process = map_private(page);
    if (process == NULL) return 0;
    madvise(process, page, MADV_WIPEONFORK);
    process->alive = 1;
    poisson_seed((uint64_t)getpid() ^ clock_wall_ns());
    return pthread_atfork(before_fork, after_fork_parent, after_fork_child) == 0;
}
