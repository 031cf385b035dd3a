"""The report: the collector's verdict, and what only the command knows (exit codes, cost, notes)."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import memwarden
from memwarden.run.backend import Fault
from memwarden.run.cost import Usage
from memwarden_api import report
from memwarden_api.report import ComponentCost, Cost, Report, Verdict
from memwarden_sidecar.export.account import Settled


@dataclass(frozen=True, slots=True)
class Seen:
    """What the command saw of a run. Moments in Unix seconds."""

    command: Sequence[str]
    scope: str
    interval_seconds: float
    started_at: float
    ended_at: float
    exit_code: int
    app_exit_code: int | None
    usage: Mapping[str, Usage]
    """By part: sidecar, collector, database, command."""
    verdict: Mapping[str, Any] | None
    """As the collector sent it; None: there is none, and `unknown_because` says why."""
    unknown_because: str = ""
    probe_cpu: Sequence[Mapping[str, Any]] = ()
    """The series PROBE_CPU_TIME of all processes: seconds, cumulative."""
    memory: Sequence[Mapping[str, Any]] = ()
    """The series MEMORY_ANON, at least its beginning."""
    notes: Sequence[str] = field(default=())
    faults: Sequence[Fault] = field(default=())
    """Parts of ours that died."""
    delivered: Settled | None = None


def build(seen: Seen) -> Report:
    """Raises pydantic.ValidationError when the collector's verdict is not one."""
    return Report(
        schema="memwarden.dev/report/v1",
        memwarden_version=memwarden.__version__,
        started_at=_moment(seen.started_at),
        ended_at=_moment(seen.ended_at),
        exit_code=seen.exit_code,
        app_exit_code=seen.app_exit_code,
        interval_seconds=seen.interval_seconds,
        verdicts=(Verdict.model_validate(seen.verdict) if seen.verdict is not None else unknown(seen),),
        cost=cost(seen),
        faults=tuple(
            report.Fault(part=one.part, how=one.how, at=_moment(one.at), started_again=one.started_again)
            for one in seen.faults
        ),
        delivery=_delivery(seen.delivered) if seen.delivered is not None else None,
        notes=tuple(seen.notes),
    )


def _delivery(seen: Settled) -> report.Delivery:
    return report.Delivery(
        made=seen.made, stored=seen.sent, refused=seen.refused, lost=seen.lost, undelivered=seen.left
    )


def unknown(seen: Seen) -> Verdict:
    """The verdict when the collector has none: a whole one, with the reason."""
    return Verdict(
        scope=seen.scope,
        command=shlex.join(seen.command),
        headline=f"Nothing can be said about the memory of this run: {seen.unknown_because}.",
        processes=(),
        verdict="Unknown",
        reason=seen.unknown_because,
        at_risk=False,
        confidence=0.0,
        limit=None,
        anon_bytes=None,
        since=None,
        growth_bytes_per_second=None,
        growth_interval_bytes_per_second=None,
        oom_forecast_seconds=None,
        cause="",
        sites=(),
        types=(),
        advice=(),
        gates=(),
        history=(),
    )


def cost(seen: Seen) -> Cost:
    """What each part took while the app ran. The probe's is the sum over processes of its own counter."""
    parts = [
        ComponentCost(name=name, cpu_seconds=usage.cpu_seconds, peak_rss_bytes=usage.peak_rss_bytes)
        for name, usage in seen.usage.items()
    ]
    probes = [item["values"] for item in seen.probe_cpu if item["values"]]
    if probes:
        seconds = sum(max(values) for values in probes)
        parts.append(ComponentCost(name="probe", cpu_seconds=seconds, peak_rss_bytes=None))
    firsts = [float(item["times"][0]) for item in seen.memory if item["times"]]
    wall = seen.ended_at - seen.started_at
    return Cost(
        components=tuple(parts),
        cpu_ratio=sum(part.cpu_seconds for part in parts) / wall if parts and wall > 0 else None,
        start_to_first_sample_seconds=max(0.0, min(firsts) - seen.started_at) if firsts else None,
    )


def _moment(unix_seconds: float) -> datetime:
    return datetime.fromtimestamp(unix_seconds, UTC)
