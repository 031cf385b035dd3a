"""Where a report comes from: a file kept by `memwarden run --keep`, or a scope in a database. Nothing is written.

A database is read as it is: neither migrated nor judged on; its verdicts of the past become the report's history.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from memwarden.errors import Failed, reason
from memwarden_api.report import HistoryEntry
from memwarden_collector.errors import CollectorError, DatabaseForbidden
from memwarden_collector.settings import Analysis
from memwarden_collector.store import lists, verdicts
from memwarden_collector.store.connection import SCHEMA, Connection, Database
from memwarden_collector.store.migrate import load_migrations
from memwarden_collector.store.recordings import RecordingLoader
from memwarden_core.errors import RecordingError
from memwarden_core.recording import Frame, Recording
from memwarden_core.recording_file import read_recording

_PAGE: Final = 1000
_PAGES: Final = 100
"""Scopes that are looked at to find the latest: a hundred thousand."""
_SERVICE: Final = "service"
_EVERYTHING: Final = Analysis(window_seconds=366 * 86_400.0)


@dataclass(frozen=True, slots=True)
class Source:
    """A recording and what is known of it beside."""

    name: str
    """What people call it: a file's name, a scope."""
    recording: Recording
    history: tuple[HistoryEntry, ...] | None
    """Verdicts as they were given at the time; None where nobody kept them."""
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScopeLine:
    """One scope of a database, as `memwarden report --list` shows it."""

    scope: str
    command: str
    host: str
    first_seen: datetime
    last_seen: datetime


def from_file(file: Path) -> Source:
    """Raises Failed when it can't be read or is not a whole recording."""
    try:
        with file.open("rb") as stream:
            recording = read_recording(stream)
    except OSError as error:
        raise Failed(
            f"{file} can't be read: {reason(error)}; name a file made with memwarden run --keep"
        ) from error
    except RecordingError as error:
        raise Failed(f"no report can be made of {file}: {error}") from error
    return Source(file.name, readable(recording), None, ())


def from_database(url: str, scope: str | None) -> Source:
    """The scope of this name, or the one that was seen last. Raises Failed."""
    with _open(url) as (database, connection):
        found = _scopes(connection)
        if not found:
            raise Failed(
                "the database holds no run yet: watch one with memwarden run --database-url URL -- COMMAND"
            )
        chosen = max(found, key=lambda one: (one.seen_last, one.scope_id))
        if scope is not None:
            named = [one for one in found if one.name == scope]
            if not named:
                raise Failed(
                    f"there is no scope {scope!r} in the database; memwarden report --list shows them"
                )
            chosen = named[0]
        recording = RecordingLoader(database, _EVERYTHING).load(chosen.name)
        if recording is None or not (recording.series or recording.profiles):
            raise Failed(f"the scope {chosen.name!r} has no samples; memwarden report --list shows others")
        rows = verdicts.history(connection, [chosen.scope_id])[chosen.scope_id]
    history = tuple(
        HistoryEntry.model_validate({"at": row.at, "verdict": row.kind, "confidence": row.confidence})
        for row in rows
    )
    notes = []
    missing = recording.started - chosen.seen_first.timestamp()
    if missing > max(60.0, 5 * recording.interval):
        first = datetime.fromtimestamp(recording.started, UTC)
        notes.append(
            f"Only the newest samples were read, from {first:%Y-%m-%d %H:%M:%S} UTC on: "
            "there are too many for one report."
        )
    return Source(f"scope {chosen.name}", readable(recording), history, tuple(notes))


def list_scopes(url: str) -> list[ScopeLine]:
    """All scopes that can be reported on, the one seen last first. Raises Failed."""
    with _open(url) as (_, connection):
        found = _scopes(connection)
    found.sort(key=lambda one: (one.seen_last, one.scope_id), reverse=True)
    return [ScopeLine(one.name, one.command, one.host, one.seen_first, one.seen_last) for one in found]


@contextmanager
def _open(url: str) -> Iterator[tuple[Database, Connection]]:
    """A database whose schema is ours, and a connection to it."""
    with closing(Database(url)) as database:
        try:
            with database.lend() as connection:
                _check_schema(connection)
                yield database, connection
        except DatabaseForbidden as error:
            raise Failed(f"the database can't be read: {error}") from error
        except CollectorError as error:
            raise Failed(str(error)) from error


def _check_schema(connection: Connection) -> None:
    row = connection.execute("select to_regclass(%s)", [f"{SCHEMA}.migration"]).fetchone()
    if row is None or row[0] is None:
        raise Failed("the database holds no data of Memwarden; check --database-url")
    row = connection.execute("select coalesce(max(number), 0) from migration").fetchone()
    there, known = int(row[0]) if row else 0, len(load_migrations())
    if there > known:
        raise Failed(
            f"the database was made by a newer Memwarden (schema {there}, this one knows {known}): "
            "make the report with that version"
        )
    if there < known:
        raise Failed(
            f"the database was made by an older Memwarden (schema {there}, this one needs {known}): "
            "start its collector once with this version, which brings it up to date"
        )


def _scopes(connection: Connection) -> list[lists.ScopeItem]:
    found: list[lists.ScopeItem] = []
    after = 0
    for _ in range(_PAGES):
        page = lists.scopes(connection, after, _PAGE)
        found += [item for item in page if item.kind != _SERVICE]
        if len(page) < _PAGE:
            break
        after = page[-1].scope_id
    return found


def readable(recording: Recording) -> Recording:
    """The recording with text that can be written: names of files need not be UTF-8 (they hold lone surrogates)."""
    frames = {frame for stack in recording.stacks for frame in stack}
    broken = {frame for frame in frames if not (_is_whole(frame.file) and _is_whole(frame.function))}
    processes = tuple(
        replace(
            one,
            command=_whole(one.command),
            executable=_whole(one.executable),
            runtime=_whole(one.runtime),
            reason=_whole(one.reason),
            library_prefixes=tuple(_whole(prefix) for prefix in one.library_prefixes),
        )
        for one in recording.processes
    )
    stacks = recording.stacks
    if broken:
        repaired = {frame: Frame(_whole(frame.file), frame.line, _whole(frame.function)) for frame in broken}
        stacks = tuple(tuple(repaired.get(frame, frame) for frame in stack) for stack in stacks)
    series = {key._replace(attribute=_whole(key.attribute)): value for key, value in recording.series.items()}
    return replace(
        recording, scope=_whole(recording.scope), command=_whole(recording.command), processes=processes, stacks=stacks,
        series=series,
    )  # fmt: skip


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _whole(text: str) -> str:
    return text if _is_whole(text) else text.encode("utf-8", "replace").decode()
