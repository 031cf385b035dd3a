"""The account of batches: how many were made, and what became of each. It outlives a killed sidecar.

It stands in a file of the spool's folder, written in place at each change: what the kernel has taken stays, however
this process ends. The next sidecar on the same spool goes on with it, and books as lost what its forerunner had in
memory alone: made, in none of the other columns, and not in the spool.
"""

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from memwarden_sidecar.notices import Notices

FILE: Final = ".account"
COLUMNS: Final = ("made", "sent", "refused", "lost")
Column = Literal["made", "sent", "refused", "lost"]
_FORMAT: Final = struct.Struct("<8s4Q")
_MAGIC: Final = b"MWACCT01"


class Account:
    """To be used under the sender's lock. Each count is a notice's as well: `batches-made`, and so on."""

    def __init__(self, folder: Path | None, in_spool: int, notices: Notices) -> None:
        self._notices = notices
        self._numbers = dict.fromkeys(COLUMNS, 0)
        self._file = _open(folder / FILE) if folder is not None else -1
        if self._file >= 0:
            self._go_on(in_spool)

    def _go_on(self, in_spool: int) -> None:
        known = _FORMAT.size == len(data := os.pread(self._file, _FORMAT.size, 0)) and _FORMAT.unpack(data)
        if not known or known[0] != _MAGIC:
            # The spool may hold batches of a sidecar that kept no account.
            self._numbers["made"] = in_spool
        else:
            self._numbers = dict(zip(COLUMNS, known[1:], strict=True))
            settled = self._numbers["sent"] + self._numbers["refused"] + self._numbers["lost"] + in_spool
            self._numbers["lost"] += max(0, self._numbers["made"] - settled)
        self._write()

    def count(self, column: Column, by: int = 1) -> None:
        self._notices.count(f"batches-{column}", by)
        self._numbers[column] += by
        self._write()

    def _write(self) -> None:
        if self._file >= 0:
            try:
                os.pwrite(self._file, _FORMAT.pack(_MAGIC, *self._numbers.values()), 0)
            except OSError as error:
                self._notices.once(
                    "account-failed", f"the spool's account can't be written: {error.strerror}"
                )

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _open(path: Path) -> int:
    """A disk may be full: then there is no account, and the spool says so itself."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return -1


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of all batches, after the last sidecar has ended: made = sent + refused + lost + left."""

    made: int
    sent: int
    """Acknowledged by the collector."""
    refused: int
    """By the collector, for good."""
    lost: int
    """Pushed out by newer ones, or in the memory of a sidecar that was killed."""
    left: int
    """In the spool."""


def settle(folder: Path) -> Settled | None:
    """Of the spool in `folder`; None where no account was kept."""
    try:
        magic, made, sent, refused, _ = _FORMAT.unpack((folder / FILE).read_bytes())
        left = sum(1 for entry in os.scandir(folder) if not entry.name.startswith("."))
    except (OSError, struct.error):
        return None
    if magic != _MAGIC:
        return None
    return Settled(made, sent, refused, max(0, made - sent - refused - left), left)
