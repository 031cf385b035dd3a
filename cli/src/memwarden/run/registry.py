"""Which runs are under way here: each says in its own folder (mode 0700) how its collector is reached."""

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from memwarden.api import Api
from memwarden.run.folder import OWNER, PREFIX, root

FILE: Final = "run.json"


def announce(folder: Path, api: Api) -> None:
    """Let other commands of the same user find this run."""
    draft = folder / f"{FILE}.draft"
    draft.touch(mode=0o600)  # it holds the token
    draft.write_text(json.dumps({"pid": os.getpid(), "api": asdict(api)}), encoding="utf-8")
    draft.rename(folder / FILE)


@dataclass(frozen=True, slots=True)
class RunningHere:
    """A run of this user that is under way."""

    pid: int
    """Of its `memwarden run`."""
    api: Api
    started_at: float
    """Unix seconds: when it was announced."""


def runs() -> list[RunningHere]:
    """All runs of this user whose owners live, the latest first. A killed run's folder may still be there: it has
    no owner and is left out.
    """
    found = []
    for file in root().glob(f"{PREFIX}*/{FILE}"):
        try:
            status = file.stat()
            if status.st_uid != os.geteuid() or not _is_owned(file.parent):
                continue
            said = json.loads(file.read_text(encoding="utf-8"))
            found.append(RunningHere(int(said["pid"]), Api(**said["api"]), status.st_mtime))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # just ended
    return sorted(found, key=lambda run: (-run.started_at, run.pid))


def api_of(pid: int) -> Api | None:
    """The collector of the run whose command has `pid`; None where there is none, or not yet."""
    return next((run.api for run in runs() if run.pid == pid), None)


def _is_owned(folder: Path) -> bool:
    """Whether somebody holds the lock of the folder's owner."""
    owner = os.open(folder / OWNER, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(owner, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(owner)
    return False
