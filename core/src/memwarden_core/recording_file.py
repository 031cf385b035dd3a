"""The kept file of `memwarden run --keep FILE`: one recording as gzip'd lines of JSON.

    {"format": "memwarden-recording", "version": 1, "scope": …, "interval": …, …}
    {"process": {…}}                    one line a process, in order
    {"times": [first, step, …]}         clocks in milliseconds, shared by series; numbered from 0
    {"series": {metric, process, attribute, clock, decimals, values}}
                                        values are steps of whole numbers
    {"frames": [[file, line, function], …]}
    {"stacks": [[frame, …], …]}         innermost frame first, by number of the frame
    {"profile": {time, process, stacks, cells, bytes, blocks, samples}}
                                        cells: row × 10 + age bucket of what is not zero, as steps
    {"event": {…}}
    {"end": number of lines before it}

Rounded on the way: times to a millisecond, values to whole numbers or thousandths, estimates of a profile to
four digits. The file holds no path or name but those of the program that was watched. A reader refuses a
newer version, and stops at named bounds before a bomb unpacks.
"""

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import IO, Any, Final

import numpy as np

from memwarden_core.columns import encode_times, encode_values, round_digits, steps
from memwarden_core.errors import RecordingError
from memwarden_core.recording import Frame, ProcessInfo, Profile, Recording, Series
from memwarden_core.recording_reader import BUCKETS, FORMAT, VERSION, RecordingReader

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
    for key, series in ((key, _a_millisecond_apart(one)) for key, one in recording.series.items()):
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


def _a_millisecond_apart(series: Series) -> Series:
    """Of samples that would fall on one millisecond, the last: the last tick of a run may follow another at once."""
    same = np.diff(np.rint(series.time * 1000)) == 0
    if not same.any():
        return series
    kept = np.append(~same, True)
    return Series(series.time[kept], series.value[kept])


def _pack_profile(profile: Profile) -> dict[str, Any]:
    shape = (profile.stacks.size, BUCKETS)
    if not (profile.live_bytes.shape == profile.blocks.shape == profile.samples.shape == shape):
        raise ValueError(
            f"a profile of {profile.stacks.size} stacks has arrays of another shape than {shape}"
        )
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

    Raises RecordingError, and nothing else, for whatever is wrong with the bytes; what the stream itself
    raises (a disk that fails) passes through.
    """
    reader = RecordingReader()
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
            raise RecordingError(
                f"line {number} is longer than {MAX_LINE_BYTES} bytes: not a kept recording."
            )
        if total > MAX_FILE_BYTES or number > MAX_LINES:
            raise RecordingError(
                f"the file unpacks to more than {MAX_FILE_BYTES} bytes or {MAX_LINES} lines "
                f"(at line {number}): not a kept recording, or one to be recorded in parts."
            )
        yield line
