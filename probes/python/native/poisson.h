/* The arithmetic of sampling by bytes, with an ln and exp of our own: libm may not be loaded in the program. */
#ifndef MEMWARDEN_POISSON_H
#define MEMWARDEN_POISSON_H

#include <stdint.h>

void poisson_seed(uint64_t seed);
double poisson_uniform(void);                                /* in (0, 1] */
int64_t poisson_gap(double average_bytes);                   /* bytes until the next sample, ≥ 0 */
double poisson_probability(double bytes, double average_bytes); /* that a block of this size was sampled */

#endif
