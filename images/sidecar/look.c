/* look: run in an image of the app before that starts; leaves what the image (or envFrom) preloads as its termination
 * message, which the controller reads. Whatever goes wrong, it ends well: the app must start. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LONGEST 400

static int says_something(const char *value) {
    return value != NULL && value[strspn(value, ": \t\n")] != 0;
}

int main(int count, char **words) {
    static char message[LONGEST] = "LD_PRELOAD=";
    const char *value = getenv("LD_PRELOAD");
    if (!says_something(value)) return 0;
    strncat(message, value, sizeof message - strlen(message) - 1);
    int log = open(count > 1 ? words[1] : "/dev/termination-log", O_WRONLY | O_TRUNC | O_CREAT, 0644);
    if (log < 0) return 0;
    ssize_t written = write(log, message, strlen(message));
    (void)written; /* there is nobody to tell */
    return 0;
}
