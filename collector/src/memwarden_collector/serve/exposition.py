"""What workloads are said to be, as series for Prometheus: bounded, the worst first, the same from every collector."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from memwarden_api import names
from memwarden_collector.errors import StoreError
from memwarden_collector.store import cluster, workloads
from memwarden_collector.store.cluster import ProfilePods
from memwarden_collector.store.connection import Database
from memwarden_collector.store.workloads import Exposed
from memwarden_collector.telemetry import Telemetry, escape

_Values = Callable[[Exposed], Iterator[tuple[str, float]]]


def _leak(one: Exposed) -> Iterator[tuple[str, float]]:
    yield "", float(one.leak_active)


def _confidence(one: Exposed) -> Iterator[tuple[str, float]]:
    yield "", one.confidence


def _growth(one: Exposed) -> Iterator[tuple[str, float]]:
    if one.growth is not None:
        yield "", one.growth


def _forecast(one: Exposed) -> Iterator[tuple[str, float]]:
    for quantile, value in zip(("0.1", "0.5", "0.9"), one.forecast or (), strict=False):
        yield f',quantile="{quantile}"', value


def _usage(one: Exposed) -> Iterator[tuple[str, float]]:
    if one.usage is not None:
        yield "", one.usage


def _verdict(one: Exposed) -> Iterator[tuple[str, float]]:
    yield f',verdict="{escape(one.verdict)}"', 1.0


_FRESH_SECONDS: Final = 10.0
"""What the controller says of pods and their owners is no change of a workload: it is looked at as often as this."""
_HELP: Final = {
    names.PROMETHEUS_VERDICT: ("gauge", "1, with the workload's verdict as a label"),
    names.PROMETHEUS_LEAK_ACTIVE: ("gauge", "1 while a leak of the workload is open, else 0"),
    names.PROMETHEUS_CONFIDENCE: ("gauge", "Estimated probability that the workload's verdict is right"),
    names.PROMETHEUS_GROWTH: ("gauge", "Growth of the floors of the container that grows fastest"),
    names.PROMETHEUS_FORECAST: (
        "gauge",
        "Time until the limit is met by the container that meets it first, by quantile; none where nothing grows",
    ),
    names.PROMETHEUS_USAGE: ("gauge", "Anonymous memory over the limit, the highest of the containers"),
    names.PROMETHEUS_PROFILE_PODS: (
        "gauge",
        "Pods of a MemoryProfile, by state: matched (selected by it), injected, reporting (samples come)",
    ),
    names.PROMETHEUS_LEFT_OUT: ("gauge", "Workloads that these series don't tell of, as there are too many"),
}
_SERIES: Final[dict[str, _Values]] = {
    names.PROMETHEUS_VERDICT: _verdict,
    names.PROMETHEUS_LEAK_ACTIVE: _leak,
    names.PROMETHEUS_CONFIDENCE: _confidence,
    names.PROMETHEUS_GROWTH: _growth,
    names.PROMETHEUS_FORECAST: _forecast,
    names.PROMETHEUS_USAGE: _usage,
}


class Exposition:
    """Made anew when something has changed. Safe to use from any thread."""

    def __init__(self, database: Database, telemetry: Telemetry, most: int) -> None:
        self._database = database
        self._telemetry = telemetry
        self._most = most
        self._lock = threading.Lock()
        self._made: tuple[int, float, str] | None = None

    def text(self) -> str:
        """In Prometheus' text format 0.0.4; nothing where the database is away, which is counted."""
        with self._lock:
            try:
                with self._database.lend() as connection:
                    number = workloads.last_change(connection)
                    now = time.monotonic()
                    if self._made is None or self._made[0] != number or now >= self._made[1]:
                        found, count = workloads.worst(connection, self._most)
                        pods = cluster.pods_of_profiles(connection, self._most)
                        self._made = number, now + _FRESH_SECONDS, _text(found, count, pods)
            except StoreError as error:
                self._telemetry.count("errors_total", job="metrics", cause=type(error).__name__)
                return ""
            return self._made[2]


def _text(found: Sequence[Exposed], count: int, pods: Sequence[ProfilePods]) -> str:
    labels = [
        f'namespace="{escape(one.namespace)}",profile="{escape(one.profile)}",workload="{escape(one.owner)}",'
        f'container="{escape(one.container)}",kind="{escape(one.kind)}"'
        for one in found
    ]
    lines: list[str] = []
    for name, (kind, meaning) in _HELP.items():
        lines += [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
        if name in _SERIES:
            lines += [
                f"{name}{{{own}{more}}} {value!r}"
                for own, one in zip(labels, found, strict=True)
                for more, value in _SERIES[name](one)
            ]
        elif name == names.PROMETHEUS_PROFILE_PODS:
            lines += [
                f'{name}{{namespace="{escape(one.namespace)}",profile="{escape(one.profile)}",state="{state}"}} {value}'
                for one in pods
                for state, value in one.states()
            ]
    lines.append(f"{names.PROMETHEUS_LEFT_OUT} {count - len(found)}")
    return "\n".join(lines) + "\n"
