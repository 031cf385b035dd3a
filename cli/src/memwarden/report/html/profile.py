"""The stacks of the flame graph: a tree of frames, and for each stack its live bytes at some moments.

Named bounds keep the file small; what they cut is put in one frame per process, and said on the page.
"""

import base64
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from memwarden.report.html.markup import shown
from memwarden_core.code import is_library, site_frame
from memwarden_core.recording import (
    AGE_BOUNDS_SECONDS,
    FloatArray,
    Frame,
    IntArray,
    Profile,
    Recording,
    Stack,
)

STACKS: Final = 100_000
"""Stacks of a report: those that held most bytes at any of its moments."""
MOMENTS: Final = 40
"""Moments between which a reader can choose."""
CELLS: Final = 1_000_000
"""Stacks × moments: many stacks have fewer moments."""
FEWEST_MOMENTS: Final = 5
DEPTH: Final = 128
"""Frames of a stack: of a deeper one the middle is left out."""
PACKED_BYTES: Final = 1_250_000
"""The stacks as they lie in the file. While they are more, a third of the stacks goes, the lightest first."""
UNIT: Final = 1024
"""Values are whole numbers of this: a sample stands for far more."""
REST: Final = "(smaller stacks, left out of this report)"
CUT: Final = "(frames left out)"
_OWN, _LIBRARY, _RUNTIME, _PROCESS, _REST = range(5)
_BUCKETS: Final = len(AGE_BOUNDS_SECONDS) + 1


@dataclass(frozen=True, slots=True)
class Row:
    """One stack of one process."""

    process: int
    stack: Stack
    site: Frame | None


@dataclass(frozen=True, slots=True)
class Table:
    """Values of stacks, shape (rows, columns); columns are moments, or what is compared."""

    rows: Sequence[Row]
    values: FloatArray
    samples: IntArray
    processes: Sequence[str]
    """What the processes are called; with one of them the tree begins at its first frame."""
    prefixes: Sequence[tuple[str, ...]]
    """Folders of library code, by process."""


@dataclass(frozen=True, slots=True)
class Packed:
    """The tree as the page unpacks it, and what was left out."""

    text: str
    """Base64 of gzip of JSON."""
    stacks: int
    left_out: int
    left_out_share: float
    """Of the bytes in the last column."""


def moments(recording: Recording, stacks: int) -> FloatArray:
    """At most MOMENTS of the moments at which the process with most profiles was profiled, evenly, both ends."""
    by_process: dict[int, list[float]] = {}
    for profile in recording.profiles:
        by_process.setdefault(profile.process, []).append(profile.time)
    if not by_process:
        return np.empty(0)
    times = np.unique(np.array(max(by_process.values(), key=len)))
    last = max(profile.time for profile in recording.profiles)
    if last > times[-1] + recording.interval:
        times = np.append(times, last)
    most = int(np.clip(CELLS // max(stacks, 1), FEWEST_MOMENTS, MOMENTS))
    if times.size > most:
        times = times[np.unique(np.linspace(0, times.size - 1, most).round().astype(np.int64))]
    return times


@dataclass(frozen=True, slots=True)
class Heap:
    """The profiles that a report shows: for each moment the newest one of each process that lived."""

    recording: Recording
    times: FloatArray
    """Unix seconds."""
    columns: Sequence[Sequence[Profile]]


def heap(recording: Recording) -> Heap:
    """Choose the moments, and the profiles at them."""
    seen = max((int(profile.stacks.size) for profile in recording.profiles), default=0)
    times = moments(recording, seen)
    return Heap(recording, times, _chosen(recording, times))


def table(source: Heap) -> Table:
    """Live bytes of every stack at every moment."""
    recording, times, chosen = source.recording, source.times, source.columns
    size = len(recording.stacks)
    keys: list[IntArray] = [p.process * size + p.stacks for column in chosen for p in column]
    known, places = np.unique(np.concatenate([np.empty(0, np.int64), *keys]), return_inverse=True)
    values = np.zeros((known.size, times.size))
    samples = np.zeros(known.size, dtype=np.int64)
    begin = 0
    for column, profiles in enumerate(chosen):
        for profile in profiles:
            rows = places[begin : begin + profile.stacks.size]
            begin += profile.stacks.size
            np.add.at(values[:, column], rows, np.nan_to_num(profile.live_bytes).sum(axis=1))
            if column == len(chosen) - 1:
                np.add.at(samples, rows, profile.samples.sum(axis=1))
    prefixes = [process.library_prefixes for process in recording.processes]
    sites: dict[int, Frame | None] = {}
    rows_ = []
    for key in known.tolist():
        process, stack = divmod(key, size)
        if key not in sites:
            sites[key] = site_frame(recording.stacks[stack], prefixes[process])
        rows_.append(Row(process, recording.stacks[stack], sites[key]))
    names = [f"{shown(one.command, 120)} · pid {one.pid}" for one in recording.processes]
    return Table(rows_, values, samples, names, prefixes)


def _chosen(recording: Recording, times: FloatArray) -> list[list[Profile]]:
    """For each moment the newest profile of each process that lived."""
    lists: dict[int, list[Profile]] = {}
    size = len(recording.stacks)
    for profile in recording.profiles:
        fits = profile.stacks.size == 0 or (profile.stacks.min() >= 0 and profile.stacks.max() < size)
        if fits and 0 <= profile.process < len(recording.processes):
            lists.setdefault(profile.process, []).append(profile)
    columns: list[list[Profile]] = [[] for _ in times]
    interval = max(recording.interval, 1e-3)
    for place, profiles in sorted(lists.items()):
        profiles.sort(key=lambda one: one.time)
        own = np.array([one.time for one in profiles])
        process = recording.processes[place]
        for column, index in enumerate(np.searchsorted(own, times + interval, side="right") - 1):
            if index >= 0 and not (process.ended and process.last_seen < times[column] - 3 * interval):
                columns[column].append(profiles[index])
    return columns


def ages(source: Heap, sites: Sequence[Frame]) -> list[list[list[int]]]:
    """Live bytes (in UNIT) by age bucket: for all, then for each site, at each moment."""
    recording, times = source.recording, source.times
    groups = {site: place for place, site in enumerate(sites, start=1)}
    totals = np.zeros((len(sites) + 1, times.size, _BUCKETS))
    places: dict[int, IntArray] = {}
    for column, profiles in enumerate(source.columns):
        for profile in profiles:
            live = np.nan_to_num(profile.live_bytes)
            if live.shape[1:] != (_BUCKETS,):
                continue
            totals[0, column] += live.sum(axis=0)
            if profile.process not in places:
                prefixes = recording.processes[profile.process].library_prefixes
                found = [site_frame(stack, prefixes) for stack in recording.stacks]
                places[profile.process] = np.array(
                    [groups.get(f, 0) if f else 0 for f in found], dtype=np.int64
                )
            of_rows = places[profile.process][profile.stacks]
            for place in np.unique(of_rows[of_rows > 0]).tolist():
                totals[place, column] += live[of_rows == place].sum(axis=0)
    whole: list[list[list[int]]] = np.round(totals / UNIT).astype(np.int64).tolist()
    return whole


def pack(source: Table, stacks: int = STACKS, packed_bytes: int = PACKED_BYTES) -> Packed:
    """The heaviest stacks, as many as the bounds allow."""
    order = np.argsort(-np.abs(source.values).max(axis=1, initial=0.0), kind="stable")
    order = order[np.abs(source.values[order]).max(axis=1, initial=0.0) > 0]
    keep = min(stacks, order.size)
    while True:
        text = _encoded(_tree(source, order[:keep], order[keep:]))
        if len(text) <= packed_bytes or keep <= 100:
            break
        # Straight to what should fit, and at least a third less.
        keep = max(100, min(int(keep * packed_bytes / len(text) * 0.9), keep * 2 // 3))
    last = source.values[:, -1] if source.values.shape[1] else np.empty(0)
    total = float(np.abs(last).sum())
    lost = float(np.abs(last[order[keep:]]).sum())
    return Packed(text, keep, int(order.size - keep), lost / total if total > 0 else 0.0)


def _encoded(tree: dict[str, Any]) -> str:
    plain = json.dumps(tree, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii")
    return base64.b64encode(gzip.compress(plain, compresslevel=5, mtime=0)).decode("ascii")


def _tree(source: Table, kept: IntArray, rest: IntArray) -> dict[str, Any]:
    """Columns: frames, nodes (a parent comes before its children), and the stacks that end at nodes."""
    build = _Tree(len(source.processes) > 1)
    columns = source.values.shape[1]
    leaves: list[tuple[int, int, int, list[int]]] = []
    quantities = np.round(source.values / UNIT).astype(np.int64)
    for index in kept.tolist():
        row = source.rows[index]
        prefixes = source.prefixes[row.process]
        node = build.node(build.root(row.process, source.processes), row.stack, prefixes)
        site = -1 if row.site is None else build.frame(row.site, prefixes)
        leaves.append((node, site, int(source.samples[index]), quantities[index].tolist()))
    left: dict[int, IntArray] = {}
    for index in rest.tolist():
        process = source.rows[index].process
        left[process] = left.get(process, np.zeros(columns, dtype=np.int64)) + quantities[index]
    for process, total in sorted(left.items()):
        node = build.child(build.root(process, source.processes), build.special(REST, _REST))
        leaves.append((node, -1, 0, total.tolist()))
    return {
        "unit": UNIT,
        "strings": build.strings,
        "files": build.files,
        "lines": build.lines,
        "functions": build.functions,
        "kinds": build.kinds,
        "parents": build.parents,
        "frames": build.frames_of_nodes,
        "leaf": [leaf[0] for leaf in leaves],
        "site": [leaf[1] for leaf in leaves],
        "samples": [leaf[2] for leaf in leaves],
        # Each stack's values as steps from one moment to the next: most are zero.
        "values": [np.diff(np.array(leaf[3], dtype=np.int64), prepend=0).tolist() for leaf in leaves],
    }


class _Tree:
    """Numbers frames and nodes as they come."""

    def __init__(self, with_processes: bool) -> None:
        self._with_processes = with_processes
        self.strings: list[str] = []
        self._strings: dict[str, int] = {}
        self.files: list[int] = []
        self.lines: list[int] = []
        self.functions: list[int] = []
        self.kinds: list[int] = []
        self._frames: dict[tuple[str, int, str, int], int] = {}
        self._known: dict[tuple[Frame, tuple[str, ...]], int] = {}
        self.parents: list[int] = []
        self.frames_of_nodes: list[int] = []
        self._nodes: dict[tuple[int, int], int] = {}

    def frame(self, frame: Frame, prefixes: tuple[str, ...]) -> int:
        key = (frame, prefixes)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._add(
                frame.file, frame.line, frame.function, _kind(frame, prefixes)
            )
        return known

    def special(self, name: str, kind: int) -> int:
        return self._add("", 0, name, kind)

    def root(self, process: int, names: Sequence[str]) -> int:
        return self.child(-1, self.special(names[process], _PROCESS)) if self._with_processes else -1

    def node(self, node: int, stack: Stack, prefixes: tuple[str, ...]) -> int:
        """The node of a stack, given innermost frame first."""
        outwards = [self.frame(frame, prefixes) for frame in stack]
        if len(outwards) > DEPTH:
            half = DEPTH // 2
            outwards = [*outwards[:half], self.special(CUT, _REST), *outwards[-half:]]
        for frame in reversed(outwards):
            node = self.child(node, frame)
        if not outwards:
            node = self.child(node, self.special("(no stack)", _RUNTIME))
        return node

    def child(self, parent: int, frame: int) -> int:
        key = (parent, frame)
        known = self._nodes.get(key)
        if known is None:
            known = self._nodes[key] = len(self.parents)
            self.parents.append(parent)
            self.frames_of_nodes.append(frame)
        return known

    def _add(self, file: str, line: int, function: str, kind: int) -> int:
        key = (file, line, function, kind)
        known = self._frames.get(key)
        if known is None:
            known = self._frames[key] = len(self.files)
            self.files.append(self._text(file))
            self.lines.append(int(line))
            self.functions.append(self._text(function))
            self.kinds.append(kind)
        return known

    def _text(self, text: str) -> int:
        if text not in self._strings:
            self._strings[text] = len(self.strings)
            self.strings.append(shown(text))
        return self._strings[text]


def _kind(frame: Frame, prefixes: tuple[str, ...]) -> int:
    if frame.file.startswith("<"):
        return _RUNTIME
    return _LIBRARY if is_library(frame.file, prefixes) else _OWN
