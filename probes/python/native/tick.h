/* The probe's pulse: four times a second at most, on whatever thread happens to allocate. */
#ifndef MEMWARDEN_TICK_H
#define MEMWARDEN_TICK_H

#include <stdint.h>

extern uint64_t tick_next_ns;
static inline int tick_is_due(uint64_t now_ns) { return now_ns >= tick_next_ns; }

void tick_start(const uint8_t *interpreter_gc); /* NULL: collections are not counted */
void tick(uint64_t now_ns);

#endif
