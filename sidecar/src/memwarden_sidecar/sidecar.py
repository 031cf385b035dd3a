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
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final

from memwarden_api import names
from memwarden_sidecar import pod
from memwarden_sidecar.clock import JUMP_WORTH_SAYING_SECONDS, Clock
from memwarden_sidecar.commands.fetcher import Fetcher
from memwarden_sidecar.commands.obeying import Obeying
from memwarden_sidecar.containers import Containers
from memwarden_sidecar.control import Control
from memwarden_sidecar.errors import CannotStart
from memwarden_sidecar.export.backlog import Backlog
from memwarden_sidecar.export.batch import Batch, BatchIds, Kind, compress
from memwarden_sidecar.export.link import Link
from memwarden_sidecar.export.resources import ScopeIdentity
from memwarden_sidecar.export.sender import Sender
from memwarden_sidecar.export.spool import Spool
from memwarden_sidecar.export.transport import Transport
from memwarden_sidecar.notices import LOGGER, Notices
from memwarden_sidecar.probes.door import Door
from memwarden_sidecar.schedule import FIRST_PROFILE_TICKS, Grid
from memwarden_sidecar.scope import WatchedScope
from memwarden_sidecar.settings import (
    COMMAND_LINE_BYTES,
    PROFILE_SLICE_SECONDS,
    Settings,
    destination_of,
)
from memwarden_sidecar.sources.container_folders import ContainerFolders
from memwarden_sidecar.sources.proc_files import ProcFolder

LOOK_ROUND_SECONDS: Final = 1.0
"""Longest sleep: silent connections, ended processes and the end of our parent are seen by then."""
ENDING_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Sidecar:
    """The watch over one run, or over the containers of one pod. `run` returns when it is told to stop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._notices = Notices((settings.token,))
        self._clock = clock = Clock()
        self._ids = BatchIds(clock.now)
        self._stopping = False
        self._parent = os.getppid()
        self._selector = selectors.DefaultSelector()
        self._control = Control(self._notices)
        spool = Spool(settings.spool, settings.spool_limit) if settings.spool is not None else None
        backlog = Backlog(spool, self._notices, clock.elapsed)
        self._destination = destination_of(settings)
        self._sender = Sender(Transport(self._destination), backlog, self._notices, clock.elapsed)
        self._run_scope: WatchedScope | None = None
        try:
            self._doors = self._open_doors()
        except CannotStart:
            backlog.close()
            raise
        self._obeying = self._make_obeying()
        now = clock.elapsed()
        self._ticks = Grid(now, settings.interval)
        self._profiles = Grid(now + FIRST_PROFILE_TICKS * settings.interval, settings.profile_seconds())

    def _open_doors(self) -> Door | Containers:
        settings = self._settings
        if settings.listen is not None:
            make, elapsed = self._container_scope, self._clock.elapsed
            return Containers(
                settings.listen, settings.containers, self._selector, make, self._notices, elapsed
            )
        assert settings.socket is not None
        identity = ScopeIdentity(
            id=settings.scope_id,
            service=_service(settings),
            host=socket.gethostname(),
            command_line=settings.command_line[:COMMAND_LINE_BYTES],
            interval=settings.interval,
            attributes=settings.attributes,
        )
        self._run_scope = scope = WatchedScope(
            identity, settings, self._clock, self._notices, self._offer, ProcFolder()
        )
        return Door(settings.socket, self._selector, scope.linked, self._notices, self._clock.elapsed)

    def _make_obeying(self) -> Obeying | None:
        """Commands are for pods: a run on a laptop has nobody who gives any."""
        settings = self._settings
        if not isinstance(self._doors, Containers) or not settings.commands:
            return None
        uid = dict(settings.attributes)[names.K8S_POD_UID]
        link = Link(self._destination)
        return Obeying(
            lambda wake: Fetcher(link, uid, wake),
            settings.containers,
            self._doors.scope_of,
            self._sender,
            self._clock.elapsed,
        )

    def _container_scope(self, container: str, folders: ContainerFolders, is_private: bool) -> WatchedScope:
        """The scope of one life of a container."""
        attributes = self._settings.attributes
        identity = ScopeIdentity(
            id=pod.scope_id(attributes, container, folders.life if is_private else "shared"),
            service=pod.service_of(attributes, container),
            host=socket.gethostname(),
            command_line="",
            interval=self._settings.interval,
            kind=names.SCOPE_KIND_CONTAINER,
            attributes=pod.of_container(attributes, container),
        )
        return WatchedScope(
            *(identity, self._settings, self._clock, self._notices, self._offer, folders.proc, folders.group),
            everything=is_private,
        )

    @property
    def _scopes(self) -> list[WatchedScope]:
        if isinstance(self._doors, Containers):
            return self._doors.scopes
        return [self._run_scope] if self._run_scope is not None else []

    def run(self) -> int:
        """Returns the exit code."""
        awake = self._hear_signals()
        self._sender.start()
        if self._obeying is not None:
            self._selector.register(self._obeying.awake, selectors.EVENT_READ, self._obeying.take)
            self._obeying.start()
        try:
            if self._settings.pid is not None:
                self._follow_root(self._settings.pid)
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
        busy = any(scope.has_profiles_to_make for scope in self._scopes)
        sleep = 0.0 if busy else min(self._ticks.wait(now), LOOK_ROUND_SECONDS)
        for key, _ in self._selector.select(sleep):
            self._guarded(key.data)
        self._guarded(self._look_round)
        if self._ticks.is_due(self._clock.elapsed()) and not self._stopping:
            self._guarded(self._tick)
            self._ticks.advance(self._clock.elapsed())
        for scope in self._scopes:
            self._guarded(partial(scope.make_profiles, PROFILE_SLICE_SECONDS))

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
        self._doors.tend()
        if self._run_scope is not None:
            self._run_scope.look_round()
        if self._obeying is not None:
            self._obeying.look_round()
        if os.getppid() != self._parent:
            LOGGER.warning("the process that started this sidecar has ended; it ends too")
            self._stopping = True

    def _tick(self) -> None:
        now = self._clock.elapsed()
        with_profiles = self._profiles.is_due(now)
        if with_profiles:
            self._profiles.advance(now)
        for scope in self._scopes:
            self._guarded(scope.tick)
            if with_profiles:
                self._guarded(scope.begin_profiles)
            self._guarded(scope.ask_probes)
        if abs(jump := self._clock.jump()) > JUMP_WORTH_SAYING_SECONDS:
            self._notices.once(
                "clock-jumped",
                f"the wall clock jumped by {jump:.0f} s; sample times go on as before",
            )

    def _last_tick(self) -> None:
        for scope in self._scopes:
            self._guarded(scope.last_tick)

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
            self._follow_root(pid)
        if not self._control.open:
            self._selector.unregister(0)

    def _follow_root(self, pid: int) -> None:
        if self._run_scope is not None:
            self._run_scope.watch.follow_root(pid)

    def _say_ready(self) -> None:
        """The ready file appears whole: {"pid": ours, "socket": path, or the folder of --listen}."""
        path = self._settings.ready_file
        if path is None:
            return
        part = path.with_name(f".{path.name}.part")
        try:
            part.write_text(
                json.dumps(
                    {"pid": os.getpid(), "socket": str(self._settings.socket or self._settings.listen)}
                )
                + "\n"
            )
            part.rename(path)
        except OSError as error:
            raise CannotStart(
                f"--ready-file can't be written: {error.strerror}; give a path in another folder: {path}"
            ) from None

    def _stop(self, awake: tuple[socket.socket, socket.socket]) -> None:
        if self._obeying is not None:
            self._obeying.close()
        for scope in self._scopes:
            scope.close()
        self._doors.close()
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
