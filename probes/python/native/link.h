/* The connection to the sidecar: one Unix stream socket, never waited for, JSON-RPC 2.0 by the line. */
#ifndef MEMWARDEN_LINK_H
#define MEMWARDEN_LINK_H

#include <stddef.h>
#include <stdint.h>

/* `identity` is the constant part of hello's parameters as JSON members, without braces. Both are copied. */
int link_start(const char *path, const char *identity);
void link_poll(uint64_t now_ns);  /* with `ticking` held: connects, notices the end, answers what is waiting */
void link_forked(uint64_t now_ns, uint64_t allocated);

/* A child connects when it is a second old, or has allocated this much: a short one costs no connection, and one that
 * works for a moment and then waits for ever is known all the same. */
extern uint64_t link_due_bytes;
int link_send(const char *bytes, size_t count, int wait_ms); /* 1 = all of it went out */
void link_goodbye(void);

#endif
