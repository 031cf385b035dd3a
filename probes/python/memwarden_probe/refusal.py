"""Says hello for an interpreter that has no hook, with the reason, and hangs up. Silent on any failure."""

import os


def say(path, identity):
    import _socket  # the C part only: socket itself is what gevent and others patch

    link = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        link.setblocking(False)
        link.connect(path)
        members = '"protocol":1,"pid":%d,"ppid":%d,"capabilities":[],%s' % (
            os.getpid(),
            os.getppid(),
            identity,
        )
        hello = '{"jsonrpc":"2.0","id":1,"method":"hello","params":{%s}}\n' % members
        link.send(hello.encode("ascii"), _socket.MSG_NOSIGNAL)
    except OSError:
        pass
    finally:
        link.close()
