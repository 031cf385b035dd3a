/* Reading memory that might not be there.
 *
 * While the self-test or a resumed census runs, each read goes through write(2) on a pipe: the kernel answers EFAULT
 * for a bad address instead of killing the process. On the hot path the same functions are plain loads.
 */
#ifndef MEMWARDEN_PEEK_H
#define MEMWARDEN_PEEK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct peek_pipe { int read_end, write_end; };

int peek_open(struct peek_pipe *pipe);
void peek_close(struct peek_pipe *pipe);
int peek_copy(const struct peek_pipe *pipe, const void *address, void *out, size_t bytes); /* 1 = copied */

/* Set only before the hook is installed, so no other thread ever sees it change. */
extern const struct peek_pipe *peek_guard;

static inline int peek(const void *address, void *out, size_t bytes) {
    if (__builtin_expect(peek_guard != NULL, 0)) return peek_copy(peek_guard, address, out, bytes);
    memcpy(out, address, bytes);
    return 1;
}

static inline const uint8_t *peek_pointer(const void *base, size_t offset) {
    const uint8_t *value = NULL;
    return peek((const uint8_t *)base + offset, &value, sizeof value) ? value : NULL;
}

#endif
