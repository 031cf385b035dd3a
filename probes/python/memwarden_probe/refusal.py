"""Says hello for an interpreter that has no hook, with the reason, and hangs up. Silent on any failure."""

import os
import sys


def open_folder(path):
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def folders():
    """What the native link hands over in a container (link.c): (names and our id there, descriptors)."""
    if not os.environ.get("MEMWARDEN_CONTAINER"):
        return "", []
    opened = [open_folder("/proc")]
    try:
        v1 = "/sys/fs/cgroup/memory"
        is_v1 = os.path.exists(v1 + "/memory.limit_in_bytes")
        opened.append(open_folder(v1 if is_v1 else "/sys/fs/cgroup"))
    except OSError:
        pass
    names = ",".join(['"proc"', '"cgroup"'][: len(opened)])
    return '"descriptors":[%s],"proc_pid":%d,' % (names, int(os.readlink("/proc/self"))), opened


def say(path, identity):
    import _socket  # the C part only: socket itself is what gevent and others patch

    link = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    opened = []
    try:
        link.setblocking(False)
        link.connect(path)
        handed, opened = folders()
        members = '"protocol":1,"pid":%d,"ppid":%d,"capabilities":[],%s%s' % (
            os.getpid(),
            os.getppid(),
            handed,
            identity,
        )
        hello = '{"jsonrpc":"2.0","id":1,"method":"hello","params":{%s}}\n' % members
        rights = b"".join(fd.to_bytes(4, sys.byteorder) for fd in opened)
        ancillary = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)] if opened else []
        link.sendmsg([hello.encode("ascii")], ancillary, _socket.MSG_NOSIGNAL)
    except OSError:
        pass
    finally:
        for descriptor in opened:
            os.close(descriptor)
        link.close()
