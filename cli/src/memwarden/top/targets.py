"""What `memwarden top` can look at: the runs of this user, and the scopes of a collector."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from memwarden.api import ApiError
from memwarden.errors import Failed, Usage
from memwarden.run import registry
from memwarden.top.client import Client
from memwarden.top.picture import Limit
from memwarden.top.words import clean

NO_RUN: Final = "no run of yours is under way here"
NEXT_STEP: Final = "memwarden run -- python app.py"
_DEEPEST: Final = 200
_SERVICE: Final = "service"
_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Target:
    """One scope at one collector."""

    client: Client
    scope: str
    command: str
    host: str
    started_at: float
    last_seen: float | None
    """Unix seconds by the clock of the one who sampled; None: now."""
    limit: Limit | None
    run_pid: int | None
    """Of the `memwarden run` here; None for a collector's scope."""

    def is_over(self) -> bool:
        """Whether this is a run here that has ended. Of a collector's scope nobody can know."""
        return self.run_pid is not None and all(run.api.scope != self.scope for run in registry.runs())


class Origin(Protocol):
    """Where targets come from."""

    @property
    def empty(self) -> str:
        """What to say when there are none."""

    def find(self) -> list[Target]:
        """The latest first. Raises ApiError."""


@dataclass(frozen=True, slots=True)
class RunsHere:
    """The runs of this user on this machine; with `pid` the one that this process belongs to."""

    pid: int | None = None

    @property
    def empty(self) -> str:
        if self.pid is None:
            return f"{NO_RUN}; start one with: {NEXT_STEP}"
        return (
            f"process {self.pid} belongs to no run of yours that is under way; memwarden top without --pid shows "
            "those that are"
        )

    def find(self) -> list[Target]:
        found = [_of_run(run) for run in registry.runs()]
        if self.pid is None:
            return found
        family = ancestors(self.pid)
        return [target for target in found if target.run_pid in family]


@dataclass(frozen=True, slots=True)
class ScopesOf:
    """The scopes of a collector; with `scope` that one."""

    client: Client
    scope: str | None = None

    @property
    def empty(self) -> str:
        if self.scope is not None:
            return (
                f"the collector at {self.client.url} has no scope {clean(self.scope)!r}; leave --scope out to see "
                "those it has"
            )
        return (
            f"the collector at {self.client.url} has seen nothing yet; send it samples of something: "
            "memwarden sidecar --help says how"
        )

    def find(self) -> list[Target]:
        found = [
            _of_scope(self.client, item)
            for item in self.client.scopes()
            if item.get("kind") != _SERVICE and self.scope in (None, item.get("scope"))
        ]
        return sorted(found, key=lambda target: -(target.last_seen or 0))


def origin(pid: int | None, collector: str | None, scope: str | None, token: str) -> Origin:
    """What the options ask for. Raises Usage."""
    if collector is None:
        if scope is not None:
            raise Usage("--scope belongs to --collector URL; a run here is chosen by --pid")
        if pid is not None and pid <= 0:
            raise Usage(f"--pid {pid}: a process id is greater than zero")
        return RunsHere(pid)
    if pid is not None:
        raise Usage("--pid belongs to a run here; of a collector name one by --scope")
    try:
        address = urlsplit(collector)
        usable = address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
    except ValueError:
        usable = False
    if not usable or not collector.isprintable() or " " in collector:
        raise Usage(f"--collector {clean(collector)}: this is not a URL such as http://127.0.0.1:4318")
    return ScopesOf(Client(collector.rstrip("/"), token), scope)


def the_only(origin: Origin) -> Target:
    """The one target there is. Raises Failed when there is none, or several and nobody to choose."""
    try:
        found = origin.find()
    except ApiError as error:
        raise Failed(
            f"the collector can't be asked: {error}; check --collector and MEMWARDEN_TOKEN"
        ) from error
    if not found:
        raise Failed(origin.empty)
    if len(found) > 1:
        raise Failed(f"there are {len(found)} to look at, choose one: {_choices(found)}")
    return found[0]


def _choices(found: Sequence[Target]) -> str:
    name: Callable[[Target], str] = lambda one: (  # noqa: E731 - two words, used once
        f"--pid {one.run_pid}" if one.run_pid is not None else f"--scope {shlex.quote(clean(one.scope))}"
    )
    shown = [f"{name(one)} ({clean(one.command)[:60]})" for one in found[:_NAMED]]
    return ", ".join([*shown, "…"] if len(found) > _NAMED else shown)


def ancestors(pid: int) -> set[int]:
    """`pid` and those it descends from."""
    family: set[int] = set()
    while pid > 0 and pid not in family and len(family) < _DEEPEST:
        family.add(pid)
        try:
            status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            pid = int(status.rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            break
    return family


def _of_run(run: registry.RunningHere) -> Target:
    return Target(
        client=Client(run.api.url, run.api.token),
        scope=run.api.scope,
        command=_command_of(run.pid),
        host="",
        started_at=run.started_at,
        last_seen=None,
        limit=None,
        run_pid=run.pid,
    )


def _command_of(pid: int) -> str:
    """What is behind the `--` of a `memwarden run`."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
    except OSError:
        return ""
    return " ".join(words[words.index("--") + 1 :] if "--" in words else words)


def _of_scope(client: Client, item: dict[str, Any]) -> Target:
    """Raises ApiError when it is not a `memwarden_api.rest.Scope`."""
    try:
        limit = item.get("limit")
        return Target(
            client=client,
            scope=str(item["scope"]),
            command=str(item["command"]),
            host=str(item["host"]),
            started_at=datetime.fromisoformat(item["first_seen"]).timestamp(),
            last_seen=datetime.fromisoformat(item["last_seen"]).timestamp(),
            limit=Limit(int(limit["bytes"]), str(limit["source"])) if limit else None,
            run_pid=None,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ApiError("its list of scopes can't be read; it may be of another version") from error
