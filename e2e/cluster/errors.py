"""What can go wrong, as a tree. Each message names the thing, the cause and what mends it.

ClusterError
├─ Unsuitable      this machine can't do it: not root, no disk, no package, a kernel that lacks something
├─ CommandFailed   a program that we called failed
└─ NotReady        a time-out: something didn't come up, or didn't go away
"""

from pathlib import Path


class ClusterError(Exception):
    """The root: whoever catches it has all that the cluster says on purpose."""


class Unsuitable(ClusterError):
    """The machine lacks something; nothing has been changed."""


class CommandFailed(ClusterError):
    """A program ended with an error."""

    def __init__(self, command: list[str], exit_code: int, said: str) -> None:
        # A program's last lines hold its error; all of them would bury it.
        tail = "\n".join(said.strip().splitlines()[-15:])
        super().__init__(
            f"`{' '.join(command)}` failed with exit code {exit_code}: {tail or 'it said nothing'}"
        )
        self.exit_code = exit_code
        self.said = said


class NotReady(ClusterError):
    """Something did not happen in time."""

    def __init__(self, what: str, seconds: float, log: Path | None = None) -> None:
        where = f"; its last words are in {log}" if log else ""
        super().__init__(f"{what} did not happen within {seconds:.0f} s{where}")
