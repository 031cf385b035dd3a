/* (code object, instruction) → frame number, so that a hot site is decoded once.
 *
 * A code object's address is reused after its death: exec'd functions gave 50–76 % wrong lines in a prototype. So the
 * addresses of cached code objects sit in the free filter, and their release makes all that was cached unreachable.
 * Every function here is called under the probe's lock.
 */
#ifndef MEMWARDEN_FRAME_CACHE_H
#define MEMWARDEN_FRAME_CACHE_H

#include <stdint.h>

#include "frame_walk.h"

uint32_t frame_cache_number(const struct walked_frame *frame);
void frame_cache_forget(uintptr_t freed);
void frame_cache_clear(void);

#endif
