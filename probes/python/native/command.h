/* Work that takes longer than an allocation may: one short native thread, there only while it works.
 *
 * A thread that stays would make os.fork() warn from 3.12 on and unshare(CLONE_NEWUSER) fail; so it is joined at the
 * next tick and before a fork, with a bound. At the interpreter's end CPython ends it, like every daemon thread.
 */
#ifndef MEMWARDEN_COMMAND_H
#define MEMWARDEN_COMMAND_H

#include <stddef.h>
#include <stdint.h>

void command_enable_census(const uint8_t *interpreter_gc);
int command_has_census(void);
int command_is_safe(void); /* 0 while another tool (tracemalloc) has replaced the raw allocator */
#define COMMAND_UNSAFE "{\"code\":-32001,\"message\":\"no census while tracemalloc is on\"}"
int command_start(const char *id, size_t id_bytes, uint32_t top); /* 0: not now, ask again at a later tick */
int command_is_running(void);
void command_reap(void);                    /* joins a thread that has finished; never waits for work */
void command_hold(uint32_t milliseconds);   /* starts nothing for so long */
void command_finish_before_fork(void);      /* with the GIL, which it gives back while it waits */
void command_forked(void);                  /* in the child: the thread is not here */

#endif
