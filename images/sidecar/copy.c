/* copy SOURCE TARGET: copies a folder of plain files and folders. A file appears whole or not at all, so that a
 * container that is started again may copy over what others are reading. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void fail(const char *what, const char *path) {
    fprintf(stderr, "memwarden-probes: can't %s %s: %s\n", what, path, strerror(errno));
    exit(1);
}

static void join(char *into, const char *folder, const char *name, const char *ending) {
    if (snprintf(into, PATH_MAX, "%s/%s%s", folder, name, ending) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        fail("name a file in", folder);
    }
}

static void copy_content(int from, int to, const char *source, const char *target) {
    static char buffer[1 << 16];
    ssize_t got;
    while ((got = read(from, buffer, sizeof buffer)) > 0)
        for (ssize_t written = 0, step; written < got; written += step)
            if ((step = write(to, buffer + written, (size_t)(got - written))) < 0) fail("write", target);
    if (got < 0) fail("read", source);
}

static void copy_file(const char *source, const char *target, mode_t mode) {
    char part[PATH_MAX + 8];
    snprintf(part, sizeof part, "%s.part", target);
    int from = open(source, O_RDONLY), to = open(part, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (from < 0) fail("read", source);
    if (to < 0) fail("write", part);
    copy_content(from, to, source, part);
    /* Whoever the program runs as must read it. */
    if (fchmod(to, mode & S_IXUSR ? 0755 : 0644) != 0 || close(to) != 0 || rename(part, target) != 0)
        fail("finish", target);
    close(from);
}

static void copy_folder(const char *source, const char *target) {
    DIR *folder = opendir(source);
    if (folder == NULL) fail("read", source);
    if (mkdir(target, 0755) != 0 && errno != EEXIST) fail("make", target);
    chmod(target, 0755); /* refused where the volume's own folder is another's: then it is open already */
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char from[PATH_MAX], to[PATH_MAX];
        struct stat kind;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        join(from, source, entry->d_name, "");
        join(to, target, entry->d_name, "");
        if (lstat(from, &kind) != 0) fail("look at", from);
        if (S_ISDIR(kind.st_mode)) copy_folder(from, to);
        else if (S_ISREG(kind.st_mode)) copy_file(from, to, kind.st_mode);
    }
    closedir(folder);
}

int main(int count, char **words) {
    if (count != 3) {
        fprintf(stderr, "usage: copy SOURCE TARGET\n");
        return 2;
    }
    copy_folder(words[1], words[2]);
    return 0;
}
