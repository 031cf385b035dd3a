/* keep BYTES PER_SECOND: allocates blocks of BYTES, PER_SECOND of them a second, writes to them and never frees one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct block {
    struct block *next;
    char content[];
};

/* The head of the list: what is kept is reachable, as in most real leaks. */
static struct block *kept;

static void keep(size_t bytes) {
    struct block *block = malloc(sizeof *block + bytes);
    if (block == NULL) {
        perror("keep");
        exit(1);
    }
    memset(block->content, 1, bytes);
    block->next = kept;
    kept = block;
}

int main(int count, char **words) {
    if (count != 3) {
        fprintf(stderr, "usage: keep BYTES PER_SECOND\n");
        return 2;
    }
    size_t bytes = strtoul(words[1], NULL, 10);
    long per_second = strtol(words[2], NULL, 10);
    if (per_second < 1 || per_second > 1000000) {
        fprintf(stderr, "keep: PER_SECOND is from 1 to 1000000\n");
        return 2;
    }
    struct timespec pause = {.tv_sec = per_second == 1, .tv_nsec = per_second == 1 ? 0 : 1000000000 / per_second};
    for (;;) {
        keep(bytes);
        nanosleep(&pause, NULL);
    }
}
