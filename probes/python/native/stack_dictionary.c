#include "stack_dictionary.h"

#include <string.h>

#include "hash_index.h"
#include "sample_table.h"

static struct hash_index strings, frames, nodes;

static uint32_t overflow(void) {
    header_of(truth)->dictionary_overflows++;
    return 0;
}

struct text { const uint8_t *bytes; uint32_t length; };

static int same_text(uint32_t number, const void *key) {
    const struct text *text = key;
    uint32_t length;
    memcpy(&length, strings_of(truth) + number, sizeof length);
    return length == text->length && memcmp(strings_of(truth) + number + 4, text->bytes, length) == 0;
}

static uint32_t hash_bytes(const uint8_t *bytes, uint32_t length) {
    uint64_t hash = 0xcbf29ce484222325ULL; /* FNV-1a */
    for (uint32_t i = 0; i < length; i++) hash = (hash ^ bytes[i]) * 0x100000001b3ULL;
    return hash_mix(hash);
}

/* Both copies get the bytes first and the high-water mark last: a reader never sees a number without its content. */
static void write_both(uint32_t at, const void *bytes, uint32_t length) {
    memcpy(truth.base + at, bytes, length);
    if (mirror.base != NULL) memcpy(mirror.base + at, bytes, length);
}

uint32_t dictionary_string(const uint8_t *utf8, uint32_t bytes) {
    if (bytes == 0) return 0;
    struct text text = {utf8, bytes};
    uint32_t hash = hash_bytes(utf8, bytes);
    uint32_t known = index_find(&strings, hash, same_text, &text);
    if (known != 0) return known;
    struct table_header *header = header_of(truth);
    uint32_t position = header->string_high, padded = 4 + ((bytes + 3) & ~3u);
    if (padded > STRING_LIMIT - position || !index_add(&strings, hash, position)) return overflow();
    write_both(STRINGS_AT + position, &bytes, 4);
    write_both(STRINGS_AT + position + 4, utf8, bytes);
    header->string_high = position + padded;
    return position;
}

static int same_frame(uint32_t number, const void *key) {
    return memcmp(&frames_of(truth)[number], key, sizeof(struct table_frame)) == 0;
}

uint32_t dictionary_frame(uint32_t file, uint32_t function, uint32_t line, uint32_t first_line) {
    struct table_frame frame = {file, function, line, first_line};
    uint32_t hash = hash_mix(((uint64_t)file << 32 | function) * 31 + ((uint64_t)first_line << 32 | line));
    uint32_t known = index_find(&frames, hash, same_frame, &frame);
    if (known != 0) return known;
    struct table_header *header = header_of(truth);
    uint32_t number = header->frame_high;
    if (number == FRAME_LIMIT || !index_add(&frames, hash, number)) return overflow();
    write_both(FRAMES_AT + number * (uint32_t)sizeof frame, &frame, sizeof frame);
    header->frame_high = number + 1;
    return number;
}

static int same_node(uint32_t number, const void *key) {
    return memcmp(&nodes_of(truth)[number], key, sizeof(struct table_node)) == 0;
}

uint32_t dictionary_node(uint32_t parent, uint32_t frame) {
    struct table_node node = {parent, frame};
    uint32_t hash = hash_mix((uint64_t)parent << 32 | frame);
    uint32_t known = index_find(&nodes, hash, same_node, &node);
    if (known != 0) return known;
    struct table_header *header = header_of(truth);
    uint32_t number = header->node_high;
    if (number == NODE_LIMIT || !index_add(&nodes, hash, number)) return overflow();
    write_both(NODES_AT + number * (uint32_t)sizeof node, &node, sizeof node);
    header->node_high = number + 1;
    return number;
}
