#define _GNU_SOURCE
#include "budget.h"

#include <time.h>

#include "allocator_hook.h"
#include "process.h"
#include "sample_table.h"

enum {
    TIMED_EVERY = 16,        /* two readings of the clock cost as much as a look does */
    INTERRUPTED_NS = 100000, /* the most that counts: beyond it another thread had the core, or all is this slow */
    CALIBRATIONS = 8,
    STRIKES = 3,             /* windows over budget with nothing left to thin, then the hook goes */
    HOPELESS = 5,            /* times the budget: what no thinning makes cheaper, ticks and looks, may go so far */
    CALM_WINDOWS = 20,       /* windows far below it, then sampling gets denser again by half */
    FILTER_COMFORT = 8192    /* more live samples than this make many a free look like one of ours */
};
static const uint64_t MILLION = 1000000, WINDOW_CPU_NS = 250000000, WINDOW_WALL_NS = 10000000000;
static const uint64_t LONGEST_AVERAGE = 64 << 20;
/* A process that does next to nothing still ticks: beside its share it may take this part of it of a core. */
static const uint64_t IDLE_PART = 20;

struct meter meter_samples, meter_frees, meter_looks;

static uint32_t share;         /* of the process's CPU, in millionths */
static uint64_t wanted;        /* average that was asked for */
static uint64_t clock_cost_ns; /* of one timing */
static uint32_t strikes, calm;
static uint64_t ticks_ns;      /* since the start, or the fork */
static uint64_t censuses_ns;   /* written by the census's thread */

/* What had been used when the window began. */
static struct { uint64_t wall_ns, cpu_ns, own_ns, sampling_ns; } window, at_census;

static uint64_t read_clock(clockid_t clock) {
    struct timespec now;
    return clock_gettime(clock, &now) == 0 ? (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec : 0;
}

uint64_t budget_thread_ns(void) { return read_clock(CLOCK_THREAD_CPUTIME_ID); }
static uint64_t process_cpu_ns(void) { return read_clock(CLOCK_PROCESS_CPUTIME_ID); }

/* Wall time, since it is read without a system call: after one, on a busy machine, the 100 ns of a look measure 2 µs. */
uint64_t meter_begin(struct meter *meter) {
    return meter->count++ % TIMED_EVERY == 0 ? clock_exact_ns() : 0;
}

void meter_end(struct meter *meter, uint64_t begun) {
    if (begun == 0) return;
    uint64_t took = clock_exact_ns() - begun;
    if (took > INTERRUPTED_NS) took = INTERRUPTED_NS; /* left out, a machine where all take longer would cost nothing */
    meter->ns += took > clock_cost_ns ? took - clock_cost_ns : 0;
    meter->timed++;
}

static uint64_t total_of(const struct meter *meter) {
    return meter->timed ? (uint64_t)((double)meter->ns / (double)meter->timed * (double)meter->count) : 0;
}

/* What fewer samples make cheaper. */
static uint64_t sampling_ns(void) { return total_of(&meter_samples) + total_of(&meter_frees); }

/* Without censuses: they have a rule of their own. */
static uint64_t steady_ns(void) { return sampling_ns() + total_of(&meter_looks) + ticks_ns; }

static void begin_window(void) {
    window.wall_ns = clock_coarse_ns();
    window.cpu_ns = process_cpu_ns();
    window.own_ns = steady_ns();
    window.sampling_ns = sampling_ns();
}

static uint64_t allowed(uint64_t cpu_ns, uint64_t wall_ns) {
    return (cpu_ns + wall_ns / IDLE_PART) * share / MILLION;
}

static void calibrate(void) {
    clock_cost_ns = UINT64_MAX;
    for (int i = 0; i < CALIBRATIONS; i++) {
        uint64_t begun = clock_exact_ns(), took = clock_exact_ns() - begun;
        if (took < clock_cost_ns) clock_cost_ns = took;
    }
}

void budget_start(uint32_t parts_per_million, uint64_t wanted_average) {
    share = parts_per_million;
    wanted = wanted_average;
    header_of(truth)->budget_ppm = share;
    header_of(truth)->wanted_average = wanted;
    calibrate();
    begin_window();
}

/* Under the lock. The child's CPU time begins anew; what its parent was thinned to stays. */
void budget_forked(void) {
    meter_samples = meter_frees = meter_looks = (struct meter){0};
    ticks_ns = censuses_ns = 0;
    at_census.own_ns = 0;
    strikes = calm = 0;
    begin_window();
}

void budget_want_average(uint64_t average_bytes) {
    process_lock();
    struct table_header *header = header_of(truth);
    int thinned = header->average_bytes > wanted && header->thinnings > 0;
    wanted = header->wanted_average = average_bytes;
    int obey = !thinned || average_bytes >= header->average_bytes;
    process_unlock();
    if (obey) hook_set_average(average_bytes);
}

/* ---- Censuses: dear ones have to be earned first -------------------------------------------------------------- */

void budget_spent_on_census(uint64_t ns) { __atomic_fetch_add(&censuses_ns, ns, __ATOMIC_RELAXED); }

int budget_allows_census(void) {
    uint64_t spent = __atomic_load_n(&censuses_ns, __ATOMIC_RELAXED), last = spent - at_census.own_ns;
    uint64_t cpu = process_cpu_ns(), wall = clock_coarse_ns();
    if (share != 0 && at_census.wall_ns != 0 && last > allowed(cpu - at_census.cpu_ns, wall - at_census.wall_ns))
        return 0;
    at_census.wall_ns = wall;
    at_census.cpu_ns = cpu;
    at_census.own_ns = spent;
    return 1;
}

/* ---- Sampling ------------------------------------------------------------------------------------------------- */

static uint64_t thinner(uint64_t average, double over) {
    for (double gained = 1; gained < over * 1.25 && average < LONGEST_AVERAGE; gained *= 2) average *= 2;
    return average < LONGEST_AVERAGE ? average : LONGEST_AVERAGE;
}

/* Returns 0 when nothing is left to try. */
static int thin(double over) {
    struct table_header *header = header_of(truth);
    header->over_ppm = (uint32_t)(over * share);
    if (header->average_bytes >= LONGEST_AVERAGE) return ++strikes < STRIKES;
    header->thinnings++;
    uint64_t average = thinner(header->average_bytes, over);
    if (header->live_samples > FILTER_COMFORT) {
        process_lock();
        table_thin(average);
        process_unlock();
    }
    hook_set_average(average);
    return 1;
}

/* After long calm half-way back, never below what a full table has asked for. */
static void relax(double used) {
    struct table_header *header = header_of(truth);
    calm = used < 0.25 ? calm + 1 : 0;
    if (calm < CALM_WINDOWS || header->average_bytes <= wanted || header->rate_doublings != 0) return;
    calm = 0;
    uint64_t half = header->average_bytes / 2;
    hook_set_average(half > wanted ? half : wanted);
}

static int settle_window(uint64_t own, uint64_t sampling, uint64_t budget) {
    double used = (double)own / (double)budget, by_sampling = (double)sampling / (double)budget;
    if (by_sampling > 1) {
        calm = 0;
        return thin(by_sampling);
    }
    if (used > HOPELESS) {
        header_of(truth)->over_ppm = (uint32_t)(used * share);
        return ++strikes < STRIKES;
    }
    strikes = 0;
    relax(used);
    return 1;
}

/* The totals are estimates, and may come out a little lower than before. */
static uint64_t since(uint64_t begun, uint64_t now) { return now > begun ? now - begun : 0; }

int budget_keep(uint64_t tick_ns) {
    struct table_header *header = header_of(truth);
    ticks_ns += tick_ns;
    uint64_t own = steady_ns(), cpu = process_cpu_ns() - window.cpu_ns, wall = clock_coarse_ns() - window.wall_ns;
    header->own_cost_ns = own + __atomic_load_n(&censuses_ns, __ATOMIC_RELAXED);
    if (share == 0 || (cpu < WINDOW_CPU_NS && wall < WINDOW_WALL_NS)) return 1;
    int kept = settle_window(since(window.own_ns, own), since(window.sampling_ns, sampling_ns()), allowed(cpu, wall));
    begin_window();
    return kept;
}
