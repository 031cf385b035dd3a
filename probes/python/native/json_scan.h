/* Just enough JSON to read a request line: find a member of an object without building anything. */
#ifndef MEMWARDEN_JSON_SCAN_H
#define MEMWARDEN_JSON_SCAN_H

#include <stddef.h>
#include <stdint.h>

struct json_span { const char *start, *end; }; /* raw text of one value */

int json_member(struct json_span object, const char *name, struct json_span *value); /* 0: not there, or not JSON */
int json_equals(struct json_span value, const char *raw);
uint64_t json_number(struct json_span value, uint64_t otherwise); /* a plain decimal without sign or fraction */

/* Appends text as a JSON string, quotes included; returns the new end, or NULL when it does not fit. */
char *json_put_string(char *out, const char *limit, const uint8_t *utf8, size_t bytes);

#endif
