/* What belongs to this process and no other: the lock, the clocks, and noticing that we are a forked child. */
#ifndef MEMWARDEN_PROCESS_H
#define MEMWARDEN_PROCESS_H

#include <stdint.h>

/* In a page that the kernel wipes in a child of any kind of fork, pthread_atfork called or not. */
struct fork_page { uint32_t alive, lock, ticking; };
extern struct fork_page *process;

int process_start(void);
void process_lock(void);
void process_unlock(void);
void process_check_forked(void); /* under the lock */

uint64_t clock_coarse_ns(void); /* CLOCK_MONOTONIC_COARSE: a few ns to read, a few ms exact */
uint64_t clock_exact_ns(void);
uint64_t clock_wall_ns(void);

#endif
