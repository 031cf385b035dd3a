"""The sidecar's one loop, and the order in which its parts start and stop.

Start: spool → sender → socket → ready file. Then the loop waits for the next tick, for probes, for standard
input, for signals. Stop, on SIGTERM or SIGINT or when the parent has died: last tick, last profiles, flush;
it takes less than 5 seconds whatever the collector does. A fault within a tick is counted and said, and the
next tick comes all the same.
"""

import json
import os
import resource
import selectors
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Final

from memwarden_sidecar.clock import JUMP_WORTH_SAYING_SECONDS, Clock
from memwarden_sidecar.control import Control
from memwarden_sidecar.errors import CannotStart
from memwarden_sidecar.export import metrics, profiles
from memwarden_sidecar.export.backlog import Backlog
from memwarden_sidecar.export.batch import Batch, BatchIds, Kind, compress
from memwarden_sidecar.export.resources import ScopeIdentity
from memwarden_sidecar.export.sender import Sender
from memwarden_sidecar.export.spool import Spool
from memwarden_sidecar.export.transport import Transport
from memwarden_sidecar.notices import LOGGER, Notices
from memwarden_sidecar.observation import Observation, ScopeSample
from memwarden_sidecar.probes.door import Door
from memwarden_sidecar.probes.linked import Linked, LinkedProcesses
from memwarden_sidecar.profile_round import ProfileRound
from memwarden_sidecar.schedule import FIRST_PROFILE_TICKS, Grid
from memwarden_sidecar.settings import (
    COMMAND_LINE_BYTES,
    LAST_PROFILES_SECONDS,
    PROFILE_SLICE_SECONDS,
    Settings,
)
from memwarden_sidecar.sources.proc_files import ProcFolder
from memwarden_sidecar.watch import Watch

LOOK_ROUND_SECONDS: Final = 1.0
"""Longest sleep: silent connections, ended processes and the end of our parent are seen by then."""
ENDING_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Sidecar:
    """One watched scope. `run` returns when it is told to stop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._notices = Notices((settings.token,))
        self._clock = clock = Clock()
        self._proc = ProcFolder()
        self._scope = ScopeIdentity(
            id=settings.scope_id,
            service=_service(settings),
            host=socket.gethostname(),
            command_line=settings.command_line[:COMMAND_LINE_BYTES],
            interval=settings.interval,
        )
        self._started = clock.now()
        self._ids = BatchIds(clock.now)
        self._stopping = False
        self._parent = os.getppid()
        self._selector = selectors.DefaultSelector()
        self._linked = LinkedProcesses(
            self._proc,
            self._notices,
            clock.elapsed,
            settings.interval,
            settings.sampling_bytes,
            lambda stat: self._watch.meet(stat),
            self._see_last,
        )
        self._watch = Watch(self._proc, clock, self._linked, self._notices, settings.memory_limit)
        self._control = Control(self._notices)
        spool = Spool(settings.spool, settings.spool_limit) if settings.spool is not None else None
        backlog = Backlog(spool, self._notices, clock.elapsed)
        self._sender = Sender(
            Transport(settings.collector, settings.token), backlog, self._notices, clock.elapsed
        )
        try:
            self._door = Door(settings.socket, self._selector, self._linked, self._notices, clock.elapsed)
        except CannotStart:
            backlog.close()
            raise
        now = clock.elapsed()
        self._ticks = Grid(now, settings.interval)
        self._profiles = Grid(now + FIRST_PROFILE_TICKS * settings.interval, settings.profile_seconds())
        self._round = ProfileRound(self._send_profile, clock.elapsed, time.thread_time, self._notices)

    def run(self) -> int:
        """Returns the exit code."""
        awake = self._hear_signals()
        self._sender.start()
        try:
            if self._settings.pid is not None:
                self._watch.follow_root(self._settings.pid)
            if self._control.open:
                self._selector.register(0, selectors.EVENT_READ, self._hear_control)
            self._say_ready()
            while not self._stopping:
                self._turn()
            self._guarded(self._last_tick)
        finally:
            self._stop(awake)
        return 0

    # ── The loop ─────────────────────────────────────────────────────────────────────────────────────

    def _turn(self) -> None:
        now = self._clock.elapsed()
        sleep = 0.0 if self._round.is_open else min(self._ticks.wait(now), LOOK_ROUND_SECONDS)
        for key, _ in self._selector.select(sleep):
            self._guarded(key.data)
        self._guarded(self._look_round)
        if self._ticks.is_due(self._clock.elapsed()) and not self._stopping:
            self._guarded(self._tick)
            self._ticks.advance(self._clock.elapsed())
        self._guarded(lambda: self._round.go_on(PROFILE_SLICE_SECONDS))

    def _guarded(self, step: Callable[[], object]) -> None:
        """A fault of ours must not end the watch: it is said with its place, once a kind."""
        try:
            step()
        except Exception as error:
            self._notices.once(
                f"fault:{type(error).__name__}",
                f"a step failed: {type(error).__name__}: {error}",
            )
            LOGGER.debug("the step that failed", exc_info=True)

    def _look_round(self) -> None:
        self._door.tend()
        self._linked.bury_ended()
        if os.getppid() != self._parent:
            LOGGER.warning("the process that started this sidecar has ended; it ends too")
            self._stopping = True

    def _tick(self) -> None:
        now = self._clock.elapsed()
        self._send_metrics(self._watch.observe())
        if self._profiles.is_due(now):
            self._profiles.advance(now)
            self._round.begin(self._with_table())
        self._linked.ask_for_censuses()
        if abs(jump := self._clock.jump()) > JUMP_WORTH_SAYING_SECONDS:
            self._notices.once(
                "clock-jumped",
                f"the wall clock jumped by {jump:.0f} s; sample times go on as before",
            )

    def _last_tick(self) -> None:
        self._send_metrics(self._watch.observe())
        self._linked.bury_ended()
        self._round.begin(self._with_table(), last=True)
        self._round.go_on(LAST_PROFILES_SECONDS)

    def _send_metrics(self, seen: Observation) -> None:
        for message in metrics.encode(self._scope, seen, self._started):
            self._offer(Kind.METRICS, message)

    def _with_table(self) -> list[Linked]:
        """Largest heaps first."""
        found = [linked for linked in self._linked if linked.table is not None and not linked.said_goodbye]
        return sorted(found, key=lambda linked: linked.last.live_size if linked.last else 0.0, reverse=True)

    def _send_profile(self, linked: Linked) -> None:
        counters = self._linked.counters(linked)
        sites = self._linked.sites(linked)
        if (
            counters is None or counters.off or linked.table is None
        ):  # it may have ended since the round began
            return
        message = profiles.encode(
            self._scope,
            self._watch.identity(linked),
            self._clock.now(),
            counters.average,
            sites,
            with_inherited=self._linked.counts_inherited(linked),
        )
        self._offer(Kind.PROFILES, message)

    def _see_last(self, linked: Linked) -> None:
        """A process has ended, or says goodbye: its table is read for the last time."""
        sample = self._watch.last_sample(linked)
        if sample.heap is not None:
            nothing = ScopeSample(anon=None, cpu=None, processes=None, room=None)
            self._send_metrics(Observation(self._clock.now(), nothing, (sample,)))
            self._send_profile(linked)

    def _offer(self, kind: Kind, message: bytes) -> None:
        self._sender.offer(Batch(self._ids.next(), kind, compress(message)))

    # ── Start and stop ───────────────────────────────────────────────────────────────────────────────

    def _hear_signals(self) -> tuple[socket.socket, socket.socket]:
        """A signal wakes the loop through a pair of sockets."""
        awake, wake = socket.socketpair()
        awake.setblocking(False)
        wake.setblocking(False)
        self._selector.register(awake, selectors.EVENT_READ, lambda: awake.recv(64))
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        self._handlers = {number: signal.signal(number, self._end) for number in ENDING_SIGNALS}
        return awake, wake

    def _end(self, *_: object) -> None:
        self._stopping = True

    def _hear_control(self) -> None:
        for pid in self._control.receive():
            self._watch.follow_root(pid)
        if not self._control.open:
            self._selector.unregister(0)

    def _say_ready(self) -> None:
        """The ready file appears whole: {"pid": ours, "socket": path}."""
        path = self._settings.ready_file
        if path is None:
            return
        part = path.with_name(f".{path.name}.part")
        try:
            part.write_text(json.dumps({"pid": os.getpid(), "socket": str(self._settings.socket)}) + "\n")
            part.rename(path)
        except OSError as error:
            raise CannotStart(
                f"--ready-file can't be written: {error.strerror}; give a path in another folder: {path}"
            ) from None

    def _stop(self, awake: tuple[socket.socket, socket.socket]) -> None:
        self._door.close()
        self._linked.close()
        self._sender.close()
        signal.set_wakeup_fd(-1)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._selector.close()
        for end in awake:
            end.close()
        if self._settings.ready_file is not None:
            with suppress(OSError):
                self._settings.ready_file.unlink()
        used = resource.getrusage(resource.RUSAGE_SELF)
        own = {
            "ticks-skipped": self._ticks.skipped,
            "cpu-seconds": round(used.ru_utime + used.ru_stime, 2),
            "peak-bytes": used.ru_maxrss << 10,
        }
        LOGGER.info("ended; %s", json.dumps({**self._notices.counts, **own}))


def _service(settings: Settings) -> str:
    """What the user started, by its program's name."""
    words = settings.command_line.split()
    return PurePosixPath(words[0]).name if words else Path(settings.scope_id).name
