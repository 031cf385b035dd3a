#include "json_scan.h"

#include <string.h>

static const char *skip_space(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n')) at++;
    return at;
}

static const char *skip_string(const char *at, const char *end) {
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\') at++;
    return at < end ? at + 1 : NULL;
}

/* Any value: brackets are only counted, since a peer that sends broken JSON merely gets no answer. */
static const char *skip_value(const char *at, const char *end) {
    int depth = 0;
    while (at < end) {
        if (*at == '"') {
            at = skip_string(at, end);
            if (at == NULL) return NULL;
        } else if (*at == '{' || *at == '[') {
            depth++;
            at++;
        } else if (*at == '}' || *at == ']') {
            if (depth == 0) return at;
            depth--;
            at++;
        } else if (*at == ',' && depth == 0) {
            return at;
        } else {
            at++;
            continue; /* inside a number or a word */
        }
        if (depth == 0) return at;
    }
    return at;
}

int json_member(struct json_span object, const char *name, struct json_span *value) {
    const char *end = object.end, *at = skip_space(object.start, end);
    if (at >= end || *at++ != '{') return 0;
    for (;;) {
        at = skip_space(at, end);
        if (at >= end || *at != '"') return 0;
        const char *key = at + 1;
        at = skip_string(at, end);
        if (at == NULL) return 0;
        size_t key_bytes = (size_t)(at - 1 - key);
        at = skip_space(at, end);
        if (at >= end || *at++ != ':') return 0;
        value->start = at = skip_space(at, end);
        at = skip_value(at, end);
        if (at == NULL || at == value->start) return 0;
        value->end = at;
        while (value->end > value->start && (value->end[-1] == ' ' || value->end[-1] == '\r')) value->end--;
        if (key_bytes == strlen(name) && memcmp(key, name, key_bytes) == 0) return 1;
        at = skip_space(at, end);
        if (at >= end || *at++ != ',') return 0;
    }
}

int json_equals(struct json_span value, const char *raw) {
    size_t bytes = (size_t)(value.end - value.start);
    return bytes == strlen(raw) && memcmp(value.start, raw, bytes) == 0;
}

uint64_t json_number(struct json_span value, uint64_t otherwise) {
    uint64_t number = 0;
    if (value.end == value.start || value.end - value.start > 15) return otherwise;
    for (const char *at = value.start; at < value.end; at++) {
        if (*at < '0' || *at > '9') return otherwise;
        number = number * 10 + (uint64_t)(*at - '0');
    }
    return number;
}

char *json_put_string(char *out, const char *limit, const uint8_t *utf8, size_t bytes) {
    static const char HEX[] = "0123456789abcdef";
    if (limit - out < (ptrdiff_t)(bytes * 6 + 2)) return NULL; /* the longest escape of one byte */
    *out++ = '"';
    for (size_t i = 0; i < bytes; i++) {
        uint8_t c = utf8[i];
        if (c == '"' || c == '\\') {
            *out++ = '\\';
            *out++ = (char)c;
        } else if (c < 0x20) {
            memcpy(out, "\\u00", 4);
            out[4] = HEX[c >> 4];
            out[5] = HEX[c & 15];
            out += 6;
        } else {
            *out++ = (char)c;
        }
    }
    *out++ = '"';
    return out;
}
