/* The three calls that the loader makes, straight into the kernel: it has no C library of its own, and which one the
 * program has, if any, is not known. Each returns what the kernel does: a negative errno where it failed.
 */
#ifndef MEMWARDEN_PRELOAD_SYSCALLS_H
#define MEMWARDEN_PRELOAD_SYSCALLS_H

#include <stddef.h>

enum { CURRENT_FOLDER = -100, MAY_READ = 4, MAY_SEARCH = 1 };

#if defined(__x86_64__)
enum { CALL_MMAP = 9, CALL_READLINKAT = 267, CALL_FACCESSAT = 269 };

static inline long call(long number, long a, long b, long c, long d, long e, long f) {
    register long fourth __asm__("r10") = d, fifth __asm__("r8") = e, sixth __asm__("r9") = f;
    long answer = number;
    __asm__ volatile("syscall" : "+a"(answer)
                     : "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(sixth) : "rcx", "r11", "memory");
    return answer;
}
#elif defined(__aarch64__)
enum { CALL_MMAP = 222, CALL_READLINKAT = 78, CALL_FACCESSAT = 48 };

static inline long call(long number, long a, long b, long c, long d, long e, long f) {
    register long which __asm__("x8") = number, first __asm__("x0") = a, second __asm__("x1") = b,
                  third __asm__("x2") = c, fourth __asm__("x3") = d, fifth __asm__("x4") = e, sixth __asm__("x5") = f;
    __asm__ volatile("svc 0" : "+r"(first)
                     : "r"(which), "r"(second), "r"(third), "r"(fourth), "r"(fifth), "r"(sixth) : "memory");
    return first;
}
#else
#error "The loader is written for x86_64 and aarch64."
#endif

static inline long kernel_readlink(const char *path, char *into, size_t size) {
    return call(CALL_READLINKAT, CURRENT_FOLDER, (long)path, (long)into, (long)size, 0, 0);
}

static inline long kernel_access(const char *path, int how) {
    return call(CALL_FACCESSAT, CURRENT_FOLDER, (long)path, how, 0, 0, 0);
}

/* Memory that is never given back, or NULL: the C library must not free it, and it outlives every caller. */
static inline void *kernel_memory(size_t bytes) {
    enum { READ_AND_WRITE = 3, PRIVATE_AND_ANONYMOUS = 0x22 };
    long answer = call(CALL_MMAP, 0, (long)bytes, READ_AND_WRITE, PRIVATE_AND_ANONYMOUS, -1, 0);
    return answer < 0 && answer > -4096 ? NULL : (void *)answer;
}

#endif
