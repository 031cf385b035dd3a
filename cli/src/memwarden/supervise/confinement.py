"""What happens in a child between fork and exec: whom it runs as, and that it dies with us.

PostgreSQL refuses to run as root, and initdb wants its user to be in the password file. Neither is a reason
to add a user or to open folders: in a user namespace of its own a child is `nobody` inside and still us
outside, so that its files are ours. Where user namespaces are refused (seccomp profiles of containers) root
gives up its rights instead. `server_identity` says which of the two works here.
"""

import ctypes
import os
import pwd
import resource
import signal
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Final

CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWIPC: Final = 0x08000000
PR_SET_PDEATHSIG: Final = 1
_PREFERRED_UID: Final = 65534
_EXIT_CONFINEMENT: Final = 119
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


class How(Enum):
    SELF = "as ourselves"
    NAMESPACE = "in a user namespace"
    DROPPED = "under another user id"


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a child runs as. `uid` and `gid` are its own view; outside they count only with `How.DROPPED`."""

    how: How
    uid: int
    gid: int


OURSELVES: Final = Identity(How.SELF, os.geteuid(), os.getegid())


@cache
def server_identity() -> Identity | None:
    """Who may run initdb and postgres: not root, and in the password file. None: nobody can."""
    if os.geteuid() != 0 and _known(os.geteuid()):
        return OURSELVES
    user = _unprivileged_user()
    if user is None:
        return None
    namespaced = Identity(How.NAMESPACE, *user)
    if _works(namespaced):
        return namespaced
    dropped = Identity(How.DROPPED, *user)
    return dropped if os.geteuid() == 0 and _works(dropped) else None


def before_exec(
    identity: Identity, mask: frozenset[int], death_signal: signal.Signals | None
) -> Callable[[], None]:
    """A function for `Popen(preexec_fn=…)`. The process must have one thread only when it is used.

    PR_SET_PDEATHSIG fires when the *thread* that forked ends, so children are started by the main thread.
    """
    parent = os.getpid()

    def prepare() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        _take_on(identity)
        if death_signal is not None:
            _limits()
            # After the change of identity, which clears it. A parent that died before is noticed by its id.
            _LIBC.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(_EXIT_CONFINEMENT)

    return prepare


def _take_on(identity: Identity) -> None:
    if identity.how is How.DROPPED:
        os.setgroups([])
        os.setresgid(identity.gid, identity.gid, identity.gid)
        os.setresuid(identity.uid, identity.uid, identity.uid)
    elif identity.how is How.NAMESPACE:
        outer_uid, outer_gid = os.geteuid(), os.getegid()
        # With the IPC namespace PostgreSQL's small System V segment goes away even after kill -9.
        if _LIBC.unshare(CLONE_NEWUSER | CLONE_NEWIPC) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{identity.uid} {outer_uid} 1")
        _write("/proc/self/gid_map", f"{identity.gid} {outer_gid} 1")


def _limits() -> None:
    """No core files of ours; and soft limits that the user set for the app (`ulimit -Sv`) are not for us."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for limit in (resource.RLIMIT_AS, resource.RLIMIT_DATA, resource.RLIMIT_FSIZE, resource.RLIMIT_CPU):
        hard = resource.getrlimit(limit)[1]
        resource.setrlimit(limit, (hard, hard))


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _works(identity: Identity) -> bool:
    """Try it in a child: about a millisecond."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _take_on(identity)
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _known(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _unprivileged_user() -> tuple[int, int] | None:
    """`nobody` where there is one, else any user but root: only its presence in the password file counts."""
    users = [entry for entry in pwd.getpwall() if entry.pw_uid != 0]
    users.sort(key=lambda entry: entry.pw_uid != _PREFERRED_UID)
    return (users[0].pw_uid, users[0].pw_gid) if users else None
