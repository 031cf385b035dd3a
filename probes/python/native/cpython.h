/* The few CPython declarations this object needs, written by hand so that one build serves every version.
 *
 * Everything declared here as `extern` is in the stable ABI or has been exported unchanged since 3.6; the
 * interpreter that loads us provides it. What is private or newer is looked up by name at start (python_layout.c),
 * and what has no accessor at all is read at an offset that a self-test has proven first.
 */
#ifndef MEMWARDEN_CPYTHON_H
#define MEMWARDEN_CPYTHON_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef ssize_t Py_ssize_t;
typedef struct py_object PyObject; /* never defined: nothing here may look inside by a C member */
typedef struct py_thread_state PyThreadState;
typedef struct py_interpreter_state PyInterpreterState;
typedef PyObject *(*PyCFunction)(PyObject *, PyObject *);

typedef struct {
    const char *ml_name;
    PyCFunction ml_meth;
    int ml_flags;
    const char *ml_doc;
} PyMethodDef;

enum { METH_VARARGS = 0x0001, METH_NOARGS = 0x0004, METH_O = 0x0008 };

/* PyModuleDef with its PyModuleDef_Base spelled out (GIL builds only: a free-threaded PyObject is larger). */
typedef struct {
    Py_ssize_t ob_refcnt;
    void *ob_type;
    PyObject *(*m_init)(void);
    Py_ssize_t m_index;
    PyObject *m_copy;
    const char *m_name;
    const char *m_doc;
    Py_ssize_t m_size;
    PyMethodDef *m_methods;
    void *m_slots, *m_traverse, *m_clear, *m_free;
} PyModuleDef;

typedef struct {
    void *ctx;
    void *(*malloc)(void *ctx, size_t size);
    void *(*calloc)(void *ctx, size_t count, size_t size);
    void *(*realloc)(void *ctx, void *block, size_t size);
    void (*free)(void *ctx, void *block);
} PyMemAllocatorEx;

enum { PYMEM_DOMAIN_RAW = 0, PYMEM_DOMAIN_MEM = 1, PYMEM_DOMAIN_OBJ = 2 };

extern PyInterpreterState *PyInterpreterState_Head(void);
extern void PyMem_GetAllocator(int domain, PyMemAllocatorEx *allocator);
extern void PyMem_SetAllocator(int domain, PyMemAllocatorEx *allocator);
extern void *PyMem_Malloc(size_t);
extern void PyMem_Free(void *);
extern void *PyObject_Malloc(size_t);
extern void PyObject_Free(void *);

extern PyObject *PyModuleDef_Init(PyModuleDef *);
extern int PyArg_ParseTuple(PyObject *, const char *, ...);
extern PyObject *PyList_New(Py_ssize_t);
extern int PyList_Append(PyObject *, PyObject *);
extern PyObject *Py_BuildValue(const char *, ...);
extern PyObject *PyUnicode_FromStringAndSize(const char *, Py_ssize_t);
extern PyObject *PyDict_GetItemString(PyObject *, const char *);
extern PyObject *PyImport_GetModuleDict(void); /* borrowed */
extern void PyErr_Clear(void);
extern void Py_DecRef(PyObject *);

extern PyThreadState *PyEval_SaveThread(void);
extern void PyEval_RestoreThread(PyThreadState *);
extern int PyGILState_Ensure(void);
extern void PyGILState_Release(int);

/* Facts that hold for every GIL build of 3.8–3.14 (checked by the self-test like the rest). */
enum {
    OBJECT_TYPE = 8,   /* PyObject.ob_type */
    OBJECT_SIZE = 16,  /* PyVarObject.ob_size */
    BYTES_DATA = 32,   /* PyBytesObject.ob_sval */
    STR_LENGTH = 16,   /* PyASCIIObject.length */
    STR_STATE = 32,    /* PyASCIIObject.state */
    TSTATE_INTERP = 16, /* PyThreadState.interp */
    /* PyTypeObject */
    TYPE_NAME = 24, TYPE_BASICSIZE = 32, TYPE_ITEMSIZE = 40, TYPE_FLAGS = 168, TYPE_MEMBERS = 240, TYPE_BASE = 256,
    TYPE_DICT = 264, TYPE_DICT_OFFSET = 288,
};
#define TYPE_IS_HEAP (1ull << 9)
#define TYPE_IS_READY (1ull << 12)
#define TYPE_IS_LIST (1ull << 25)
#define TYPE_IS_DICT (1ull << 29)
#define TYPE_IS_METATYPE (1ull << 31)

#endif
