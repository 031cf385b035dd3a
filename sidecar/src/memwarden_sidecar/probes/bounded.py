"""Growing containers whose bound stands in the program's code: they are sent as caches with that bound.

The source is read through the process's own root, as it lies there now; where that is not allowed, or the file is not
there, nothing is known and nothing is said. A container is looked up only while it grows, a few times, and a file is
read once: it costs a few milliseconds in the life of a process. The paths come from a user's process: whatever lies
there is read as text, bounded, and nothing but a number of it is ever sent.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath
from typing import Final

from memwarden_sidecar.probes.census import Census
from memwarden_sidecar.probes.holdings import CacheSize, ContainerSize
from memwarden_sidecar.sources.code_bounds import CodeBound, Unit, bound_of, code_bounds

LOOKS: Final = 3
"""Censuses at which one container is looked up: its code may have been sampled by the next."""
FILES: Final = 16
"""Files of one process that are read, at most."""


class BoundsInCode:
    """Of one process. `read`: the text of one of its files, "" where it can't be read."""

    def __init__(self, read: Callable[[str], str]) -> None:
        self._read = read
        self._first: dict[str, int] = {}
        self._looks: Counter[str] = Counter()
        self._files: dict[str, list[CodeBound]] = {}
        self._known: dict[str, tuple[str, CodeBound]] = {}

    def applied(self, census: Census, files: Callable[[], Iterable[str]]) -> Census:
        """The census with those containers as caches. `files`: whose code allocates what lives; asked for if needed."""
        wanted = [one for one in census.containers if self._is_wanted(one)]
        if wanted:
            paths = sorted(files())
            for container in wanted:
                self._look_up(container, paths)
        bounded = [(one, self._known[one.id]) for one in census.containers if one.id in self._known]
        if not bounded:
            return census
        return census._replace(
            caches=(*census.caches, *(_as_cache(one, file, bound) for one, (file, bound) in bounded)),
            containers=tuple(one for one in census.containers if one.id not in self._known),
        )

    def _is_wanted(self, container: ContainerSize) -> bool:
        grows = container.entries > self._first.setdefault(container.id, container.entries)
        if not grows or not container.name or container.id in self._known:
            return False
        self._looks[container.id] += 1
        return self._looks[container.id] <= LOOKS

    def _look_up(self, container: ContainerSize, paths: Sequence[str]) -> None:
        parts = container.name.split(".")
        for path in paths:
            if parts[0] != "__main__" and _module(path) not in parts:
                continue
            if path not in self._files and len(self._files) < FILES:
                self._files[path] = code_bounds(self._read(path))
            found = bound_of(container.name, self._files.get(path, ()))
            if found is not None:
                self._known[container.id] = path, found
                return


def _module(path: str) -> str:
    file = PurePosixPath(path)
    return file.parent.name if file.stem == "__init__" else file.stem


def _as_cache(container: ContainerSize, file: str, bound: CodeBound) -> CacheSize:
    return CacheSize(
        id=container.id,
        kind=container.type,
        name=container.name,
        file=file,
        line=bound.line,
        entries=container.entries,
        bound=round(bound.most) if bound.unit is Unit.ENTRIES else None,
        hits=None,
        misses=None,
        bound_bytes=round(bound.most) if bound.unit is Unit.BYTES else None,
        bound_age=bound.most if bound.unit is Unit.SECONDS else None,
    )
