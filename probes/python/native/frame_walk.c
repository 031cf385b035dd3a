#include "frame_walk.h"

#include <stddef.h>
#include <string.h>

#include "peek.h"

/* Frames of C code and trampolines are passed by, at most one of each under a Python frame. Read at wrong offsets, the
 * chain can also be a ring. */
enum { STEP_LIMIT = 4 * WALK_DEPTH };

const struct python_layout *walk_layout;

static int32_t instruction_of(const uint8_t *frame, const uint8_t *code) {
    const struct python_layout *at = walk_layout;
    if (at->instruction == INSTRUCTION_POINTER) {
        const uint8_t *pointer = peek_pointer(frame, at->frame_instruction);
        return (int32_t)(pointer - (code + at->code_instructions));
    }
    int32_t last = -1;
    peek(frame + at->frame_instruction, &last, sizeof last);
    return at->instruction == LASTI_WORDS ? last * 2 : last;
}

/* Frames that C code owns (3.12 and later) stand between Python frames and have no code to speak of. */
static int is_interpreter_frame(const uint8_t *frame) {
    uint8_t owner = 0;
    if (walk_layout->frame_owner < 0) return 0;
    peek(frame + walk_layout->frame_owner, &owner, 1);
    return owner >= 3;
}

/* What 3.12 and later put under a call of a class (_Py_InitCleanup): code that no source line belongs to. */
static int is_trampoline(const uint8_t *code) {
    int32_t first_line = 0;
    peek(code + walk_layout->code_first_line, &first_line, sizeof first_line);
    return first_line <= 0;
}

int walk_stack(struct walked_frame *frames, int limit) {
    const struct python_layout *at = walk_layout;
    const uint8_t *frame = (const uint8_t *)python.thread_state();
    if (frame == NULL) return 0;
    frame = peek_pointer(frame, at->tstate_frame);
    if (frame != NULL && at->cframe_frame >= 0) frame = peek_pointer(frame, (size_t)at->cframe_frame);
    int count = 0, steps = 0;
    for (; frame != NULL && count < limit && steps < STEP_LIMIT; frame = peek_pointer(frame, at->frame_previous)) {
        steps++;
        if (is_interpreter_frame(frame)) continue;
        const uint8_t *code = peek_pointer(frame, at->frame_code);
        code = (const uint8_t *)((uintptr_t)code & ~(uintptr_t)at->frame_tag_mask);
        if (code == NULL || peek_pointer(code, OBJECT_TYPE) != python.code_type) continue;
        if (is_trampoline(code)) continue;
        frames[count].code = code;
        frames[count].instruction = instruction_of(frame, code);
        count++;
    }
    return count;
}

/* ---- Lines ------------------------------------------------------------------------------------------------- */

/* Reads ahead: during the self-test each peek is two system calls. */
struct bytes_cursor {
    const uint8_t *next, *end; /* what is not in `ahead` yet */
    uint8_t ahead[128];
    uint32_t position, filled;
};

static int more(struct bytes_cursor *cursor) {
    if (cursor->position < cursor->filled) return 1;
    size_t rest = (size_t)(cursor->end - cursor->next);
    uint32_t step = rest < sizeof cursor->ahead ? (uint32_t)rest : (uint32_t)sizeof cursor->ahead;
    if (step == 0 || !peek(cursor->next, cursor->ahead, step)) return 0;
    cursor->next += step;
    cursor->position = 0;
    cursor->filled = step;
    return 1;
}

static int next_byte(struct bytes_cursor *cursor, uint8_t *byte) {
    if (!more(cursor)) return 0;
    *byte = cursor->ahead[cursor->position++];
    return 1;
}

/* Objects/lnotab_notes.txt, up to 3.9: pairs of address and line steps. */
static int line_from_lnotab(struct bytes_cursor *table, int32_t instruction, int line) {
    uint8_t step, delta;
    int address = 0;
    while (next_byte(table, &step) && next_byte(table, &delta)) {
        address += step;
        if (address > instruction) break;
        line += (int8_t)delta;
    }
    return line;
}

/* PEP 626, 3.10: pairs of range length and line step; −128 marks a range without a line. */
static int line_from_ranges(struct bytes_cursor *table, int32_t instruction, int line) {
    uint8_t length, delta;
    int end = 0;
    while (next_byte(table, &length) && next_byte(table, &delta)) {
        int has_line = (int8_t)delta != -128;
        if (has_line) line += (int8_t)delta;
        end += length;
        if (end > instruction) return has_line ? line : 0;
    }
    return line;
}

static int signed_varint(struct bytes_cursor *table) {
    uint8_t byte = 0;
    uint32_t value = 0;
    for (int shift = 0; next_byte(table, &byte) && shift < 30; shift += 6) {
        value |= (uint32_t)(byte & 63) << shift;
        if (!(byte & 64)) break;
    }
    return value & 1 ? -(int)(value >> 1) : (int)(value >> 1);
}

/* Objects/locations.md, 3.11 and later: one entry per range; only its first byte has bit 7 set. */
static int line_from_locations(struct bytes_cursor *table, int32_t instruction, int line) {
    uint8_t first;
    int end = 0;
    while (next_byte(table, &first)) {
        int kind = (first >> 3) & 15;
        if (kind >= 10 && kind <= 12) line += kind - 10;
        else if (kind == 13 || kind == 14) line += signed_varint(table);
        end += ((first & 7) + 1) * 2;
        if (end > instruction) return kind == 15 ? 0 : line;
        while (more(table) && !(table->ahead[table->position] & 0x80)) table->position++;
    }
    return line;
}

static uint32_t line_of(const uint8_t *code, int32_t instruction, int first_line) {
    const uint8_t *table = peek_pointer(code, walk_layout->code_line_table);
    Py_ssize_t length = 0;
    if (table == NULL || instruction < 0 || !peek(table + OBJECT_SIZE, &length, sizeof length))
        return (uint32_t)first_line;
    if (length < 0 || length > (1 << 26)) return (uint32_t)first_line;
    struct bytes_cursor cursor = {.next = table + BYTES_DATA, .end = table + BYTES_DATA + length};
    int line = walk_layout->line_table == LINES_LNOTAB ? line_from_lnotab(&cursor, instruction, first_line)
             : walk_layout->line_table == LINES_310    ? line_from_ranges(&cursor, instruction, first_line)
                                                       : line_from_locations(&cursor, instruction, first_line);
    return line > 0 ? (uint32_t)line : (uint32_t)first_line;
}

/* ---- Names ------------------------------------------------------------------------------------------------- */

static uint32_t put_utf8(uint8_t *out, uint32_t c) {
    if (c >= 0xd800 && c < 0xe000) c = '?'; /* lone surrogates have no UTF-8 */
    if (c < 0x80) return out[0] = (uint8_t)c, 1;
    if (c < 0x800) return out[0] = (uint8_t)(0xc0 | c >> 6), out[1] = (uint8_t)(0x80 | (c & 63)), 2;
    if (c < 0x10000) {
        out[0] = (uint8_t)(0xe0 | c >> 12);
        out[1] = (uint8_t)(0x80 | (c >> 6 & 63));
        out[2] = (uint8_t)(0x80 | (c & 63));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | (c >> 18 & 7));
    out[1] = (uint8_t)(0x80 | (c >> 12 & 63));
    out[2] = (uint8_t)(0x80 | (c >> 6 & 63));
    out[3] = (uint8_t)(0x80 | (c & 63));
    return 4;
}

int walk_text(const uint8_t *string, uint8_t *out, uint32_t *out_bytes) {
    Py_ssize_t length;
    uint32_t state;
    *out_bytes = 0;
    if (string == NULL || !peek(string + STR_LENGTH, &length, sizeof length) || !peek(string + STR_STATE, &state, 4))
        return 0;
    uint32_t width = state >> 2 & 7, is_compact = state >> 5 & 1, is_ascii = state >> 6 & 1;
    if (!is_compact || length < 0 || (width != 1 && width != 2 && width != 4)) return 0;
    const uint8_t *data = string + (is_ascii ? walk_layout->str_ascii : walk_layout->str_compact);
    if (is_ascii) {
        *out_bytes = length < NAME_BYTES ? (uint32_t)length : NAME_BYTES;
        return peek(data, out, *out_bytes);
    }
    for (Py_ssize_t i = 0; i < length && *out_bytes <= NAME_BYTES - 4; i++) {
        uint32_t c = 0; /* little-endian machines only: x86_64, aarch64 */
        if (!peek(data + (size_t)i * width, &c, width)) return 0;
        *out_bytes += put_utf8(out + *out_bytes, c);
    }
    return 1;
}

int walk_locate(const struct walked_frame *frame, struct frame_place *place) {
    const struct python_layout *at = walk_layout;
    int32_t first_line = 0;
    if (!peek(frame->code + at->code_first_line, &first_line, sizeof first_line)) return 0;
    place->first_line = first_line > 0 ? (uint32_t)first_line : 0;
    place->line = line_of(frame->code, frame->instruction, (int)place->first_line);
    return walk_text(peek_pointer(frame->code, at->code_filename), place->file, &place->file_bytes) &&
           walk_text(peek_pointer(frame->code, at->code_qualname), place->function, &place->function_bytes);
}
