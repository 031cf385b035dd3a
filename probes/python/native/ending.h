/* The end of the interpreter, noticed rather than asked for: atexit's list is the program's own.
 *
 * The first sampled block that is freed during finalisation says that the heap is being taken apart: goodbye goes out
 * then, and the published table stays as it was. Where no such block comes, goodbye goes out as the process exits.
 */
#ifndef MEMWARDEN_ENDING_H
#define MEMWARDEN_ENDING_H

int ending_has_begun(void); /* the interpreter is finalising: start nothing any more */
void ending_look(void);     /* without the lock, where a sampled block is about to be freed */
void ending_forked(void);

#endif
