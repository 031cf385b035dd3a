#define _GNU_SOURCE
#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "allocator_hook.h"
#include "budget.h"
#include "command.h"
#include "hash_index.h"
#include "holdings.h"
#include "json_scan.h"
#include "process.h"
#include "sample_table.h"

enum {
    LOWEST_FD = 200, /* programs expect the small numbers for themselves */
    LINE_BYTES = 8192,
    IDENTITY_BYTES = 16384,
    BACKOFF_FIRST_MS = 500,
    BACKOFF_LAST_MS = 8000,
    CGROUP_V1_MAGIC = 0x27e0eb, /* linux/magic.h */
};
static const uint64_t MS = 1000000, CHILD_QUIET_MS = 1000, CHILD_QUIET_BYTES = 1 << 20;
static const uint64_t AVERAGE_MIN = 256, AVERAGE_MAX = 1u << 30;

uint64_t link_due_bytes = UINT64_MAX;
static struct sockaddr_un peer;
static char *identity;
static int in_container; /* the sidecar sees neither our process id nor our cgroup: we hand over folders of both */

static struct {
    int fd; /* −1: not connected */
    ino_t inode;
    dev_t device;
    uint64_t next_attempt_ns;
    uint32_t backoff_ms;
    size_t received;
    int skipping; /* in the rest of a line that was too long */
    char line[LINE_BYTES];
} wire = {.fd = -1, .backoff_ms = BACKOFF_FIRST_MS};

/* A program may close every descriptor and get our number for a file of its own. What fails this check is not ours:
 * it is neither written to nor closed. */
static int is_still_ours(void) {
    struct stat now;
    return wire.fd >= 0 && fstat(wire.fd, &now) == 0 && S_ISSOCK(now.st_mode) && now.st_ino == wire.inode &&
           now.st_dev == wire.device;
}

static void drop(void) {
    if (is_still_ours()) close(wire.fd);
    wire.fd = -1;
    wire.received = 0;
    wire.skipping = 0;
    process_lock();
    table_unpublish();
    process_unlock();
}

int link_start(const char *path, const char *identity_members) {
    if (strlen(path) >= sizeof peer.sun_path || strlen(identity_members) >= IDENTITY_BYTES) return 0;
    peer.sun_family = AF_UNIX;
    strcpy(peer.sun_path, path);
    identity = map_private(IDENTITY_BYTES);
    if (identity == NULL) return 0;
    strcpy(identity, identity_members);
    const char *container = getenv("MEMWARDEN_CONTAINER");
    in_container = container != NULL && *container != '\0';
    return 1;
}

int link_send(const char *bytes, size_t count, int wait_ms) {
    while (count > 0) {
        if (!is_still_ours()) return 0;
        ssize_t sent = send(wire.fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && (errno != EAGAIN || wait_ms <= 0)) return 0;
        if (sent < 0) {
            struct pollfd ready = {.fd = wire.fd, .events = POLLOUT};
            poll(&ready, 1, 50);
            wait_ms -= 50;
            continue;
        }
        bytes += sent;
        count -= (size_t)sent;
    }
    return 1;
}

/* ---- Hello -------------------------------------------------------------------------------------------------- */

/* What goes with a hello, in the order of its member "descriptors". */
struct handed {
    int fds[3], count;
    int proc_pid; /* our id in the process namespace of the /proc that goes with it; 0: none goes */
};

static int open_folder(const char *path) {
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Version 1 has a hierarchy for each controller, version 2 one for all. */
static int open_memory_cgroup(void) {
    int fd = open_folder("/sys/fs/cgroup/memory");
    struct statfs kind;
    if (fd >= 0 && fstatfs(fd, &kind) == 0 && kind.f_type == CGROUP_V1_MAGIC) return fd;
    if (fd >= 0) close(fd);
    return open_folder("/sys/fs/cgroup");
}

/* A folder of /proc shows the process namespace of its mount to whoever has it: what the sidecar reads there costs
 * this process nothing, and is there while it sleeps or is stopped. */
static void add_folders(struct handed *handed) {
    char self[16] = "";
    int fd = readlink("/proc/self", self, sizeof self - 1) > 0 ? open_folder("/proc") : -1;
    if (fd < 0) return;
    handed->proc_pid = atoi(self);
    handed->fds[handed->count++] = fd;
    fd = open_memory_cgroup();
    if (fd >= 0) handed->fds[handed->count++] = fd;
}

static int send_with_rights(int fd, char *text, size_t length, const struct handed *handed) {
    union { char bytes[CMSG_SPACE(sizeof handed->fds)]; struct cmsghdr align; } control = {{0}};
    size_t bytes = (size_t)handed->count * sizeof handed->fds[0];
    struct iovec part = {text, length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
                             .msg_controllen = CMSG_SPACE(bytes)};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(bytes);
    memcpy(CMSG_DATA(rights), handed->fds, bytes);
    /* A fresh socket's buffer holds a hello whole; a part of one would be of no use to anybody. */
    return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)length;
}

static int send_hello(int fd, int table_fd) {
    static char hello[IDENTITY_BYTES + 512];
    struct handed handed = {.fds = {table_fd}, .count = 1};
    char folders[96] = "";
    if (in_container) add_folders(&handed);
    if (handed.count > 1)
        snprintf(folders, sizeof folders, "\"descriptors\":[\"table\",\"proc\"%s],\"proc_pid\":%d,",
                 handed.count > 2 ? ",\"cgroup\"" : "", handed.proc_pid);
    const char *census = !command_has_census()   ? ""
                         : holdings_are_trusted() ? ",\"census\",\"caches\""
                                                  : ",\"census\"";
    int length = snprintf(hello, sizeof hello,
                          "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\",\"params\":{\"protocol\":1,\"pid\":%d,"
                          "\"ppid\":%d,\"capabilities\":[\"stats\",\"sites\"%s],%s%s}}\n",
                          (int)getpid(), (int)getppid(), census, folders, identity);
    int sent = send_with_rights(fd, hello, (size_t)length, &handed);
    while (handed.count > 1) close(handed.fds[--handed.count]);
    return sent;
}

static int move_up(int fd) {
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, LOWEST_FD);
    if (moved < 0) return fd; /* RLIMIT_NOFILE is lower than that */
    close(fd);
    return moved;
}

static int dial(void) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    if (connect(fd, (struct sockaddr *)&peer, sizeof peer) != 0) {
        close(fd);
        return -1;
    }
    return move_up(fd);
}

static int connect_and_introduce(void) {
    int fd = dial();
    struct stat socket_stat;
    if (fd < 0) return 0;
    process_lock();
    int table_fd = table_publish();
    process_unlock();
    if (table_fd < 0 || fstat(fd, &socket_stat) != 0 || !send_hello(fd, table_fd)) {
        if (table_fd >= 0) close(table_fd);
        close(fd);
        drop();
        return 0;
    }
    close(table_fd); /* the mapping and the sidecar keep it; a reconnection makes a new one */
    wire.fd = fd;
    wire.inode = socket_stat.st_ino;
    wire.device = socket_stat.st_dev;
    return 1;
}

static void try_connect(uint64_t now) {
    if (now < wire.next_attempt_ns && hook_allocated_bytes() < link_due_bytes) return;
    link_due_bytes = UINT64_MAX;
    wire.next_attempt_ns = now + wire.backoff_ms * MS;
    wire.backoff_ms = wire.backoff_ms < BACKOFF_LAST_MS ? wire.backoff_ms * 2 : BACKOFF_LAST_MS;
    connect_and_introduce();
}

/* ---- Requests ----------------------------------------------------------------------------------------------- */

static void answer(struct json_span id, const char *body) {
    char text[512];
    int length = snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%.*s,%s}\n", (int)(id.end - id.start),
                          id.start, body);
    if (length > 0 && (size_t)length < sizeof text) link_send(text, (size_t)length, 0);
}

static int obey_average(struct json_span object) {
    struct json_span value;
    if (!json_member(object, "average_bytes", &value)) return 0;
    uint64_t average = json_number(value, 0);
    if (average < AVERAGE_MIN || average > AVERAGE_MAX) return 0;
    budget_want_average(average);
    return 1;
}

/* 0: it has to wait until the running command has ended. */
static int handle(struct json_span line) {
    struct json_span method, id, params = {"{}", "{}" + 2}, top, result;
    if (json_member(line, "result", &result)) return obey_average(result), 1;
    if (!json_member(line, "method", &method) || !json_member(line, "id", &id) || id.end - id.start > 64) return 1;
    json_member(line, "params", &params);
    if (json_equals(method, "\"set_sampling\"")) {
        answer(id, obey_average(params) ? "\"result\":{}"
                                        : "\"error\":{\"code\":-32602,\"message\":\"average_bytes must be a whole "
                                          "number from 256 to 1073741824\"}");
        return 1;
    }
    if (json_equals(method, "\"census\"") && command_has_census()) {
        if (!budget_allows_census()) {
            answer(id, "\"error\":{\"code\":-32002,\"message\":\"the last census took more than the budget has earned since\"}");
            return 1;
        }
        if (!command_is_safe()) {
            answer(id, "\"error\":" COMMAND_UNSAFE);
            return 1;
        }
        uint64_t wanted = json_member(params, "top", &top) ? json_number(top, 50) : 50;
        return command_start(id.start, (size_t)(id.end - id.start), (uint32_t)(wanted < 1000 ? wanted : 1000));
    }
    answer(id, "\"error\":{\"code\":-32601,\"message\":\"method not found\"}");
    return 1;
}

static void handle_lines(void) {
    char *line = wire.line, *end;
    while ((end = memchr(line, '\n', wire.received - (size_t)(line - wire.line))) != NULL) {
        if (!wire.skipping && !handle((struct json_span){line, end})) break;
        wire.skipping = 0;
        line = end + 1;
    }
    wire.received -= (size_t)(line - wire.line);
    memmove(wire.line, line, wire.received);
    if (end == NULL && wire.received == LINE_BYTES) {
        wire.received = 0;
        wire.skipping = 1;
    }
}

void link_poll(uint64_t now) {
    if (command_is_running()) return; /* the socket is the command's until it has answered */
    if (wire.fd >= 0 && !is_still_ours()) drop();
    if (wire.fd < 0) {
        try_connect(now);
        return;
    }
    handle_lines();
    if (wire.received == LINE_BYTES || command_is_running()) return;
    ssize_t got = recv(wire.fd, wire.line + wire.received, LINE_BYTES - wire.received, MSG_DONTWAIT);
    if (got > 0) {
        wire.received += (size_t)got;
        wire.backoff_ms = BACKOFF_FIRST_MS; /* somebody is there who speaks to us */
        handle_lines();
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        drop();
        try_connect(now);
    }
}

/* The parent's socket must not stay open here: the sidecar would not see the parent's death. */
void link_forked(uint64_t now, uint64_t allocated) {
    if (is_still_ours()) close(wire.fd);
    wire.fd = -1;
    wire.received = 0;
    wire.skipping = 0;
    wire.backoff_ms = BACKOFF_FIRST_MS;
    wire.next_attempt_ns = now + CHILD_QUIET_MS * MS;
    link_due_bytes = allocated + CHILD_QUIET_BYTES;
}

void link_goodbye(void) {
    static const char GOODBYE[] = "{\"jsonrpc\":\"2.0\",\"method\":\"goodbye\",\"params\":{}}\n";
    if (wire.fd >= 0) link_send(GOODBYE, sizeof GOODBYE - 1, 0);
}
