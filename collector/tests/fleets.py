"""Containers with a past, put into the database as the doors would, and the analysis with a clock that tests move."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from memwarden_api import names
from memwarden_api.workloads import Workload
from memwarden_collector.analysis.analyst import Analyst
from memwarden_collector.clock import Clock
from memwarden_collector.settings import Analysis
from memwarden_collector.store.connection import Database
from memwarden_collector.store.copying import copy_in, float8, int8, row, text, timestamp
from memwarden_collector.store.migrate import migrate
from memwarden_collector.telemetry import Telemetry

MB = 1e6
LIMIT = 1e9


def flat(ticks: int, level: float = 100 * MB, seed: int = 1) -> np.ndarray:
    """A healthy container: memory with a little noise."""
    return level + np.random.default_rng(seed).normal(0, 0.2 * MB, ticks)


def leak(ticks: int, pace: float = 1 * MB, level: float = 100 * MB, seed: int = 1) -> np.ndarray:
    """One that grows by `pace` a tick."""
    return flat(ticks, level, seed) + pace * np.arange(ticks)


@dataclass
class Fleet:
    """The database with one collector's analysis; times are those of samples a second, the last of them now."""

    url: str
    settings: Analysis = field(default_factory=Analysis)

    def __post_init__(self) -> None:
        self.database = Database(self.url)
        self.connection = self.database.connect("fleet")
        migrate(self.connection)
        self.monotonic = 1e6
        self.now = float(int(time.time()))
        self.telemetry = Telemetry()
        self.analyst = self.another()

    def another(self, telemetry: Telemetry | None = None) -> Analyst:
        """The analysis of another collector, or of one that was started again."""
        clock = Clock(monotonic=lambda: self.monotonic)
        return Analyst(self.database, self.settings, telemetry or self.telemetry, clock)

    def close(self) -> None:
        self.analyst.release()
        self.connection.close()
        self.database.close()

    def rows(self, query: str, *values: Any) -> list[Any]:
        return self.connection.execute(query.encode(), values).fetchall()

    def container(
        self,
        scope: str,
        values: Sequence[float] | np.ndarray,
        *,
        deployment: str = "web",
        version: str = "",
        ended: float | None = None,
        **attributes: str,
    ) -> str:
        """A container of a pod of its own with samples up to now, or up to `ended`; its scope."""
        until = self.now if ended is None else ended
        told = {
            names.K8S_NAMESPACE: "shop",
            "k8s.deployment.name": deployment,
            names.K8S_POD: f"pod-{scope}",
            names.K8S_POD_UID: f"uid-{scope}",
            names.K8S_CONTAINER: "app",
            **({"k8s.replicaset.name": f"{deployment}-{version}"} if version else {}),
            **attributes,
        }
        ((scope_id,),) = self.rows(
            "insert into scope"
            " (name, kind, command, interval_seconds, limit_bytes, limit_source, seen_first, seen_last)"
            " values (%s, 'container', 'app', 1, %s, 'cgroup', to_timestamp(%s), to_timestamp(%s))"
            " returning scope_id",
            scope, LIMIT, until - len(values) + 1, until,
        )  # fmt: skip
        self.rows(
            "insert into resource (scope_id, fp, attrs, attrs_at, seen_first, seen_last)"
            " values (%s, %s, %s, now(), to_timestamp(%s), to_timestamp(%s)) returning resource_id",
            scope_id, scope.encode(), json.dumps({key: value for key, value in told.items() if value}),
            until - len(values) + 1, until,
        )  # fmt: skip
        self.send(scope, values, until)
        return scope

    def send(self, scope: str, values: Sequence[float] | np.ndarray, until: float | None = None) -> None:
        """Samples of a second each, the last one at `until`."""
        last = self.now if until is None else until
        ((scope_id, resource_id),) = self.rows(
            "select scope_id, resource_id from scope join resource using (scope_id) where name = %s", scope
        )
        with self.connection.transaction():
            copy_in(
                self.connection,
                "copy mem_sample (ts, resource_id, anon_bytes, limit_bytes, cpu_seconds, limit_source)"
                " from stdin (format binary)",
                (
                    row(
                        timestamp(round((last - len(values) + 1 + tick) * 1e6)), int8(resource_id),
                        float8(float(value)), float8(LIMIT), float8(0.1 * (last + tick)), text("cgroup"),
                    )
                    for tick, value in enumerate(values)
                ),
            )  # fmt: skip
            self.connection.execute(
                "update scope set seen_last = greatest(seen_last, to_timestamp(%s)) where scope_id = %s",
                [last, scope_id],
            )
            self.connection.execute(
                "insert into ingest_change (scope_id, since) values (%s, to_timestamp(%s))",
                [scope_id, last - len(values) + 1],
            )

    def later(self, seconds: float) -> None:
        """Time goes by: of samples and of the clock."""
        self.now += seconds
        self.monotonic += seconds

    def tick(self) -> None:
        assert self.analyst.tick()

    def workload(self, name: str = "shop/Deployment/web/app") -> Workload:
        ((document,),) = self.rows(
            "select document from workload_last join workload using (workload_id) where name = %s", name
        )
        return Workload.model_validate_json(json.dumps(document))

    def leaks(self) -> list[Any]:
        """(state, returns, first version, last version), the oldest first."""
        return self.rows("select state, returns, first_version, last_version from leak order by leak_id")

    def judgements(self) -> int:
        return judgements(self.telemetry)


def judgements(telemetry: Telemetry) -> int:
    """How many containers were judged in full."""
    lines = [line for line in telemetry.text().splitlines() if "judgements_total{" in line]
    return sum(int(line.rpartition(" ")[2]) for line in lines)
