/* How many objects of which type live: a walk over the garbage collector's rings that writes nothing.
 *
 * Not a reference count changes, so a forked worker's pages stay shared. Only tracked objects are in the rings: no str,
 * int or bytes, no tuple or dict of such alone. Bytes are shallow, as sys.getsizeof counts them.
 */
#ifndef MEMWARDEN_CENSUS_H
#define MEMWARDEN_CENSUS_H

#include <stddef.h>
#include <stdint.h>

/* The interpreter's collector state if its rings are where the layout says, else NULL. Reads are crash-proof. */
const uint8_t *census_find_collector(const uint8_t *interpreter, const int thresholds[3]);
void census_collections(const uint8_t *collector, uint64_t collections[3]);

/* With the GIL, which is given back every few ms. Writes a JSON-RPC response line and returns its length. */
size_t census_reply(const uint8_t *collector, uint32_t top, const int *stop, const char *id, char *out, size_t limit);

#endif
