"""What the command tells a running sidecar: one JSON object a line on standard input, `{"pid": N}` so far.

The sidecar is started before the app, so that the app's first allocation finds it listening; the app's
process id is known only then. The end of the input ends nothing.
"""

import json
import os
import stat
from typing import Final

from memwarden_sidecar.notices import Notices
from memwarden_sidecar.settings import CONTROL_LINE_BYTES

STDIN: Final = 0


class Control:
    """Lines from a descriptor that is read when it is ready. `open` is False at its end."""

    def __init__(self, notices: Notices, descriptor: int = STDIN) -> None:
        self._descriptor = descriptor
        self._notices = notices
        self._buffer = b""
        self.open = is_listened_to(descriptor)

    def receive(self) -> list[int]:
        """Process ids that have come."""
        try:
            data = os.read(self._descriptor, CONTROL_LINE_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        self.open = bool(data)
        *lines, self._buffer = (self._buffer + (data or b"\n")).split(b"\n")
        if len(self._buffer) > CONTROL_LINE_BYTES:
            self._buffer = b""
            self._notices.once("control", "a line on standard input is too long and was not read")
        return [pid for line in lines if line.strip() and (pid := self._parse(line)) is not None]

    def _parse(self, line: bytes) -> int | None:
        try:
            message = json.loads(line)
            pid = message["pid"]
        except (ValueError, TypeError, KeyError, RecursionError):
            pid = None
        if isinstance(pid, int) and not isinstance(pid, bool) and 0 < pid < 1 << 31:
            return pid
        self._notices.once("control", 'a line on standard input is not {"pid": N} and was not used')
        return None


def is_listened_to(descriptor: int) -> bool:
    """Pipes and sockets only: a terminal is the user's, a file and /dev/null say nothing."""
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
