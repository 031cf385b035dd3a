"""The collector's own numbers, as Prometheus text at `/metrics`. Written by hand: a dozen counters need no
library.
"""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Final

_HELP: Final = {
    "memwarden_collector_batches_total": ("counter", "Batches acknowledged, by signal and result"),
    "memwarden_collector_points_total": ("counter", "Points (metrics) and profiles stored, by signal"),
    "memwarden_collector_rejected_total": (
        "counter",
        "Points, profiles and log records rejected by partial success, by reason, limit and its value",
    ),
    "memwarden_collector_refused_total": (
        "counter",
        "Requests answered with an error, by door, status, reason, limit and its value",
    ),
    "memwarden_collector_judgements_total": ("counter", "Judgements made, by verdict"),
    "memwarden_collector_screened_total": (
        "counter",
        "Looks of the screen at a container, by whether it is suspect",
    ),
    "memwarden_collector_watched_containers": (
        "gauge",
        "Containers and runs that live, as the collector sees that does the analysis; 0 elsewhere",
    ),
    "memwarden_collector_judgement_lag_seconds": (
        "gauge",
        "How long a suspect has waited for its judgement; 0 where none waits",
    ),
    "memwarden_collector_errors_total": ("counter", "Errors of jobs, by job and cause"),
    "memwarden_collector_reviews_total": (
        "counter",
        "Tokens and rights asked of the cluster, by kind and result",
    ),
    "memwarden_collector_known_tokens": ("gauge", "Tokens that are known and not asked for again yet"),
    "memwarden_collector_kubelets_read_total": ("counter", "Readings of kubelets, by result"),
    "memwarden_collector_kubelet_containers": (
        "gauge",
        "Containers without a sidecar that kubelets told of at last",
    ),
    "memwarden_collector_certificate_expiry_seconds": ("gauge", "Until the doors' certificate ends"),
    "memwarden_collector_slow_queries_total": ("counter", "Queries of readers over slow_query_seconds"),
    "memwarden_collector_store_info": ("gauge", "1, with the database's tier and layout"),
    "memwarden_collector_upkeep_rounds_total": ("counter", "Rounds of upkeep that this collector did"),
    "memwarden_collector_partitions_total": (
        "counter",
        "Partitions or chunks, by what was done: made, dropped, compressed",
    ),
    "memwarden_collector_rows_rolled_up_total": ("counter", "Rows of rollups written"),
    "memwarden_collector_rows_moved_total": ("counter", "Rows moved out of default partitions"),
    "memwarden_collector_rollup_lag_seconds": (
        "gauge",
        "From the end of the last minute rolled up until now; 0 elsewhere",
    ),
    "memwarden_collector_commands_total": (
        "counter",
        "Commands for sidecars, by kind and what became of them: made, delivered, done, failed",
    ),
    "memwarden_collector_snapshot_chunks_total": (
        "counter",
        "Chunks of snapshots, by result: kept, or why not",
    ),
    "memwarden_collector_snapshots_total": (
        "counter",
        "Snapshots, by what became of them: complete, damaged, deleted, old, abandoned",
    ),
    "memwarden_collector_snapshot_free_bytes": ("gauge", "Bytes that are free on the disk of snapshots"),
    "memwarden_collector_past_bytes": (
        "gauge",
        "Memory for the pasts of scopes that are kept between judgements, about",
    ),
    "memwarden_collector_dictionary_bytes": ("gauge", "Memory for ids of names that the writer knows, about"),
    "memwarden_collector_sidecars_waiting": ("gauge", "Sidecars that wait for commands here"),
    "memwarden_collector_inflight_bytes": ("gauge", "Bytes of requests being worked on"),
    "memwarden_collector_template_bytes": ("gauge", "Memory that templates of known senders take, estimated"),
    "memwarden_collector_queue_rows": ("gauge", "Rows that wait for the database"),
    "memwarden_collector_database_up": ("gauge", "1 while the database answers"),
}


Tracer = Callable[[str, Mapping[str, str | int]], AbstractContextManager[None]]
_NOTHING: Final = nullcontext()


class Telemetry:
    """Counters by name and labels, and gauges read when asked. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()
        self._gauges: dict[str, Callable[[], float]] = {}
        self._tracer: Tracer | None = None

    def count(self, name: str, by: int = 1, **labels: str) -> None:
        """Add to a counter; label values must be from a small set."""
        with self._lock:
            self._counts[f"memwarden_collector_{name}", tuple(sorted(labels.items()))] += by

    def gauge(self, name: str, read: Callable[[], float]) -> None:
        """Name a gauge; `read` is called whenever someone looks."""
        self._gauges[f"memwarden_collector_{name}"] = read

    def trace_by(self, tracer: Tracer) -> None:
        """From now on spans are made by this."""
        self._tracer = tracer

    def span(self, name: str, **attributes: str | int) -> AbstractContextManager[None]:
        """Around a piece of work that somebody may want to see; nothing while nobody does."""
        return _NOTHING if self._tracer is None else self._tracer(name, attributes)

    def described(self) -> list[tuple[str, str, str]]:
        """Name, kind and meaning of all numbers."""
        return [(name, kind, text) for name, (kind, text) in _HELP.items()]

    def counts(self, name: str) -> list[tuple[tuple[tuple[str, str], ...], float]]:
        """Labels and value of one of them as they are now."""
        with self._lock:
            found: list[tuple[tuple[tuple[str, str], ...], float]] = [
                (labels, value) for (metric, labels), value in self._counts.items() if metric == name
            ]
        if name in self._gauges:
            found.append(((), self._gauges[name]()))
        return found

    def text(self) -> str:
        """Everything in Prometheus' text format 0.0.4."""
        with self._lock:
            counts = sorted(self._counts.items())
        lines = []
        for name, (kind, text) in _HELP.items():
            lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
            for (metric, labels), value in counts:
                if metric == name:
                    inner = ",".join(f'{key}="{escape(value_)}"' for key, value_ in labels)
                    lines.append(f"{name}{{{inner}}} {value}" if inner else f"{name} {value}")
            if name in self._gauges:
                lines.append(f"{name} {self._gauges[name]():g}")
        return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """The value of a label in Prometheus' text format."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
