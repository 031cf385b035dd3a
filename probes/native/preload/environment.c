#include "environment.h"

#include "syscalls.h"
#include "text.h"

extern char **__environ __attribute__((weak, visibility("default")));

/* Volatile: a compiler would take the address of a variable for one that is never null. */
static char ***whole(void) {
    char ***volatile address = &__environ;
    return address;
}

static const char *value_in(const char *entry, const char *name) {
    const char *rest = text_after(entry, name);
    return rest != NULL && *rest == '=' ? rest + 1 : NULL;
}

static char **entry_of(char **entries, const char *name) {
    for (; *entries != NULL; entries++)
        if (value_in(*entries, name) != NULL) return entries;
    return NULL;
}

const char *environment_value(const char *name) {
    char ***environment = whole();
    if (environment == NULL || *environment == NULL) return NULL;
    char **entry = entry_of(*environment, name);
    return entry == NULL ? NULL : value_in(*entry, name);
}

static size_t count(char *const *entries) {
    size_t number = 0;
    while (entries[number] != NULL) number++;
    return number;
}

static void write_entry(char *into, const char *name, const char *word, char separator, const char *rest) {
    char *end = text_append(text_append(text_append(into, name), "="), word);
    if (*rest) {
        *end++ = separator;
        text_append(end, rest);
    }
}

void environment_join(const char *name, char separator, const char *word) {
    char ***environment = whole();
    if (environment == NULL || *environment == NULL) return;
    char **old = entry_of(*environment, name);
    /* An empty list has no entry: a separator behind ours would make one, which is the working folder for Python. */
    const char *rest = old == NULL ? "" : value_in(*old, name);
    if (text_lists(rest, separator, word)) return;
    size_t entries = old == NULL ? count(*environment) : 0;
    size_t array = old == NULL ? (entries + 2) * sizeof(char *) : 0;
    size_t bytes = text_length(name) + 1 + text_length(word) + 1 + text_length(rest) + 1;
    char *memory = kernel_memory(array + bytes);
    if (memory == NULL) return;
    char *entry = memory + array;
    write_entry(entry, name, word, separator, rest);
    if (old != NULL) {
        *old = entry;
        return;
    }
    /* The old array is the kernel's, on the stack, and has no room. */
    char **new = (char **)memory;
    for (size_t i = 0; i < entries; i++) {
        NOT_A_CALL;
        new[i] = (*environment)[i];
    }
    new[entries] = entry;
    new[entries + 1] = NULL;
    *environment = new;
}
