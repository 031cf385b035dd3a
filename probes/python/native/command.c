#define _GNU_SOURCE
#include "command.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "budget.h"
#include "census.h"
#include "cpython.h"
#include "ending.h"
#include "hash_index.h"
#include "link.h"
#include "process.h"

enum {
    STACK_BYTES = 256 * 1024,
    REPLY_BYTES = 1024 * 1024, /* of address space; what a reply does not touch costs nothing */
    POLITE_WAIT_MS = 20,       /* before a fork: most censuses end by themselves */
    LAST_WAIT_MS = 250,        /* after having been told to stop */
    SEND_WAIT_MS = 1000,
};

enum state { IDLE, RUNNING, FINISHED };

static struct {
    enum state state;
    pthread_t thread;
    pid_t tid;
    int stop; /* read by the census between its steps */
    char id[72];
    uint32_t top;
    uint64_t held_until_ns;
} command;

static const uint8_t *gc_state;

static PyMemAllocatorEx raw_at_start;

void command_enable_census(const uint8_t *interpreter_gc) {
    gc_state = interpreter_gc;
    PyMem_GetAllocator(PYMEM_DOMAIN_RAW, &raw_at_start);
}

/* A new thread's first allocation is raw and without the GIL; before 3.12.9 and 3.13.2, tracemalloc.stop() in another
 * thread at that moment crashes the interpreter (python/cpython#128679). Asked when the command comes, and once more by
 * the thread right before: on a busy machine it takes milliseconds to start. */
int command_is_safe(void) {
    PyMemAllocatorEx raw;
    PyMem_GetAllocator(PYMEM_DOMAIN_RAW, &raw);
    return raw.calloc == raw_at_start.calloc;
}

int command_has_census(void) { return gc_state != NULL; }

static enum state state_now(void) { return __atomic_load_n(&command.state, __ATOMIC_ACQUIRE); }
int command_is_running(void) { return state_now() == RUNNING; }

void command_hold(uint32_t milliseconds) { command.held_until_ns = clock_exact_ns() + milliseconds * 1000000ull; }

static void *run(void *nothing) {
    (void)nothing;
    command.tid = (pid_t)syscall(SYS_gettid);
    prctl(PR_SET_NAME, "memwarden");
    char *reply = map_private(REPLY_BYTES);
    /* From here on CPython itself ends a thread that asks for the GIL too late; before, there may be no interpreter. */
    if (reply != NULL && !ending_has_begun()) {
        size_t length;
        if (command_is_safe()) {
            int gil = PyGILState_Ensure();
            length = census_reply(gc_state, command.top, &command.stop, command.id, reply, REPLY_BYTES);
            PyGILState_Release(gil);
        } else {
            length = (size_t)snprintf(reply, REPLY_BYTES, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":" COMMAND_UNSAFE "}\n",
                                      command.id);
        }
        link_send(reply, length, SEND_WAIT_MS);
        munmap(reply, REPLY_BYTES);
        budget_spent_on_census(budget_thread_ns()); /* all that this thread ever did */
    }
    __atomic_store_n(&command.state, FINISHED, __ATOMIC_RELEASE);
    return NULL;
}

/* The program's signals are for its own threads. */
static int create_thread(void) {
    sigset_t all, before;
    pthread_attr_t attributes;
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&command.thread, &attributes, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return !failed;
}

int command_start(const char *id, size_t id_bytes, uint32_t top) {
    if (state_now() != IDLE || ending_has_begun() || clock_exact_ns() < command.held_until_ns) return 0;
    memcpy(command.id, id, id_bytes);
    command.id[id_bytes] = 0;
    command.top = top;
    command.stop = 0;
    command.tid = 0;
    command.state = RUNNING;
    if (create_thread()) return 1;
    command.state = IDLE;
    return 0;
}

/* pthread_join returns a moment before the kernel has stopped counting the thread, and os.fork() looks at that count. */
static void wait_until_uncounted(void) {
    for (int tries = 0; tries < 80; tries++) {
        if (syscall(SYS_tgkill, getpid(), command.tid, 0) != 0 && errno == ESRCH) return;
        usleep(50);
    }
}

void command_reap(void) {
    if (state_now() != FINISHED) return;
    pthread_join(command.thread, NULL); /* it has nothing left to do but to end */
    wait_until_uncounted();
    command.state = IDLE;
}

static void wait_for_finish(int milliseconds) {
    for (int waited = 0; waited < milliseconds * 5 && state_now() == RUNNING; waited++) usleep(200);
}

static void finish(void) {
    if (state_now() == RUNNING) {
        PyThreadState *saved = PyEval_SaveThread(); /* the command needs the GIL to end */
        wait_for_finish(POLITE_WAIT_MS);
        __atomic_store_n(&command.stop, 1, __ATOMIC_RELEASE);
        wait_for_finish(LAST_WAIT_MS);
        PyEval_RestoreThread(saved);
    }
    command_reap();
}

void command_finish_before_fork(void) {
    command_hold(1000); /* until the fork has happened, which then shortens it */
    finish();
}

void command_forked(void) {
    command.state = IDLE;
    command.held_until_ns = 0;
}
