/* What of <string.h> the loader needs. The empty assembly keeps a compiler from turning the loops into calls of the
 * library's functions, which is not there.
 */
#ifndef MEMWARDEN_PRELOAD_TEXT_H
#define MEMWARDEN_PRELOAD_TEXT_H

#include <stddef.h>

#define NOT_A_CALL __asm__ volatile("")

static inline size_t text_length(const char *text) {
    size_t length = 0;
    while (text[length]) {
        NOT_A_CALL;
        length++;
    }
    return length;
}

/* What follows the prefix, or NULL where the text begins otherwise. */
static inline const char *text_after(const char *text, const char *prefix) {
    for (; *prefix; text++, prefix++) {
        NOT_A_CALL;
        if (*text != *prefix) return NULL;
    }
    return text;
}

static inline int text_equals(const char *text, const char *other) {
    const char *rest = text_after(text, other);
    return rest != NULL && *rest == 0;
}

static inline char *text_append(char *end, const char *text) {
    for (; *text; text++) {
        NOT_A_CALL;
        *end++ = *text;
    }
    *end = 0;
    return end;
}

/* Whether one of the list's entries, and not a part of one, is the word. */
static inline int text_lists(const char *list, char separator, const char *word) {
    for (;;) {
        const char *rest = text_after(list, word);
        if (rest != NULL && (*rest == separator || *rest == 0)) return 1;
        while (*list && *list != separator) {
            NOT_A_CALL;
            list++;
        }
        if (*list++ == 0) return 0;
    }
}

#endif
