#include "holders.h"

#include <string.h>

#include "container_kind.h"
#include "cpython.h"
#include "dict_entries.h"
#include "frame_walk.h"
#include "python_layout.h"
#include "type_name.h"

enum { NAME_LIMIT = 240, MODULE_DICT = 16, FILTER_BITS = 1024 };

struct wanted {
    const uint8_t *object;
    int in_module; /* the name of a module's global says more than any other */
    char name[NAME_LIMIT + 1];
};

static struct wanted wanted[HOLDERS_WANTED];
static size_t wanted_count;
static uint64_t filter[FILTER_BITS / 64]; /* most objects are not wanted: one bit says so */

static uint32_t bit_of(const uint8_t *object) {
    uintptr_t address = (uintptr_t)object;
    return (uint32_t)(address >> 4 ^ address >> 13) % FILTER_BITS;
}

static void let_pass(const uint8_t *object) { filter[bit_of(object) / 64] |= 1ull << bit_of(object) % 64; }

static struct wanted *find(const uint8_t *object) {
    uint32_t bit = bit_of(object);
    if (!(filter[bit / 64] >> bit % 64 & 1)) return NULL;
    for (size_t i = 0; i < wanted_count; i++)
        if (wanted[i].object == object) return &wanted[i];
    return NULL;
}

void holders_forget_names(void) {
    for (size_t i = 0; i < wanted_count; i++) wanted[i].name[0] = 0, wanted[i].in_module = 0;
}

/* "owner.attribute", where that is not too long. */
static void put_name(struct wanted *of, const uint8_t *owner, size_t owner_bytes, const struct attribute *attribute) {
    if (owner_bytes + 1 + attribute->bytes > NAME_LIMIT) return;
    memcpy(of->name, owner, owner_bytes);
    of->name[owner_bytes] = '.';
    memcpy(of->name + owner_bytes + 1, attribute->name, attribute->bytes + 1u);
}

static void put_type_name(const struct peek_pipe *guard, struct wanted *of, const uint8_t *type,
                          const struct attribute *attribute) {
    uint8_t owner[2 * NAME_BYTES];
    if (of->name[0] == 0) put_name(of, owner, type_name(guard, type, owner, sizeof owner), attribute);
}

void holders_see_class(const struct peek_pipe *guard, const uint8_t *type, const struct holders_look *look) {
    const uint8_t *dict = peek_pointer(type, TYPE_DICT), *key;
    struct attribute attribute;
    struct dict_cursor cursor;
    if (dict == NULL || !dict_open(&cursor, dict)) return;
    while (dict_next(&cursor, &key, &attribute.value)) {
        look->see(look->context, attribute.value);
        struct wanted *found = find(attribute.value);
        if (found != NULL && attribute_name(key, &attribute)) put_type_name(guard, found, type, &attribute);
    }
}

void holders_see_instance(const struct peek_pipe *guard, const uint8_t *object, const struct attribute *attributes,
                          size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct wanted *found = find(attributes[i].value);
        if (found != NULL) put_type_name(guard, found, peek_pointer(object, OBJECT_TYPE), &attributes[i]);
    }
}

void holders_want(const uint8_t *const *objects, size_t count) {
    static struct wanted next[HOLDERS_WANTED];
    size_t next_count = count < HOLDERS_WANTED ? count : HOLDERS_WANTED;
    for (size_t i = 0; i < next_count; i++) {
        const struct wanted *before = find(objects[i]);
        if (before != NULL) next[i] = *before;
        else next[i] = (struct wanted){.object = objects[i]};
    }
    memcpy(wanted, next, next_count * sizeof *next);
    wanted_count = next_count;
    memset(filter, 0, sizeof filter);
    for (size_t i = 0; i < wanted_count; i++) let_pass(objects[i]);
}

void holders_want_also(const uint8_t *object) {
    if (find(object) != NULL || wanted_count == HOLDERS_WANTED) return;
    wanted[wanted_count++] = (struct wanted){.object = object};
    let_pass(object);
}

/* ---- Modules ------------------------------------------------------------------------------------------------- */

static int is_module(const uint8_t *object) {
    const uint8_t *type = peek_pointer(object, OBJECT_TYPE);
    for (int i = 0; type != NULL && i < 8; i++, type = peek_pointer(type, TYPE_BASE))
        if (type == python.module_type) return 1;
    return 0;
}

static void put_global(struct wanted *of, const uint8_t *module_name, const struct attribute *attribute) {
    uint8_t owner[NAME_BYTES];
    uint32_t owner_bytes = 0;
    if (of->in_module || strcmp(attribute->name, "__builtins__") == 0) return; /* that one is in every module */
    if (walk_text(module_name, owner, &owner_bytes)) put_name(of, owner, owner_bytes, attribute);
    of->in_module = 1;
}

static void see_globals(const uint8_t *module_name, const uint8_t *dict, const struct holders_look *look) {
    static const struct attribute ITSELF = {.bytes = 8, .name = "__dict__"};
    struct wanted *found = find(dict);
    struct attribute attribute;
    struct dict_cursor cursor;
    const uint8_t *key;
    if (peek_pointer(module_name, OBJECT_TYPE) != python.str_type || !dict_open(&cursor, dict)) return;
    if (found != NULL) put_global(found, module_name, &ITSELF);
    while (dict_next(&cursor, &key, &attribute.value)) {
        look->see(look->context, attribute.value);
        found = find(attribute.value);
        if (found != NULL && attribute_name(key, &attribute)) put_global(found, module_name, &attribute);
    }
}

int holders_see_module(uint64_t *position, const struct holders_look *look) {
    const uint8_t *modules = (const uint8_t *)PyImport_GetModuleDict(), *name, *module;
    struct dict_cursor cursor;
    if (modules == NULL || !dict_open(&cursor, modules)) return 0;
    cursor.index = *position; /* the dict may have grown meanwhile: its entries keep their places nearly always */
    if (!dict_next(&cursor, &name, &module)) return 0;
    *position = cursor.index;
    if (!is_module(module)) return 1;
    const uint8_t *dict = peek_pointer(module, MODULE_DICT);
    if (dict != NULL && type_flags(peek_pointer(dict, OBJECT_TYPE)) & TYPE_IS_DICT) see_globals(name, dict, look);
    return 1;
}

const char *holder_of(const uint8_t *object) {
    const struct wanted *found = find(object);
    return found != NULL ? found->name : "";
}
