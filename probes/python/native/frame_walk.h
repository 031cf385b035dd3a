/* The Python stack of the running thread, read over borrowed references without one call into the interpreter. */
#ifndef MEMWARDEN_FRAME_WALK_H
#define MEMWARDEN_FRAME_WALK_H

#include <stdint.h>

#include "python_layout.h"

enum { WALK_DEPTH = 64, NAME_BYTES = 1024 };

struct walked_frame {
    const uint8_t *code; /* a code object, borrowed: alive as long as its frame runs */
    int32_t instruction; /* in bytes from the first; negative: the frame has not begun */
};

struct frame_place {
    uint32_t line, first_line;
    uint32_t file_bytes, function_bytes;
    uint8_t file[NAME_BYTES], function[NAME_BYTES]; /* UTF-8, cut at a character */
};

extern const struct python_layout *walk_layout;

int walk_stack(struct walked_frame *frames, int limit); /* leaf first; the number of frames */
int walk_locate(const struct walked_frame *frame, struct frame_place *place); /* 0: unreadable */

/* A str object as UTF-8, up to NAME_BYTES. */
int walk_text(const uint8_t *string, uint8_t *out, uint32_t *out_bytes);

#endif
