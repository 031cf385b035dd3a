/* The probe's own CPU time, measured, and kept to a share of the process's.
 *
 * What can be steered is measured: samples, frees of sampled blocks, looks at the clock, ticks, censuses. What every
 * block pays (the countdown, the filter) is not: a dozen instructions, gone only with the hook itself.
 */
#ifndef MEMWARDEN_BUDGET_H
#define MEMWARDEN_BUDGET_H

#include <stdint.h>

/* One kind of work: counted each time, timed now and then. All under the probe's lock. */
struct meter { uint64_t count, timed, ns; };
extern struct meter meter_samples, meter_frees, meter_looks;

void budget_start(uint32_t parts_per_million, uint64_t wanted_average); /* 0: no budget */
void budget_forked(void);

/* Start of a work to be timed, or 0 where this one is not. */
uint64_t meter_begin(struct meter *meter);
void meter_end(struct meter *meter, uint64_t begun);

/* The sidecar's wish. It is not obeyed below what the budget allows. */
void budget_want_average(uint64_t average_bytes);

uint64_t budget_thread_ns(void);
void budget_spent_on_census(uint64_t ns); /* from any thread */
int budget_allows_census(void);

/* At each tick, with its cost so far, without the lock. 0: over budget for good, the hook has to go. */
int budget_keep(uint64_t tick_ns);

#endif
