"""One quiet line at the bottom of the terminal, while the app prints above it.

The last row is taken out of the scrolling region (DECSTBM), as apt does. The terminal is the app's, not ours:
the line is withdrawn as soon as the app reads keys one by one (an editor, a REPL at its prompt) or another
process group has the terminal, and comes back after a second of calm. Every change is one write, so that it
is not mixed with what the app writes.
"""

import os
import termios
import time
from typing import Final

_SAVE: Final = "\x1b7"
_RESTORE: Final = "\x1b8"
# Down and up again: makes room when the cursor is in the last row, and changes nothing when it isn't. Not a
# newline: it would lose the column, and with it a prompt that the app has written.
_MAKE_ROOM: Final = "\x1bD\x1b[A"
_FEWEST_ROWS: Final = 5
_FEWEST_COLUMNS: Final = 20
_CALM_SECONDS: Final = 1.0
_LFLAG: Final = 3


class StatusLine:
    """The line on the terminal `descriptor`. Nothing is written when there is no terminal."""

    def __init__(self, descriptor: int, *, wanted: bool) -> None:
        self._descriptor = descriptor
        self._wanted = wanted and os.isatty(descriptor) and os.environ.get("TERM", "dumb") != "dumb"
        self._colour = not os.environ.get("NO_COLOR")
        self._shown_rows = 0
        self._last_text = ""
        self._busy_until = time.monotonic() + _CALM_SECONDS  # an app that wants the terminal takes it early

    @property
    def wanted(self) -> bool:
        return self._wanted

    def update(self, text: str) -> None:
        """Show `text`, or withdraw the line if the app uses the terminal in a way that it would disturb."""
        if not self._wanted:
            return
        now = time.monotonic()
        if not self._calm():
            self._busy_until = now + _CALM_SECONDS
            self.withdraw()
        elif now >= self._busy_until and (text != self._last_text or not self._shown_rows):
            self._draw(text)

    def withdraw(self) -> None:
        """Give the last row back. May be called at any time and any number of times."""
        if self._shown_rows:
            rows = self._shown_rows
            self._shown_rows = 0
            self._last_text = ""
            self._write(f"{_SAVE}\x1b[r\x1b[{rows};1H\x1b[2K{_RESTORE}")

    def resized(self) -> None:
        """The terminal has another size: give the row back; `update` draws the line again.

        Nothing is cleared: where the old line is now, and whether it is there at all, each terminal decides
        for itself, and a line of the app may be in its place.
        """
        if self._shown_rows:
            self._shown_rows = 0
            self._write(f"{_SAVE}\x1b[r{_RESTORE}")

    def _draw(self, text: str) -> None:
        rows, columns = self._size()
        if rows < _FEWEST_ROWS or columns < _FEWEST_COLUMNS:
            return
        make_room = "" if self._shown_rows else _MAKE_ROOM
        shown = text[: columns - 1]
        if self._colour:
            shown = f"\x1b[2m{shown}\x1b[0m"
        # The region again each time: the app may have reset the terminal.
        self._write(f"{make_room}{_SAVE}\x1b[1;{rows - 1}r\x1b[{rows};1H\x1b[2K{shown}{_RESTORE}")
        self._shown_rows = rows
        self._last_text = text

    def _calm(self) -> bool:
        """Whether the terminal is in the foreground with us and gives the app whole lines."""
        try:
            flags = termios.tcgetattr(self._descriptor)[_LFLAG]
            return bool(flags & termios.ICANON) and os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except (OSError, termios.error):
            return False

    def _size(self) -> tuple[int, int]:
        try:
            size = os.get_terminal_size(self._descriptor)
        except OSError:
            return 0, 0
        return size.lines, size.columns

    def _write(self, text: str) -> None:
        try:
            os.write(self._descriptor, text.encode())
        except OSError:  # the terminal is gone
            self._wanted = False
            self._shown_rows = 0
