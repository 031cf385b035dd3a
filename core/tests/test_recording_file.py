"""The kept file: what goes in comes out, and whatever else is given is refused in words."""

import gzip
import io
import json
import zlib

import numpy as np
import pytest

from memwarden_core import recording_reader
from memwarden_core.errors import RecordingError
from memwarden_core.families import FAMILIES
from memwarden_core.recording import (
    Event,
    Frame,
    MemoryLimit,
    ProcessInfo,
    Profile,
    Recording,
    Series,
    SeriesKey,
)
from memwarden_core.recording_file import read_recording, write_recording
from memwarden_core.synthetic import record

WORDS = ["", "app.py", "/srv/größe/模块.py", 'a "quoted" name', "<lambda>", "line\nbreak", "\U0001f600"]


def random_recording(seed: int) -> Recording:
    """Any recording that the types allow, small."""
    generator = np.random.default_rng(seed)

    def word() -> str:
        return WORDS[generator.integers(len(WORDS))]

    def series() -> Series:
        size = int(generator.integers(0, 50))
        time = 1.8e9 + np.cumsum(generator.integers(1, 5000, size)) / 1000
        scale = 10.0 ** generator.integers(0, 13)
        value = generator.normal(0, scale, size)
        value[generator.uniform(size=size) < 0.1] = np.nan
        return Series(time, value if generator.integers(2) else np.round(value))

    processes = tuple(
        ProcessInfo(
            pid=int(generator.integers(1, 2**22)), parent_pid=None if generator.integers(2) else 1,
            started=1.8e9, last_seen=1.8e9 + 5, ended=bool(generator.integers(2)), command=word(),
            executable=word(), runtime=word(), hooked=bool(generator.integers(2)), reason=word(),
            library_prefixes=tuple(word() for _ in range(generator.integers(3))),
        )
        for _ in range(generator.integers(0, 4))
    )  # fmt: skip
    stacks = tuple(
        tuple(
            Frame(word(), int(generator.integers(0, 9999)), word()) for _ in range(generator.integers(1, 6))
        )
        for _ in range(generator.integers(0, 8))
    )
    profiles = []
    if processes and stacks:
        for moment in range(generator.integers(0, 5)):
            rows = int(generator.integers(0, len(stacks) + 1))
            samples = generator.poisson(0.5, (rows, 10))
            profiles.append(
                Profile(
                    time=1.8e9 + moment, process=int(generator.integers(len(processes))),
                    stacks=generator.permutation(len(stacks))[:rows].astype(np.int64),
                    live_bytes=samples * 524288.0, blocks=samples * 3.0, samples=samples,
                )
            )  # fmt: skip
    owners = [None, *range(len(processes))]
    return Recording(
        scope=word(), command=word(), started=1.8e9, ended=1.8e9 + 60,
        interval=float(generator.choice([0.5, 1, 15])),
        limit=None if generator.integers(2) else MemoryLimit(512 * 2.0**20, "option"),
        processes=processes,
        series={
            SeriesKey(f"metric.{number}", owners[generator.integers(len(owners))], word()): series()
            for number in range(generator.integers(0, 9))
        },
        stacks=stacks, profiles=tuple(profiles),
        events=tuple(Event(1.8e9 + number, "verdict", word()) for number in range(generator.integers(3))),
        labels={word(): word()},
    )  # fmt: skip


def written(recording: Recording) -> bytes:
    stream = io.BytesIO()
    write_recording(recording, stream)
    return stream.getvalue()


def lines(packed: bytes) -> list[dict]:
    return [json.loads(line) for line in gzip.decompress(packed).splitlines()]


def packed(content: list) -> bytes:
    return gzip.compress(b"".join(json.dumps(line).encode() + b"\n" for line in content))


@pytest.mark.parametrize("seed", range(150))
def test_what_is_written_is_read_again(seed: int) -> None:
    before = random_recording(seed)
    after = read_recording(io.BytesIO(written(before)))
    for name in ("scope", "command", "interval", "limit", "processes", "stacks", "events", "labels"):
        assert getattr(after, name) == getattr(before, name), name
    assert list(after.series) == list(before.series)
    for key, series in before.series.items():
        np.testing.assert_allclose(after.series[key].time, series.time, rtol=0, atol=6e-4)
        np.testing.assert_allclose(after.series[key].value, series.value, rtol=1e-5, atol=6e-4)
    assert len(after.profiles) == len(before.profiles)
    for one, other in zip(before.profiles, after.profiles, strict=True):
        assert (one.time, one.process) == (other.time, other.process)
        np.testing.assert_array_equal(one.stacks, other.stacks)
        np.testing.assert_array_equal(one.samples, other.samples)
        np.testing.assert_allclose(other.live_bytes, one.live_bytes, rtol=1e-3)
        np.testing.assert_allclose(other.blocks, one.blocks, rtol=1e-3)


@pytest.mark.parametrize("seed", range(20))
def test_a_file_that_was_read_and_written_again_is_the_same(seed: int) -> None:
    once = written(random_recording(seed))
    assert written(read_recording(io.BytesIO(once))) == once


def test_a_run_of_five_minutes_is_small_enough_for_a_corpus() -> None:
    # 120 runs must fit 40 MB.
    for family in FAMILIES:
        shape = family.shape(np.random.default_rng(5))
        assert len(written(record(shape, 300, 5))) < 100_000, family.name


@pytest.mark.parametrize("seed", range(10))
def test_a_file_cut_anywhere_is_refused_and_named_as_cut(seed: int) -> None:
    whole = written(random_recording(seed))
    for end in np.linspace(0, len(whole) - 1, 40).astype(int):
        with pytest.raises(RecordingError, match=r"breaks off|empty|not a recording"):
            read_recording(io.BytesIO(whole[:end]))


def test_random_damage_never_raises_anything_else() -> None:
    generator = np.random.default_rng(1)
    whole = written(random_recording(3))
    plain = gzip.decompress(whole)
    refused = 0
    for _ in range(400):
        raw = bytearray(plain if generator.integers(2) else whole)
        is_plain = len(raw) == len(plain)
        for _ in range(generator.integers(1, 5)):
            raw[generator.integers(len(raw))] = generator.integers(256)
        content = gzip.compress(bytes(raw), 1) if is_plain else bytes(raw)
        try:
            read_recording(io.BytesIO(content))
        except RecordingError:
            refused += 1
    assert refused > 100


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00" * 100, b"PK\x03\x04 a zip", b"plain text\n", gzip.compress(b""), gzip.compress(b"[]\n"),
     gzip.compress(b"\xff\xfe\n"), gzip.compress(b'{"format":"other"}\n'), gzip.compress(b"[" * 100_000),
     gzip.compress(b'{"format":"memwarden-recording","version":' + b"9" * 5000 + b"}\n")],
    ids=["empty", "zeros", "zip", "text", "empty gzip", "list", "bytes", "other", "deep", "huge number"],
)  # fmt: skip
def test_what_is_no_recording_is_refused_with_the_next_step(content: bytes) -> None:
    with pytest.raises(RecordingError, match=r"memwarden run --keep|breaks off"):
        read_recording(io.BytesIO(content))


def test_a_newer_version_asks_for_an_update() -> None:
    content = lines(written(random_recording(2)))
    content[0]["version"] = 2
    with pytest.raises(RecordingError, match=r"line 1: .*version 2.*up to 1.*Update"):
        read_recording(io.BytesIO(packed(content)))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"process": {"pid": "7"}}, "pid"),
        ({"series": {"metric": "x", "process": None, "attribute": "", "clock": 99}}, "decimals|clock 99"),
        ({"stacks": [[999999]]}, "frame 999999"),
        ({"frames": [["a", 1.5, "f"]]}, "a frame is"),
        ({"times": [5, -7]}, "do not rise"),
        ({"times": [2**62, 2**62]}, "too large"),
        ({"times": "now"}, "no list"),
        ({"event": {"time": None, "kind": "", "text": ""}}, "time"),
        ({"profile": {"time": 1, "process": 99, "stacks": [], "cells": []}}, "process 99"),
        ({"end": 0}, "lines were written"),
        ("text", "not an object"),
    ],
)  # fmt: skip
def test_wrong_types_are_refused_with_the_line(line: object, message: str) -> None:
    content: list = lines(written(random_recording(2)))
    content.insert(1, line)
    with pytest.raises(RecordingError, match=rf"line 2: .*{message}"):
        read_recording(io.BytesIO(packed(content)))


def test_a_bomb_is_stopped_before_it_unpacks(monkeypatch: pytest.MonkeyPatch) -> None:
    from memwarden_core import recording_file

    one_line = gzip.compress(b'{"format":"' + b"0" * (recording_file.MAX_LINE_BYTES + 10) + b'"}\n')
    with pytest.raises(RecordingError, match="line 1 is longer"):
        read_recording(io.BytesIO(one_line))
    monkeypatch.setattr(recording_file, "MAX_FILE_BYTES", 100_000)
    many = lines(written(random_recording(2)))[:1] + [{"later": "x" * 90}] * 3000
    with pytest.raises(RecordingError, match="unpacks to more than"):
        read_recording(io.BytesIO(packed(many)))


def test_lines_of_an_unknown_kind_are_passed_over() -> None:
    content = lines(written(random_recording(2)))
    content.insert(1, {"later": 1})
    content[-1]["end"] += 1
    assert read_recording(io.BytesIO(packed(content))).scope == random_recording(2).scope


def test_a_disk_that_fails_is_not_called_a_damaged_file() -> None:
    class Broken(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: object) -> int:
            raise OSError(5, "input/output error")

    with pytest.raises(OSError, match="input/output"):
        read_recording(io.BufferedReader(Broken()))


def test_a_wrong_checksum_is_refused() -> None:
    whole = bytearray(written(random_recording(3)))
    whole[-6] ^= 0xFF
    with pytest.raises(RecordingError, match="damaged"):
        read_recording(io.BytesIO(bytes(whole)))


def test_the_file_names_its_format_in_its_first_line() -> None:
    head = zlib.decompressobj(31).decompress(written(random_recording(1)), 60)
    assert head.startswith(b'{"format":"memwarden-recording","version":1,')
    assert recording_reader.VERSION == 1


def test_samples_of_one_millisecond_become_the_last_of_them() -> None:
    key = SeriesKey("memwarden.memory.anon")
    series = Series(np.array([10.0, 11.0, 11.0003, 12.0]), np.array([1.0, 2.0, 3.0, 4.0]))
    recording = Recording("s", "c", 10.0, 12.0, 1.0, None, (), {key: series})
    again = read_recording(io.BytesIO(written(recording)))
    assert again.series[key].time.tolist() == [10.0, 11.0, 12.0]
    assert again.series[key].value.tolist() == [1.0, 3.0, 4.0]
