"""The kept file of `memwarden run --keep FILE`: one recording as gzip'd lines of JSON.

    {"format": "memwarden-recording", "version": 1, "scope": …, "interval": …, …}
    {"process": {…}}                    one line a process, in order
    {"times": [first, step, step, …]}   clocks in milliseconds, shared by series; numbered from 0
    {"series": {metric, process, attribute, clock, decimals, values}}   values are steps of whole numbers
    {"frames": [[file, line, function], …]}, {"stacks": [[frame, …], …]}  dictionaries
    {"profile": {time, process, stacks, cells: [row, bucket, …], bytes, blocks, samples}}   only what is not zero
    {"event": {…}}
    {"end": number of lines before it}

Rounded on the way: times to a millisecond, values to whole numbers or thousandths, estimates of a profile to four
digits. The file holds no path or name but those of the program that was watched. A reader refuses a newer version,
and stops at named bounds before a bomb unpacks.
"""

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import IO, Any, Final

import numpy as np

from memwarden_core.columns import (
    Fields,
    decode_steps,
    decode_times,
    decode_values,
    encode_times,
    encode_values,
    round_digits,
    steps,
)
from memwarden_core.errors import RecordingError
from memwarden_core.recording import (
    AGE_BOUNDS_SECONDS,
    Event,
    FloatArray,
    Frame,
    MemoryLimit,
    ProcessInfo,
    Profile,
    Recording,
    Series,
    SeriesKey,
    Stack,
)

FORMAT: Final = "memwarden-recording"
VERSION: Final = 1
BUCKETS: Final = len(AGE_BOUNDS_SECONDS) + 1

MAX_LINE_BYTES: Final = 32 * 2**20
MAX_FILE_BYTES: Final = 512 * 2**20
"""Unpacked; a run of a day at 1 s ticks is about a tenth of it."""
MAX_LINES: Final = 2_000_000
FRAMES_A_LINE: Final = 5000


def write_recording(recording: Recording, stream: IO[bytes]) -> None:
    """Write a recording to a binary stream; the stream stays open.

    Raises RecordingError where a value of the recording has no place in the file.
    """
    try:
        with gzip.GzipFile(filename="", mode="wb", fileobj=stream, compresslevel=9, mtime=0) as packed:
            count = 0
            for line in _lines(recording):
                packed.write(json.dumps(line, separators=(",", ":"), allow_nan=False).encode() + b"\n")
                count += 1
            packed.write(b'{"end":%d}\n' % count)
    except (ValueError, TypeError, OverflowError, IndexError) as error:
        raise RecordingError(f"the recording of {recording.scope!r} cannot be written: {error}") from error


def _lines(recording: Recording) -> Iterator[dict[str, Any]]:
    limit = recording.limit
    yield {
        "format": FORMAT,
        "version": VERSION,
        "scope": recording.scope,
        "command": recording.command,
        "started": round(recording.started, 3),
        "ended": round(recording.ended, 3),
        "interval": recording.interval,
        "limit": None if limit is None else {"bytes": limit.bytes, "source": limit.source},
        "labels": dict(recording.labels),
    }
    for process in recording.processes:
        yield {"process": {name: getattr(process, name) for name in ProcessInfo.__slots__}}
    clocks: dict[bytes, int] = {}
    for key, series in recording.series.items():
        coded = encode_times(series.time)
        name = json.dumps(coded).encode()
        if name not in clocks:
            clocks[name] = len(clocks)
            yield {"times": coded}
        decimals, values = encode_values(series.value)
        yield {
            "series": {
                "metric": key.metric,
                "process": key.process,
                "attribute": key.attribute,
                "clock": clocks[name],
                "decimals": decimals,
                "values": values,
            }
        }
    frames: dict[Frame, int] = {}
    for stack in recording.stacks:
        for frame in stack:
            frames.setdefault(frame, len(frames))
    known = list(frames)
    for begin in range(0, len(known), FRAMES_A_LINE):
        yield {"frames": [list(frame) for frame in known[begin : begin + FRAMES_A_LINE]]}
    for begin in range(0, len(recording.stacks), FRAMES_A_LINE):
        chunk = recording.stacks[begin : begin + FRAMES_A_LINE]
        yield {"stacks": [[frames[frame] for frame in stack] for stack in chunk]}
    for profile in recording.profiles:
        yield {"profile": _pack_profile(profile)}
    for event in recording.events:
        yield {"event": {"time": round(event.time, 3), "kind": event.kind, "text": event.text}}


def _pack_profile(profile: Profile) -> dict[str, Any]:
    shape = (profile.stacks.size, BUCKETS)
    if not (profile.live_bytes.shape == profile.blocks.shape == profile.samples.shape == shape):
        raise ValueError(f"a profile of {profile.stacks.size} stacks has arrays of another shape than {shape}")
    filled = (profile.live_bytes != 0) | (profile.blocks != 0) | (profile.samples != 0)
    cells = np.flatnonzero(filled)
    return {
        "time": round(profile.time, 3),
        "process": profile.process,
        "stacks": steps(profile.stacks.astype(np.int64)),
        "cells": steps(cells),
        "bytes": round_digits(profile.live_bytes.reshape(-1)[cells]),
        "blocks": round_digits(profile.blocks.reshape(-1)[cells]),
        "samples": profile.samples.reshape(-1)[cells].astype(np.int64).tolist(),
    }


def read_recording(stream: IO[bytes]) -> Recording:
    """Read a recording from a binary stream.

    Raises RecordingError, and nothing else, for whatever is wrong with the bytes; what the stream itself raises
    (a disk that fails) passes through.
    """
    reader = _Reader()
    number = 0
    try:
        with gzip.GzipFile(fileobj=stream, mode="rb") as packed:
            for number, line in enumerate(_bounded(packed), start=1):
                reader.take(line, number)
    except (EOFError, zlib.error) as error:
        raise RecordingError(
            f"the file breaks off after line {number}: it was not written to its end. "
            "Record again, or copy the file once more."
        ) from error
    except gzip.BadGzipFile as error:
        if number:
            raise RecordingError(
                f"the file is damaged after line {number} ({error}). Copy it once more or record again."
            ) from error
        raise RecordingError(
            "this is not a recording: it is not packed with gzip. Give a file made by `memwarden run --keep`."
        ) from error
    return reader.finish(number)


def _bounded(packed: gzip.GzipFile) -> Iterator[bytes]:
    total = 0
    number = 0
    while line := packed.readline(MAX_LINE_BYTES + 1):
        number += 1
        total += len(line)
        if len(line) > MAX_LINE_BYTES:
            raise RecordingError(f"line {number} is longer than {MAX_LINE_BYTES} bytes: not a kept recording.")
        if total > MAX_FILE_BYTES or number > MAX_LINES:
            raise RecordingError(
                f"the file unpacks to more than {MAX_FILE_BYTES} bytes or {MAX_LINES} lines (at line {number}): "
                "not a kept recording, or one to be recorded in parts."
            )
        yield line


class _Reader:
    """Collects lines into a recording; every complaint names the line."""

    def __init__(self) -> None:
        self.header: Fields | None = None
        self.ended = False
        self.processes: list[ProcessInfo] = []
        self.clocks: list[FloatArray] = []
        self.series: dict[SeriesKey, Series] = {}
        self.frames: list[Frame] = []
        self.stacks: list[Stack] = []
        self.profiles: list[Profile] = []
        self.events: list[Event] = []

    def take(self, line: bytes, number: int) -> None:
        try:
            content = json.loads(line)
            if not isinstance(content, dict):
                raise ValueError("not an object")
            if self.header is None:
                self._take_header(Fields(content))
            elif self.ended:
                raise ValueError("there is more after the end")
            else:
                self._take_one(content, number)
        except RecordingError as error:
            raise RecordingError(f"line {number}: {error}") from error
        except (ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError) as error:
            if self.header is None:
                raise RecordingError(
                    f"line {number}: this is not a recording ({_brief(error)}). "
                    "Give a file made by `memwarden run --keep`."
                ) from error
            raise RecordingError(
                f"line {number}: {_brief(error)}. The file is damaged or was edited; copy it once more or record again."
            ) from error

    def _take_header(self, fields: Fields) -> None:
        if fields.content.get("format") != FORMAT:
            raise ValueError(f'its first line does not say "format": "{FORMAT}"')
        version = fields.integer("version")
        if version > VERSION:
            raise RecordingError(
                f"the recording has version {version}, this program reads up to {VERSION}. Update memwarden-core."
            )
        if version < 1:
            raise ValueError(f"version {version} was never written")
        self.header = fields

    def _take_one(self, content: dict[str, Any], number: int) -> None:
        for kind, take in (
            ("process", self._process),
            ("times", self._times),
            ("series", self._series),
            ("frames", self._frames),
            ("stacks", self._stacks),
            ("profile", self._profile),
            ("event", self._event),
            ("end", lambda count: self._end(count, number)),
        ):
            if kind in content:
                take(content[kind])
                return
        # A later minor addition: lines of an unknown kind are passed over within one version.

    def _process(self, content: Any) -> None:
        fields = Fields(content)
        self.processes.append(
            ProcessInfo(
                pid=fields.integer("pid"),
                parent_pid=fields.optional_integer("parent_pid"),
                started=fields.number("started"),
                last_seen=fields.number("last_seen"),
                ended=fields.flag("ended"),
                command=fields.text("command"),
                executable=fields.text("executable"),
                runtime=fields.text("runtime"),
                hooked=fields.flag("hooked"),
                reason=fields.text("reason"),
                library_prefixes=fields.texts("library_prefixes"),
            )
        )

    def _times(self, content: Any) -> None:
        self.clocks.append(decode_times(content))

    def _series(self, content: Any) -> None:
        fields = Fields(content)
        process = fields.optional_integer("process")
        if process is not None:
            self._known("process", process, len(self.processes))
        clock = fields.integer("clock")
        self._known("clock", clock, len(self.clocks))
        value = decode_values(fields.integer("decimals"), fields.list("values"))
        if value.size != self.clocks[clock].size:
            raise ValueError(f"series has {value.size} values for {self.clocks[clock].size} times")
        key = SeriesKey(fields.text("metric"), process, fields.text("attribute"))
        self.series[key] = Series(self.clocks[clock], value)

    def _frames(self, content: Any) -> None:
        for file, line, function in _list(content, "frames"):
            if not (isinstance(file, str) and type(line) is int and isinstance(function, str)):
                raise ValueError("a frame is [file, line, function]")
            self.frames.append(Frame(file, line, function))

    def _stacks(self, content: Any) -> None:
        for stack in _list(content, "stacks"):
            for index in _list(stack, "stack"):
                self._known("frame", index, len(self.frames))
            self.stacks.append(tuple(self.frames[index] for index in stack))

    def _profile(self, content: Any) -> None:
        fields = Fields(content)
        process = fields.integer("process")
        self._known("process", process, len(self.processes))
        stacks = decode_steps(fields.list("stacks"))
        if stacks.size and (stacks.min() < 0 or stacks.max() >= len(self.stacks)):
            raise ValueError("a profile names a stack that is not in the file")
        cells = decode_steps(fields.list("cells"))
        if cells.size and (cells.min() < 0 or cells.max() >= stacks.size * BUCKETS):
            raise ValueError("a profile has a cell outside its stacks and ages")
        columns = []
        for name in ("bytes", "blocks", "samples"):
            column = np.zeros(stacks.size * BUCKETS)
            column[cells] = decode_values(0, fields.list(name), delta=False)
            columns.append(column.reshape(stacks.size, BUCKETS))
        live, blocks, samples = columns
        self.profiles.append(
            Profile(fields.number("time"), process, stacks, live, blocks, samples.astype(np.int64))
        )

    def _event(self, content: Any) -> None:
        fields = Fields(content)
        self.events.append(Event(fields.number("time"), fields.text("kind"), fields.text("text")))

    def _end(self, content: Any, number: int) -> None:
        if content != number - 1:
            raise ValueError(f"{content} lines were written, {number - 1} are there")
        self.ended = True

    @staticmethod
    def _known(what: str, index: Any, count: int) -> None:
        if type(index) is not int or not 0 <= index < count:
            raise ValueError(f"{what} {index!r} is not in the file")

    def finish(self, number: int) -> Recording:
        if self.header is None:
            raise RecordingError("the file is empty. Give a file made by `memwarden run --keep`.")
        if not self.ended:
            raise RecordingError(
                f"the file breaks off after line {number}: its end is missing. Copy it once more or record again."
            )
        try:
            return self._recording(self.header)
        except (ValueError, TypeError, KeyError) as error:
            raise RecordingError(f"line 1: {_brief(error)}. The file is damaged or was edited.") from error

    def _recording(self, header: Fields) -> Recording:
        limit = header.content.get("limit")
        limits = None if limit is None else Fields(limit)
        interval = header.number("interval")
        if interval <= 0:
            raise ValueError(f"interval is {interval}, not above 0")
        return Recording(
            scope=header.text("scope"),
            command=header.text("command"),
            started=header.number("started"),
            ended=header.number("ended"),
            interval=interval,
            limit=None if limits is None else MemoryLimit(limits.number("bytes"), limits.text("source")),
            processes=tuple(self.processes),
            series=self.series,
            stacks=tuple(self.stacks),
            profiles=tuple(self.profiles),
            events=tuple(self.events),
            labels=header.text_map("labels"),
        )


def _list(content: Any, what: str) -> list[Any]:
    if not isinstance(content, list):
        raise ValueError(f"{what} is not a list")
    return content


def _brief(error: BaseException) -> str:
    return (str(error) or type(error).__name__)[:200]
