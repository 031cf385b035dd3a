"""Who the watched processes are: program, arguments, runtime. Read when first seen, and again now and then.

A process seen right after fork still has its parent's program; exec changes it. So it is read again at looks
1, 2, 4, 8, … and every REREAD_LOOKS, and when a new hello comes.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from memwarden_sidecar.clock import Clock
from memwarden_sidecar.errors import Unreadable
from memwarden_sidecar.observation import ProcessIdentity
from memwarden_sidecar.probes.hello import Hello
from memwarden_sidecar.probes.linked import Linked
from memwarden_sidecar.probes.table import Counters
from memwarden_sidecar.sources import runtime
from memwarden_sidecar.sources.proc_files import CLOCK_TICKS, ProcessKey, ProcFolder, Stat

REREAD_LOOKS: Final = 64
SILENT_SECONDS: Final = 5.0
"""A program that allocates shows itself four times a second; one that waits, not at all."""


@dataclass(slots=True)
class _Known:
    looks: int
    created: float
    executable: str
    command_line: str
    embedded: runtime.Runtime = runtime.UNKNOWN
    hello: Hello | None = None
    """What its probe said last: it holds for a zombie too, whose table has been given back."""
    last: Counters | None = None
    """And what its table said, for the same reason."""
    silent_since: float | None = None
    """Unix seconds."""
    ended: float | None = None


class Identities:
    """What is known of each living process. Not thread-safe."""

    def __init__(self, proc: ProcFolder, clock: Clock) -> None:
        self._proc = proc
        self._clock = clock
        self._known: dict[ProcessKey, _Known] = {}

    def look(self, stat: Stat) -> None:
        """Read what may have changed."""
        known = self._known.get(stat.key)
        if known is None:
            known = self._known[stat.key] = self._unread(stat.key)
        known.looks += 1
        if known.looks & (known.looks - 1) == 0 or known.looks % REREAD_LOOKS == 0:
            self._read(stat.key, known)

    def meet(self, stat: Stat) -> None:
        """Its probe has said hello: it is new, or has started another program."""
        known = self._known.setdefault(stat.key, self._unread(stat.key))
        self._read(stat.key, known)

    def _read(self, key: ProcessKey, known: _Known) -> None:
        # A zombie has neither any more: what was known stays.
        known.executable = self._proc.executable(key.pid) or known.executable
        known.command_line = self._proc.command_line(key.pid) or known.command_line
        if known.hello is None and runtime.guess(known.executable) == runtime.UNKNOWN:
            with suppress(Unreadable):
                known.embedded = runtime.embedded(self._proc.maps(key.pid))

    def _unread(self, key: ProcessKey) -> _Known:
        return _Known(0, self._clock.of_elapsed(key.start_ticks / CLOCK_TICKS), "", "")

    def keep(self, keys: Iterable[ProcessKey]) -> None:
        """Forget all others."""
        kept = set(keys)
        for key in [key for key in self._known if key not in kept]:
            del self._known[key]

    def is_copy(self, key: ProcessKey, of: ProcessKey) -> bool:
        """Whether a child runs the program of its parent with the same arguments: forked, no exec since."""
        child, parent = self._known.get(key), self._known.get(of)
        return (
            child is not None
            and parent is not None
            and (child.executable, child.command_line) == (parent.executable, parent.command_line)
        )

    def note_silence(self, key: ProcessKey, seconds: float) -> None:
        """How long ago its probe last showed a sign of life: it does so as the program allocates."""
        known = self._known.get(key)
        if known is None:
            return
        since = self._clock.now() - seconds
        if seconds < SILENT_SECONDS:
            known.silent_since = None
        elif known.silent_since is None or since > known.silent_since + 1:  # else read a bit differently
            known.silent_since = since

    def of(self, key: ProcessKey, parent_pid: int, linked: Linked | None) -> ProcessIdentity:
        """The identity now; with what its probe said, if it has one."""
        known = self._known.get(key) or _Known(
            0, self._clock.of_elapsed(key.start_ticks / CLOCK_TICKS), "", ""
        )
        guess = runtime.guess(known.executable)
        if guess == runtime.UNKNOWN:
            guess = known.embedded
        if linked is not None:
            known.hello = linked.hello
            if not linked.has_ended:  # exec: it goes on with another program
                known.ended = None
            elif known.ended is None:
                known.ended = self._clock.now()
        hello = known.hello
        counters = linked.last if linked is not None else known.last
        known.last = counters
        hooked = hello is not None and hello.hooked and not (counters is not None and counters.off)
        reason = counters.restraint if counters is not None else ""
        if not reason and not hooked:
            reason = hello.reason if hello is not None else ""
            reason = reason or runtime.outside_reason(guess, known.executable, known.command_line)
        elif not reason and known.silent_since is not None:
            reason = runtime.silent_reason(known.silent_since)
        return ProcessIdentity(
            key=key,
            parent_pid=parent_pid,
            created=known.created,
            command_line=known.command_line,
            # Of another user's process the link in /proc can't be read.
            executable=known.executable or (hello.executable if hello is not None else ""),
            runtime=hello.runtime if hello is not None and hello.runtime else guess.name,
            runtime_version=hello.version if hello is not None and hello.runtime else guess.version,
            hooked=hooked,
            reason=reason,
            library_prefixes=hello.library_prefixes if hello is not None else (),
            ended=known.ended,
        )
