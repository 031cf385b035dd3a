"""`pytest --memwarden`: how much live memory each test leaves behind, and a limit on it by a marker.

    @pytest.mark.memwarden(max_growth="1MiB")
    def test_requests_leave_nothing(): ...

A marked test runs under `tracemalloc`: what it allocated and what still lives after its body and a full garbage
collection is its growth, to the byte, with the lines that allocated it. It is exact where numbers of the operating
system are not (arenas that stay, allocators that keep pages), so that a limit of some kB makes sense. It counts what
goes through Python's allocators, numpy's arrays included; what a C library takes from malloc by itself is not
in it, nor what fixtures allocate before and after the body. A marked test runs about two to four times slower.

Unmarked tests are not traced: of them the anonymous memory of the process is compared, before and after, each time
after a collection. That is a hint where to put a marker, never a failure.
"""

import gc
import tracemalloc
from collections.abc import Generator
from pathlib import Path
from typing import Final

import pytest

from memwarden.errors import Usage
from memwarden.quantities import short_size, size

_MARKER: Final = "memwarden"
_LIVE: Final = "memwarden_live_bytes"
_ANONYMOUS: Final = "memwarden_anonymous_bytes"
_LINES: Final = 3
_SHARE: Final = 0.05
"""Lines with less of the growth are not named."""
_LISTED: Final = 10
_WORTH_LISTING: Final = 1 << 20
"""An arena of CPython: less says nothing about an untraced test."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("memwarden")
    group.addoption(
        "--memwarden", action="store_true", help="measure the memory that each test leaves behind"
    )


def pytest_configure(config: pytest.Config) -> None:
    text = f'{_MARKER}(max_growth="1MiB"): fails under --memwarden if more memory lives after the test than before'
    config.addinivalue_line("markers", text)
    if config.getoption("--memwarden"):
        config.pluginmanager.register(Growth(), "memwarden-growth")


class Growth:
    """The hooks that measure; registered with --memwarden only."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        marker = item.get_closest_marker(_MARKER)
        if marker is None:
            return (yield from self._anonymous(item))
        limit = _limit(marker)
        return (yield from self._traced(item, limit, marker.kwargs["max_growth"]))

    def _anonymous(self, item: pytest.Item) -> Generator[None, object, object]:
        gc.collect()
        before = anonymous_bytes()
        result = yield
        gc.collect()
        after = anonymous_bytes()
        if before is not None and after is not None:
            item.user_properties.append((_ANONYMOUS, after - before))
        return result

    def _traced(self, item: pytest.Item, limit: int, max_growth: str) -> Generator[None, object, object]:
        ours = not tracemalloc.is_tracing()
        if ours:
            tracemalloc.start()
        try:
            gc.collect()
            before = tracemalloc.take_snapshot()
            start = tracemalloc.get_traced_memory()[0]
            result = yield
            gc.collect()
            growth = tracemalloc.get_traced_memory()[0] - start
            item.user_properties.append((_LIVE, growth))
            if growth > limit:
                lines = _lines(before, tracemalloc.take_snapshot(), growth)
                message = f"{short_size(growth)} live after this test, the limit is {max_growth}; {lines}"
                pytest.fail(message, pytrace=False)
            return result
        finally:
            if ours:
                tracemalloc.stop()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        reports = [report for reports in terminalreporter.stats.values() for report in reports]
        tests = [
            report for report in reports if isinstance(report, pytest.TestReport) and report.when == "call"
        ]
        grown = [
            (int(str(value)), name, test.nodeid)
            for test in tests
            for name, value in test.user_properties
            if _told(name, value)
        ]
        if not grown:
            return
        terminalreporter.section("memory left behind by tests")
        for value, name, test in sorted(grown, reverse=True)[:_LISTED]:
            kind = "live" if name == _LIVE else "anonymous memory"
            terminalreporter.write_line(f"{short_size(value):>8} {kind}  {test}")


def anonymous_bytes() -> int | None:
    """Anonymous memory of this process, swapped pages included; None where the kernel does not say."""
    try:
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    found = [line.split() for line in lines if line.startswith(("Anonymous:", "Swap:"))]
    return sum(int(words[1]) for words in found) * 1024


def _limit(marker: pytest.Mark) -> int:
    text = marker.kwargs.get("max_growth")
    if marker.args or set(marker.kwargs) != {"max_growth"} or not isinstance(text, str):
        pytest.fail('the marker is written as @pytest.mark.memwarden(max_growth="1MiB")', pytrace=False)
    try:
        return size(text, "max_growth")
    except Usage as error:
        pytest.fail(str(error), pytrace=False)


def _lines(before: tracemalloc.Snapshot, after: tracemalloc.Snapshot, growth: int) -> str:
    """The lines that allocated most of what lives, tracemalloc's own left out."""
    own = tracemalloc.Filter(False, tracemalloc.__file__)
    changes = after.filter_traces([own]).compare_to(before.filter_traces([own]), "lineno")
    most = sorted(
        (change for change in changes if change.size_diff > growth * _SHARE),
        key=lambda change: -change.size_diff,
    )
    told = [f"{change.traceback[0]} {short_size(change.size_diff)}" for change in most[:_LINES]]
    return f"most of it from {', '.join(told)}" if told else "no line is known"


def _told(name: str, value: object) -> bool:
    least = 1 if name == _LIVE else _WORTH_LISTING
    return name in (_LIVE, _ANONYMOUS) and isinstance(value, int) and value >= least
