"""Runs that are hurt on purpose; whatever a failed test leaves is ended."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from faults.watched_run import WatchedRun


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Callable[..., WatchedRun]]:
    runs: list[WatchedRun] = []

    def start(*arguments: Any, **more: Any) -> WatchedRun:
        folder = tmp_path / f"run{len(runs)}"
        folder.mkdir()
        runs.append(WatchedRun(folder, *arguments, **more))
        return runs[-1]

    yield start
    for run in runs:
        run.end_hard()
