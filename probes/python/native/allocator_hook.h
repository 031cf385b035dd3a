/* Wraps Python's MEM and OBJ allocators and samples by bytes: the gap to the next sample is exponential, so a block of
 * s bytes is taken with probability 1 − e^(−s/R), whatever the pattern of allocation.
 */
#ifndef MEMWARDEN_ALLOCATOR_HOOK_H
#define MEMWARDEN_ALLOCATOR_HOOK_H

#include <stdint.h>

void hook_install(void);
void hook_set_average(uint64_t average_bytes); /* takes the lock itself */
uint64_t hook_allocated_bytes(void);           /* cumulative; under the lock */
void hook_switch_off(void);                    /* with the GIL, without the lock; for good */
void hook_reinstall_if_lost(void);             /* with the GIL, without the lock */

#endif
