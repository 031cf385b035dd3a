"""Recordings to report on, and the report of one as a page."""

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memwarden.report.formats import html
from memwarden.report.selection import Selected, Selection, select
from memwarden.report.sources import Source, readable
from memwarden_core.recording import Frame, ProcessInfo, Profile, Recording, Series, SeriesKey
from memwarden_core.recording_file import write_recording
from memwarden_core.settings import SENSITIVITY_LABEL, Sensitivity
from memwarden_core.signals import MEMORY_ANON, PROCESS_MEMORY_ANON
from memwarden_core.synthetic import (
    EPOCH,
    MB,
    Shape,
    SyntheticProcess,
    SyntheticSite,
    after,
    constant,
    for_ever,
    record,
)

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "<!--<script>",
    "]]><img src=x onerror=alert(3)>",
    '" onmouseover="alert(4)" x="',
    "a\x1b[31mred\x1b[0m\x07\x9b2J",
    "line one\nline two\r\n\u2028three",
    "\u202eevil\u202c\u2066",
    "not utf-8 \udcff\udc80",
    "&lt;already&gt; &amp; escaped",
    "long" * 2560,
    "",
)


def leak(rate_mb_per_minute: float = 40.0, ticks: int = 150, seed: int = 3) -> Recording:
    sites = [
        SyntheticSite("remember", constant(rate_mb_per_minute * MB / 60), for_ever),
        SyntheticSite("answer", constant(2 * MB), after(4)),
    ]
    return watched(record(Shape([SyntheticProcess(sites)]), ticks, seed))


def watched(recording: Recording) -> Recording:
    """As `memwarden run` keeps it, where nobody says how soon a leak is to be called."""
    return replace(recording, labels={SENSITIVITY_LABEL: Sensitivity.HIGH.value})


def steady(ticks: int = 150, seed: int = 4, base_bytes: float = 60 * MB) -> Recording:
    return record(
        Shape([SyntheticProcess([SyntheticSite("answer", constant(2 * MB), after(4))], base_bytes)]),
        ticks,
        seed,
    )


def empty() -> Recording:
    return Recording("run", "true", EPOCH, EPOCH, 1.0, None, (), {})


def one_sample() -> Recording:
    process = ProcessInfo(7, None, EPOCH, EPOCH, True, "sleep 1", "/bin/sleep", "", False, "no Python")
    point = Series(np.array([EPOCH]), np.array([3e6]))
    series = {SeriesKey(MEMORY_ANON): point, SeriesKey(PROCESS_MEMORY_ANON, 0): point}
    return Recording("run", "sleep 1", EPOCH, EPOCH, 1.0, None, (process,), series)


def hostile() -> Recording:
    """A leak whose every text tries to be something else."""
    base = leak()
    stacks = tuple(
        (Frame(name, number, HOSTILE[::-1][number]), Frame(f"/srv/{name}", 1, name))
        for number, name in enumerate(HOSTILE)
    )
    profiles = []
    for profile in base.profiles:
        size = len(stacks)
        cells = np.zeros((size, 10))
        cells[:, 5] = (profile.time - EPOCH) * 1e5
        samples = np.zeros((size, 10), dtype=np.int64)
        samples[:, 5] = 40
        profiles.append(Profile(profile.time, 0, np.arange(size), cells, cells / 100, samples))
    processes = tuple(
        replace(
            base.processes[0],
            pid=100 + number,
            command=name,
            runtime=name,
            hooked=number % 2 == 0,
            reason=name,
        )
        for number, name in enumerate(HOSTILE)
    )
    series = dict(base.series)
    for number, name in enumerate(HOSTILE):
        times = np.array([EPOCH, EPOCH + 60])
        series[SeriesKey("memwarden.objects.count", 0, f"{name}{number}")] = Series(
            times, np.array([1.0, 9.0 + number])
        )
    series |= {
        key: one
        for key, one in holding(*HOSTILE).series.items()
        if ".cache." in key.metric or ".container." in key.metric
    }
    return replace(
        base, scope=HOSTILE[1], command=" ".join(HOSTILE[:6]), processes=processes, stacks=stacks,
        profiles=tuple(profiles), series=series,
    )  # fmt: skip


def holding(*names: str) -> Recording:
    """A leak in a process with caches and containers; `names` replace theirs."""
    base = leak()
    ticks = np.array([EPOCH + 10, EPOCH + 40, EPOCH + 70])
    series = dict(base.series)

    def add(metric: str, labels: str, *values: float) -> None:
        series[SeriesKey(f"memwarden.{metric}", 0, labels)] = Series(
            ticks[: len(values)], np.array([float(value) for value in values])
        )

    of_function = "code.file.path=/srv/shop/prices.py,code.line.number=31,memwarden.cache.id=1,"
    for metric, values in (
        ("entries", (100, 400, 900)),
        ("bound", (1000, 1000, 1000)),
        ("hits", (50, 1000, 2700)),
        ("misses", (100, 400, 900)),
    ):
        labels = of_function + "memwarden.cache.kind=lru_cache,memwarden.cache.name=Shop.price"
        add(f"cache.{metric}", labels, *values)
    add(
        "cache.entries",
        "memwarden.cache.id=2,memwarden.cache.kind=lru_cache,memwarden.cache.name=shop.PAGES",
        5,
        7,
    )
    for number, name in enumerate(names or ("shop.ORDERS", "")):
        kind = f"memwarden.container.name={name},memwarden.container.type=builtins.dict"
        add("container.entries", f"memwarden.container.id={number},{kind}", 300, 5000 + number)
        if names:
            add(
                "cache.entries",
                f"code.file.path={name},memwarden.cache.id=n{number},memwarden.cache.kind={name}",
                3,
            )
    return replace(base, series=series)


def many_stacks(count: int, depth: int = 24, moments: int = 3) -> Recording:
    """So many different stacks, all growing."""
    base = leak(ticks=120)
    generator = np.random.default_rng(1)
    frames = [Frame(f"/srv/shop/part{n % 40}.py", n, f"call_{n}") for n in range(400)]
    # The first calls are common, the last one is each stack's own.
    trails = generator.integers(0, 4, (count, depth // 3))
    leaves = generator.integers(0, 400, (count, depth - depth // 3))
    trails = trails + 4 * np.arange(depth // 3)
    lines = np.concatenate([trails, leaves], axis=1)[:, ::-1].tolist()
    stacks = tuple(tuple(frames[number] for number in line) for line in lines)
    weights = generator.integers(1, 60, count).astype(np.float64) * 40_000
    profiles = []
    for number in range(moments):
        cells = np.zeros((count, 10))
        cells[:, 6] = weights * (number + 1)
        samples = np.ones((count, 10), dtype=np.int64)
        time = EPOCH + 100.0 * number / max(1, moments - 1) + 10
        profiles.append(Profile(time, 0, np.arange(count), cells, cells / 100, samples))
    return replace(base, stacks=stacks, profiles=tuple(profiles))


def chosen(recording: Recording, selection: Selection | None = None) -> Selected:
    return select(Source("run.mwrec", readable(recording), None, ()), selection or Selection())


def page_of(recording: Recording) -> str:
    selected = chosen(recording)
    return html.render(selected.report, selected.recording)


@dataclass
class Page(HTMLParser):
    """What a browser would find in a page, as far as the standard library can tell."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.source = text
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.blocks: dict[str, str] = {}
        self._inside: list[str] = []
        self._block = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._block = str(dict(attrs).get("id") or tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._block = ""

    def handle_data(self, data: str) -> None:
        if self._block:
            self.blocks[self._block] = self.blocks.get(self._block, "") + data
        else:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def ids(self) -> set[str]:
        return {str(attributes["id"]) for _, attributes in self.tags if attributes.get("id")}


@dataclass(frozen=True)
class Make:
    """The makers above, for tests (a conftest can't be imported)."""

    leak: Callable[..., Recording] = leak
    steady: Callable[..., Recording] = steady
    empty: Callable[[], Recording] = empty
    one_sample: Callable[[], Recording] = one_sample
    hostile: Callable[[], Recording] = hostile
    holding: Callable[..., Recording] = holding
    many_stacks: Callable[..., Recording] = many_stacks
    chosen: Callable[..., Selected] = chosen
    page_of: Callable[[Recording], str] = page_of
    parse: Callable[[str], Any] = Page
    hostile_names: tuple[str, ...] = HOSTILE


@pytest.fixture
def make() -> Make:
    return Make()


@cache
def _bytes(name: str) -> bytes:
    stream = io.BytesIO()
    write_recording(
        {"leak": leak, "steady": steady, "empty": empty, "one-sample": one_sample, "hostile": hostile}[
            name
        ](),
        stream,
    )
    return stream.getvalue()


@pytest.fixture
def kept(tmp_path: Path) -> Callable[[str], Path]:
    """Kept files by name, in the test's folder."""

    def write(name: str) -> Path:
        path = tmp_path / f"{name}.mwrec"
        path.write_bytes(_bytes(name))
        return path

    return write
