"""The temporary folder of one run, and the sweeping of those that killed runs left behind.

Nobody else may enter it. Only where root runs us, whose programs may give up their rights, it can be passed through, so
that they still reach the probes' socket: in a folder whose name can't be guessed nor listed. All else in it is closed.

Its owner holds a lock on the file `owner` for as long as it lives: the kernel lets go of it however the owner
ends. Unlike a process id it can't be mistaken for somebody else's, even by containers that share a folder.
"""

import fcntl
import os
import secrets
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from memwarden.errors import Failed, reason

PREFIX: Final = "memwarden-"
OWNER: Final = "owner"
# A Unix socket's path has 107 bytes; "/memwarden-12345678/database/.s.PGSQL.5432.lock" takes 48, the probes' takes 42.
_LONGEST_ROOT: Final = 107 - 48
_PASS_THROUGH: Final = 0o711
_GRACE_SECONDS: Final = 60
"""A folder without an owner is being made, or was abandoned in the middle of it."""


@dataclass(slots=True)
class RunFolder:
    """Use it as a context manager: on exit the folder is gone."""

    path: Path
    _lock: int

    @classmethod
    def make(cls) -> "RunFolder":
        parent = root()
        sweep(parent)
        try:
            path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
            lock = os.open(path / OWNER, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)  # a sweeper may hold it for a moment
            os.write(lock, f"{os.getpid()}\n".encode())
        except OSError as error:
            raise Failed(
                f"no temporary folder could be made in {parent}: {reason(error)}; set TMPDIR to another one"
            ) from error
        return cls(path, lock)

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)

    def make_door(self) -> Path:
        """A folder for the probes' socket: who was told its path reaches it, whatever user it has become."""
        door = self.path / secrets.token_urlsafe(12)
        if os.geteuid() != 0:  # the kernel then keeps all other users out
            door.mkdir(mode=0o700)
            return door
        door.mkdir()
        for folder in (door, self.path):
            folder.chmod(_PASS_THROUGH)
        return door

    def make_child(self, name: str) -> Path:
        """A folder of its own for a part."""
        child = self.path / name
        child.mkdir(mode=0o700)
        return child


def sweep(parent: Path) -> None:
    """Remove our folders whose owners are dead. What can't be removed is left for the next time."""
    try:
        candidates = [path for path in parent.iterdir() if path.name.startswith(PREFIX)]
    except OSError:
        return
    for path in candidates:
        try:
            if _abandoned(path):
                shutil.rmtree(path, ignore_errors=True)
        except OSError:
            continue


def _abandoned(path: Path) -> bool:
    status = path.lstat()
    if status.st_uid != os.geteuid() or not path.is_dir() or path.is_symlink():
        return False
    try:
        owner = os.open(path / OWNER, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return not any(path.iterdir()) and time.time() - status.st_mtime > _GRACE_SECONDS
    try:
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        # Between its making and its locking the file is empty.
        return os.fstat(owner).st_size > 0 or time.time() - status.st_mtime > _GRACE_SECONDS
    finally:
        os.close(owner)


def root() -> Path:
    """Where temporary folders go, as Python sees it; /tmp where that path is too long for sockets."""
    try:
        usual = Path(tempfile.gettempdir()).absolute()
    except FileNotFoundError as error:
        raise Failed("no folder for temporary files can be written; set TMPDIR to one that can") from error
    return usual if len(os.fsencode(usual)) <= _LONGEST_ROOT else Path("/tmp")  # noqa: S108 - the only short one
