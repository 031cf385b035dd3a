#include "ending.h"

#include <stddef.h>

#include "command.h"
#include "link.h"
#include "process.h"
#include "python_layout.h"
#include "sample_table.h"

static int said_goodbye;

int ending_has_begun(void) { return python.is_finalizing(); }

static void say_goodbye(void) {
    said_goodbye = 1;
    if (!command_is_running()) link_goodbye(); /* else the socket is the command's, in the middle of its answer */
}

void ending_look(void) {
    if (said_goodbye || !ending_has_begun()) return;
    say_goodbye();
    process_lock();
    table_unpublish(); /* the sidecar reads what was there before the heap was taken apart, however late it comes */
    process_unlock();
}

void ending_forked(void) { said_goodbye = 0; }

/* Not after os._exit, exec or a signal; without the lock, which an interrupted thread may hold. A child of a raw clone
 * has nothing to say: the socket is its parent's. */
__attribute__((destructor)) static void at_process_exit(void) {
    if (process != NULL && process->alive && !said_goodbye) say_goodbye();
}
