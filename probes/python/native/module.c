/* The extension module that the bootstrap loads: choose a layout, prove it, start, and a hook before each fork.
 *
 * It is an extension module rather than a library for ctypes because importing ctypes costs 6 ms and 2 MB.
 */
#include <stdio.h>
#include <string.h>

#include "allocator_hook.h"
#include "attributes.h"
#include "budget.h"
#include "census.h"
#include "command.h"
#include "container_kind.h"
#include "cpython.h"
#include "frame_walk.h"
#include "holdings.h"
#include "link.h"
#include "peek.h"
#include "process.h"
#include "python_layout.h"
#include "sample_table.h"
#include "tick.h"

/* Sub-interpreters run sitecustomize again; the hook installed upon itself would call itself for ever. */
static int prepared;
static struct peek_pipe guard;

static PyObject *reason_or_none(const char *reason) { return Py_BuildValue("z", reason); }

static PyObject *prepare(PyObject *module, PyObject *arguments) {
    (void)module;
    unsigned version_hex;
    const char *reason = "the pipe for crash-proof reads could not be opened";
    if (!PyArg_ParseTuple(arguments, "I", &version_hex)) return NULL;
    if (__atomic_exchange_n(&prepared, 1, __ATOMIC_ACQ_REL)) return reason_or_none("started before");
    if (!layout_resolve_symbols(&reason)) return reason_or_none(reason);
    walk_layout = layout_choose(version_hex, &reason);
    if (walk_layout == NULL || !peek_open(&guard)) return reason_or_none(reason);
    peek_guard = &guard;
    return reason_or_none(NULL);
}

static void end_guard(void) {
    if (peek_guard == NULL) return;
    peek_guard = NULL;
    peek_close(&guard);
}

static int append_place(PyObject *list, const struct frame_place *place) {
    /* "N", not "s#": before 3.13 the latter means int or Py_ssize_t by a macro of the includer's. */
    PyObject *item = Py_BuildValue("(NNII)",
                                   PyUnicode_FromStringAndSize((const char *)place->file, place->file_bytes),
                                   PyUnicode_FromStringAndSize((const char *)place->function, place->function_bytes),
                                   place->line, place->first_line);
    if (item == NULL) return 0;
    int appended = PyList_Append(list, item) == 0;
    Py_DecRef(item);
    return appended;
}

/* Only for the self-test: it must see the same frames as sys._getframe in the same call. */
static PyObject *walk(PyObject *module, PyObject *arguments) {
    (void)module;
    int limit;
    struct walked_frame frames[WALK_DEPTH];
    static struct frame_place place;
    if (!PyArg_ParseTuple(arguments, "i", &limit)) return NULL;
    PyObject *list = PyList_New(0);
    if (list == NULL || peek_guard == NULL) return list;
    int count = walk_stack(frames, limit < WALK_DEPTH ? limit : WALK_DEPTH);
    for (int i = 0; i < count; i++) {
        if (!walk_locate(&frames[i], &place)) break;
        if (append_place(list, &place)) continue;
        PyErr_Clear(); /* wrong offsets may read bytes that are no UTF-8 */
        break;
    }
    return list;
}

/* A container as its length, an int from 0 to 2**60 as itself, anything else as −1. */
static PyObject *seen_value(const uint8_t *object) {
    enum container_kind kind = container_kind(peek_pointer(object, OBJECT_TYPE));
    int64_t number = -1;
    if (kind != NO_CONTAINER) number = (int64_t)container_length(object, kind);
    else if (!whole_number(object, &number)) number = -1;
    return Py_BuildValue("L", (long long)number);
}

/* Only for the self-test: the attributes of an instance, as the census would read them. */
static PyObject *attributes(PyObject *module, PyObject *object) {
    (void)module;
    static struct attribute found[ATTRIBUTES];
    PyObject *list = PyList_New(0);
    if (list == NULL || peek_guard == NULL) return list;
    size_t count = attributes_read((const uint8_t *)object, found);
    for (size_t i = 0; i < count; i++) {
        PyObject *name = PyUnicode_FromStringAndSize(found[i].name, found[i].bytes);
        PyObject *item = Py_BuildValue("(NN)", name, seen_value(found[i].value));
        int appended = item != NULL && PyList_Append(list, item) == 0;
        if (item != NULL) Py_DecRef(item);
        if (appended) continue;
        PyErr_Clear();
        break;
    }
    return list;
}

static PyObject *refuse(PyObject *module, PyObject *nothing) {
    (void)module, (void)nothing;
    end_guard();
    return reason_or_none(NULL);
}

static PyObject *start(PyObject *module, PyObject *arguments) {
    (void)module;
    const char *path, *identity;
    unsigned long long average;
    unsigned budget;
    int thresholds[3], knows_attributes;
    if (!PyArg_ParseTuple(arguments, "ssKI(iii)i", &path, &identity, &average, &budget, &thresholds[0], &thresholds[1],
                          &thresholds[2], &knows_attributes))
        return NULL;
    const uint8_t *interpreter = peek_pointer(python.thread_state(), TSTATE_INTERP);
    const uint8_t *collector = census_find_collector(interpreter, thresholds);
    end_guard();
    if (!process_start() || !table_start(average, clock_wall_ns(), clock_coarse_ns()) || !link_start(path, identity))
        return reason_or_none("no memory for the sample table, or the socket's path is too long");
    budget_start(budget, average);
    command_enable_census(collector);
    if (knows_attributes) holdings_trust_attributes();
    tick_start(collector);
    tick(clock_coarse_ns()); /* says hello before the hook sees its first block */
    hook_install();
    return reason_or_none(NULL);
}

static PyObject *before_fork(PyObject *module, PyObject *nothing) {
    (void)module, (void)nothing;
    command_finish_before_fork();
    return reason_or_none(NULL);
}

static PyMethodDef METHODS[] = {
    {"prepare", prepare, METH_VARARGS, "prepare(version_hex) -> reason or None"},
    {"walk", walk, METH_VARARGS, "walk(limit) -> [(file, function, line, first line)], leaf first"},
    {"attributes", attributes, METH_O, "attributes(instance) -> [(name, number)]"},
    {"refuse", refuse, METH_NOARGS, "refuse(): the self-test failed; leave nothing open"},
    {"start", start, METH_VARARGS, "start(socket, identity, average_bytes, budget, gc_thresholds, knows_attributes) -> reason or None"},
    {"before_fork", before_fork, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

/* An empty slot array makes this multi-phase initialisation, which leaves no trace in sys.modules. */
static struct { int slot; void *value; } SLOTS[] = {{0, NULL}};
static PyModuleDef MODULE = {.ob_refcnt = 1, .m_name = "memwarden_hook", .m_methods = METHODS, .m_slots = SLOTS};

__attribute__((visibility("default"))) PyObject *PyInit_memwarden_hook(void) { return PyModuleDef_Init(&MODULE); }
