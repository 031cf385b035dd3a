#include "allocator_hook.h"

#include <errno.h>

#include "address_filter.h"
#include "budget.h"
#include "cpython.h"
#include "ending.h"
#include "frame_cache.h"
#include "frame_walk.h"
#include "link.h"
#include "poisson.h"
#include "process.h"
#include "sample_table.h"
#include "stack_dictionary.h"
#include "tick.h"

#define LIKELY(condition) __builtin_expect(!!(condition), 1)

/* How many bytes may pass between two looks at the clock: few after a pause, so that a program which sleeps between
 * small bits of work is reached soon, more while it is busy. */
enum { LOOK_MIN = 1, LOOK_MAX = 16384 };
static const uint64_t PAUSE_NS = 20000000;

struct domain {
    PyMemAllocatorEx base;
    int number, wrapped;
};
static struct domain memory = {.number = PYMEM_DOMAIN_MEM}, objects = {.number = PYMEM_DOMAIN_OBJ};

/* One countdown for the whole process, no thread-local storage: the GIL serialises it, and where sub-interpreters
 * have a GIL each, a lost decrement makes a gap a little longer, at random. */
static int64_t left;              /* until the slow path */
static int64_t segment;           /* what `left` started from */
static int64_t gap;               /* until the next sample, at the start of this segment */
static int64_t look = LOOK_MIN;
static uint64_t consumed_before;  /* bytes of all finished segments */
static uint64_t last_look_ns;
static int switched_off;

static void begin_segment(void) { left = segment = gap < look ? gap : look; }

static void sample(uintptr_t block, size_t size, uint64_t now) {
    struct walked_frame frames[WALK_DEPTH];
    uint32_t stack = 0;
    for (int i = walk_stack(frames, WALK_DEPTH) - 1; i >= 0; i--) {
        uint32_t frame = frame_cache_number(&frames[i]);
        if (frame == 0 || (stack = dictionary_node(stack, frame)) == 0) {
            stack = 0;
            break;
        }
    }
    table_add(block, size, stack, now);
}

static void adapt_look(uint64_t now) {
    uint64_t since = now - last_look_ns;
    last_look_ns = now;
    if (since == 0) look = look < LOOK_MAX ? look * 2 : LOOK_MAX;
    else if (since >= PAUSE_NS) look = LOOK_MIN;
}

static __attribute__((noinline)) void *after_countdown(void *block, size_t size) {
    if (switched_off) return left = INT64_MAX, block;
    int saved_errno = errno;
    struct meter *meter = gap < segment - left ? &meter_samples : &meter_looks;
    uint64_t begun = meter_begin(meter), now = clock_coarse_ns();
    process_lock();
    process_check_forked();
    if (block == NULL) left += (int64_t)size; /* nothing was allocated */
    int64_t consumed = segment - left;
    if (consumed > 0) {
        consumed_before += (uint64_t)consumed;
        gap -= consumed;
    }
    if (gap < 0) {
        if (block != NULL) sample((uintptr_t)block, size, now);
        gap = poisson_gap((double)header_of(truth)->average_bytes);
    }
    adapt_look(now);
    begin_segment();
    process_unlock();
    meter_end(meter, begun);
    if (tick_is_due(now) || consumed_before >= link_due_bytes) tick(now);
    errno = saved_errno;
    return block;
}

/* The common path is a subtraction or a look into the filter, and a jump: a dozen instructions for a block's whole life.
 * Each domain has functions of its own, so that none has to follow its context to the base. */
#define INLINE static inline __attribute__((always_inline))

INLINE void *allocate(struct domain *domain, size_t size) {
    if (LIKELY((left -= (int64_t)size) >= 0)) return domain->base.malloc(domain->base.ctx, size);
    return after_countdown(domain->base.malloc(domain->base.ctx, size), size);
}

INLINE void *allocate_zeroed(struct domain *domain, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) return domain->base.calloc(domain->base.ctx, count, size);
    if (LIKELY((left -= (int64_t)bytes) >= 0)) return domain->base.calloc(domain->base.ctx, count, size);
    return after_countdown(domain->base.calloc(domain->base.ctx, count, size), bytes);
}

/* The entry leaves the table before the block is given back: a moment later another thread may own the address. */
static __attribute__((noinline)) void free_known(struct domain *domain, void *block) {
    uint64_t begun = meter_begin(&meter_frees);
    ending_look();
    process_lock();
    process_check_forked();
    struct table_entry gone;
    frame_cache_forget((uintptr_t)block);
    table_take((uintptr_t)block, &gone);
    process_unlock();
    meter_end(&meter_frees, begun);
    domain->base.free(domain->base.ctx, block);
}

INLINE void release(struct domain *domain, void *block) {
    if (LIKELY(!filter_may_hold((uintptr_t)block))) domain->base.free(domain->base.ctx, block);
    else free_known(domain, block);
}

/* A resized block is a new trial with its full new size; on failure the old block lives on, and so does its entry. */
static __attribute__((noinline)) void *resize_known(struct domain *domain, void *block, size_t size) {
    struct table_entry entry;
    process_lock();
    process_check_forked();
    int known = table_take((uintptr_t)block, &entry);
    process_unlock();
    void *moved = domain->base.realloc(domain->base.ctx, block, size);
    if (moved == NULL) {
        if (known) {
            process_lock();
            table_put_back(&entry);
            process_unlock();
        }
        return NULL;
    }
    if (LIKELY((left -= (int64_t)size) >= 0)) return moved;
    return after_countdown(moved, size);
}

INLINE void *resize(struct domain *domain, void *block, size_t size) {
    if (__builtin_expect(filter_may_hold((uintptr_t)block), 0)) return resize_known(domain, block, size);
    if (LIKELY((left -= (int64_t)size) >= 0)) return domain->base.realloc(domain->base.ctx, block, size);
    return after_countdown(domain->base.realloc(domain->base.ctx, block, size), size);
}

#define OWN_FUNCTIONS(domain)                                                                                           \
    static void *domain##_malloc(void *context, size_t size) { return (void)context, allocate(&domain, size); }        \
    static void *domain##_calloc(void *context, size_t count, size_t size) {                                           \
        return (void)context, allocate_zeroed(&domain, count, size);                                                   \
    }                                                                                                                  \
    static void *domain##_realloc(void *context, void *block, size_t size) {                                           \
        return (void)context, resize(&domain, block, size);                                                            \
    }                                                                                                                  \
    static void domain##_free(void *context, void *block) { (void)context, release(&domain, block); }                  \
    static const PyMemAllocatorEx domain##_functions = {NULL, domain##_malloc, domain##_calloc, domain##_realloc,      \
                                                        domain##_free}

OWN_FUNCTIONS(memory);
OWN_FUNCTIONS(objects);

static const PyMemAllocatorEx *functions_of(const struct domain *domain) {
    return domain == &memory ? &memory_functions : &objects_functions;
}

static void wrap(struct domain *domain) {
    PyMemAllocatorEx ours = *functions_of(domain);
    PyMem_GetAllocator(domain->number, &domain->base);
    PyMem_SetAllocator(domain->number, &ours);
    domain->wrapped = 1;
}

void hook_install(void) {
    last_look_ns = clock_coarse_ns();
    gap = poisson_gap((double)header_of(truth)->average_bytes);
    begin_segment();
    wrap(&memory);
    wrap(&objects);
}

void hook_set_average(uint64_t average_bytes) {
    process_lock();
    header_of(truth)->average_bytes = average_bytes;
    /* The exponential gap has no memory: drawing a new one at any moment changes no probability. */
    gap = segment - left + poisson_gap((double)average_bytes);
    process_unlock();
}

uint64_t hook_allocated_bytes(void) {
    return switched_off ? consumed_before : consumed_before + (uint64_t)(segment - left);
}

static int is_on_top(const struct domain *domain, const PyMemAllocatorEx *now) {
    return now->malloc == functions_of(domain)->malloc;
}

/* Blocks that went through us are the base's own, so it may take over at any time. Where another allocator is on top we
 * have to stay below it, and do no more than jump. */
static void unwrap(struct domain *domain) {
    PyMemAllocatorEx now;
    PyMem_GetAllocator(domain->number, &now);
    if (is_on_top(domain, &now)) PyMem_SetAllocator(domain->number, &domain->base);
}

void hook_switch_off(void) {
    process_lock();
    switched_off = 1;
    left = INT64_MAX;
    header_of(truth)->switched_off = 1;
    table_clear();
    frame_cache_clear();
    process_unlock();
    unwrap(&memory);
    unwrap(&objects);
}

/* An allocator that was put on top before us and is restored later (tracemalloc does so) cuts us out without a word:
 * a byte allocated then leaves the countdown alone. What was freed meanwhile is unknown, so the table starts anew. */
static int is_cut_out(struct domain *domain) {
    PyMemAllocatorEx now;
    PyMem_GetAllocator(domain->number, &now);
    if (!domain->wrapped || is_on_top(domain, &now)) return 0;
    int64_t before = left;
    if (domain->number == PYMEM_DOMAIN_MEM) PyMem_Free(PyMem_Malloc(1));
    else PyObject_Free(PyObject_Malloc(1));
    return left == before;
}

void hook_reinstall_if_lost(void) {
    int memory_lost = is_cut_out(&memory), objects_lost = is_cut_out(&objects);
    if (!memory_lost && !objects_lost) return;
    process_lock();
    table_clear();
    frame_cache_clear();
    header_of(truth)->hook_losses++;
    process_unlock();
    if (memory_lost) wrap(&memory);
    if (objects_lost) wrap(&objects);
}
