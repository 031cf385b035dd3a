#include "frame_cache.h"

#include <stddef.h>
#include <string.h>

#include "address_filter.h"
#include "hash_index.h"
#include "stack_dictionary.h"

enum { CODE_LIMIT = 16384, CACHE_SLOTS = 8192 };

/* A serial number is never given twice, so what was cached under it dies with it. */
struct known_code { uintptr_t address; uint32_t serial, next_free; };
struct cached { uint32_t serial; int32_t instruction; uint32_t frame; };

static struct known_code codes[CODE_LIMIT];
static struct cached cache[CACHE_SLOTS];
static struct hash_index by_address;
static uint32_t code_high, free_code, last_serial;

static int same_code(uint32_t number, const void *key) {
    return codes[number - 1].address == *(const uintptr_t *)key;
}

static uint32_t serial_of(uintptr_t address) {
    uint32_t hash = hash_mix(address), number = index_find(&by_address, hash, same_code, &address);
    if (number != 0) return codes[number - 1].serial;
    if (free_code != 0) {
        number = free_code;
        free_code = codes[number - 1].next_free;
    } else if (code_high < CODE_LIMIT) {
        number = ++code_high;
    } else {
        return 0; /* full: decode each time */
    }
    if (!index_add(&by_address, hash, number)) {
        codes[number - 1].next_free = free_code;
        free_code = number;
        return 0;
    }
    codes[number - 1] = (struct known_code){.address = address, .serial = ++last_serial};
    filter_change(address, +1);
    return last_serial;
}

void frame_cache_forget(uintptr_t freed) {
    uint32_t hash = hash_mix(freed), number = index_find(&by_address, hash, same_code, &freed);
    if (number == 0) return;
    index_remove(&by_address, hash, number);
    filter_change(freed, -1);
    codes[number - 1] = (struct known_code){.next_free = free_code};
    free_code = number;
}

void frame_cache_clear(void) {
    for (uint32_t i = 0; i < code_high; i++)
        if (codes[i].address != 0) frame_cache_forget(codes[i].address);
}

static uint32_t decode(const struct walked_frame *frame) {
    static struct frame_place place; /* 2 KiB that small thread stacks need not hold */
    if (!walk_locate(frame, &place)) return 0;
    uint32_t file = dictionary_string(place.file, place.file_bytes);
    uint32_t function = dictionary_string(place.function, place.function_bytes);
    return dictionary_frame(file, function, place.line, place.first_line);
}

uint32_t frame_cache_number(const struct walked_frame *frame) {
    uint32_t serial = serial_of((uintptr_t)frame->code);
    if (serial == 0) return decode(frame);
    struct cached *slot = &cache[hash_mix((uint64_t)serial << 32 | (uint32_t)frame->instruction) % CACHE_SLOTS];
    if (slot->serial != serial || slot->instruction != frame->instruction)
        *slot = (struct cached){serial, frame->instruction, decode(frame)};
    return slot->frame;
}
