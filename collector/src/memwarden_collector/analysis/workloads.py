"""Bringing workloads up to date: their verdicts, their leaks, and the numbers of what changed.

One transaction for some hundred workloads. It may be asked by several processes at once and again after a crash: what
it writes follows from what is there.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from memwarden_api.workloads import LeakState, Workload
from memwarden_collector.analysis.composition import (
    SEVERITY,
    Composed,
    Member,
    compose,
    empty,
)
from memwarden_collector.analysis.leak_cycle import ACTIVE, Leak, Sighting, step
from memwarden_collector.settings import Analysis
from memwarden_collector.store import leaks as leak_store
from memwarden_collector.store import workloads as store
from memwarden_collector.store.connection import Connection
from memwarden_collector.store.leaks import ChangeRow, LeakRow
from memwarden_collector.store.workloads import LastRow, WorkloadRow
from memwarden_collector.verdicts import utc
from memwarden_core.settings import JudgeSettings
from memwarden_core.verdict import Kind

MAX_LIVING: Final = 1000
MAX_ENDED: Final = 20
"""Containers of a workload that are looked at, the newest."""
_AT_ONCE: Final = 200
_FRESH_SECONDS: Final = 120.0
"""A verdict that stays as it is is told again after this much, so that readers know how fresh it is."""
_HISTORY_SECONDS: Final = 3600.0
_STEP: Final = 0.2
"""Growth and forecast have changed when they did by this share,"""
_POINTS: Final = 0.05
"""… confidence and usage when they did by so much."""
_CALM: Final = (Kind.HEALTHY, Kind.CACHE_FILLING, Kind.FRAGMENTED)


def refresh(
    connection: Connection,
    workload_ids: Iterable[int],
    settings: Analysis,
    judge_settings: JudgeSettings,
    now: float,
) -> int:
    """Make the verdicts of these workloads anew; how many changed. `now`: Unix seconds by the database's clock."""
    changed = 0
    wanted = sorted(set(workload_ids))
    for start in range(0, len(wanted), _AT_ONCE):
        ids = wanted[start : start + _AT_ONCE]
        with connection.transaction():
            store.lock_changes(connection)
            changed += _refresh(connection, ids, settings, judge_settings, now)
    return changed


def _refresh(
    connection: Connection, ids: Sequence[int], settings: Analysis, judge_settings: JudgeSettings, now: float
) -> int:
    members = store.read_members(connection, ids, MAX_LIVING, MAX_ENDED)
    leaks = leak_store.of_workloads(connection, ids)
    before = store.read_documents(connection, ids)
    rows = []
    for workload in store.read_workloads(connection, ids):
        number = workload.workload_id
        known = leaks[number]
        found = [Member.of(one) for one in members[number]]
        if not found:
            row = (
                _row(workload, empty(workload, utc(now)), 0, False, before.get(number))
                if number in before
                else None
            )
        else:
            active = [leak.fingerprint for leak in known if leak.state in ACTIVE]
            composed = compose(workload, found, active, judge_settings)
            leak = _live(connection, workload, composed, known, settings, now)
            document = composed.document.model_copy(update={"leak": leak})
            row = _row(workload, document, composed.living, leak is not None, before.get(number))
        if row is not None:
            rows.append(row)
    store.save_last(connection, rows)
    return len(rows)


# ── Leaks ────────────────────────────────────────────────────────────────────────────────────────────────
def _live(
    connection: Connection,
    workload: WorkloadRow,
    composed: Composed,
    known: Sequence[LeakRow],
    settings: Analysis,
    now: float,
) -> str | None:
    """Every leak of the workload goes one step on; the id of the one that is open, if one is."""
    by_name = {leak.fingerprint: leak for leak in known}
    opened: list[tuple[bool, int]] = []
    for fingerprint in dict.fromkeys((*composed.leaking, *by_name)):
        row = by_name.get(fingerprint)
        seen = _sighting(composed, composed.leaking.get(fingerprint, ()), row, settings)
        went = step(None if row is None else _leak(row), fingerprint, seen, now, settings.leak_close_seconds)
        if went is None:
            continue
        number = 0 if row is None else row.leak_id
        after = _leak_row(number, workload, went.leak, row, composed.leaking.get(fingerprint, ()))
        if after != row:
            change = (
                ChangeRow(utc(now), went.leak.state, went.leak.last_version, went.reason)
                if went.reason
                else None
            )
            number = leak_store.save(connection, after, change)
        if went.leak.state in ACTIVE:
            opened.append((fingerprint in composed.leaking, number))
    opened.sort(key=lambda one: (not one[0], one[1]))
    return str(opened[0][1]) if opened else None


def _sighting(
    composed: Composed, guilty: Sequence[Member], row: LeakRow | None, settings: Analysis
) -> Sighting:
    living = [one for one in composed.standing if not one.state.ended]
    # A life that was killed still speaks for a workload of which another one lives.
    alive = [one for one in guilty if not one.state.ended or living]
    newest = max(alive or composed.standing, key=lambda one: one.state.at)
    return Sighting(
        leaking=bool(alive),
        growing=any(one.digest.grows for one in alive),
        at=newest.state.at,
        version=newest.state.version,
        living=bool(living),
        clean_version=None if row is None or alive else _clean_version(living, row, settings),
    )


def _clean_version(living: Sequence[Member], row: LeakRow, settings: Analysis) -> str | None:
    """The version that all of them run in the leaking one's place, and have for long enough without it."""
    versions = {one.state.version for one in living}
    if not versions or "" in versions or row.last_version in versions or not row.last_version:
        return None
    clean = all(
        one.kind in _CALM and one.state.at - one.state.first_seen >= settings.leak_clean_seconds
        for one in living
    )
    return max(living, key=lambda one: one.state.first_seen).state.version if clean else None


def _leak(row: LeakRow) -> Leak:
    state: LeakState = row.state  # type: ignore[assignment] # the column holds nothing else
    return Leak(
        fingerprint=row.fingerprint,
        state=state,
        returns=row.returns,
        first_seen=row.first_seen.timestamp(),
        last_seen=row.last_seen.timestamp(),
        changed_at=row.changed_at.timestamp(),
        closed_at=None if row.closed_at is None else row.closed_at.timestamp(),
        first_version=row.first_version,
        last_version=row.last_version,
    )


def _leak_row(
    number: int, workload: WorkloadRow, leak: Leak, before: LeakRow | None, guilty: Sequence[Member]
) -> LeakRow:
    worst = max(guilty, key=lambda one: one.badness, default=None)
    site = None if worst is None or worst.digest.site is None else worst.digest.site.model_dump()
    growth, headline = (None, "") if worst is None else (worst.digest.growth, worst.digest.headline)
    if worst is None and before is not None:
        site, growth, headline = before.site, before.growth, before.headline  # type: ignore[assignment]
    return LeakRow(
        leak_id=number,
        workload_id=workload.workload_id,
        workload=workload.name,
        fingerprint=leak.fingerprint,
        state=leak.state,
        returns=leak.returns,
        first_seen=utc(leak.first_seen),
        last_seen=utc(leak.last_seen),
        changed_at=utc(leak.changed_at),
        closed_at=None if leak.closed_at is None else utc(leak.closed_at),
        first_version=leak.first_version,
        last_version=leak.last_version,
        growth=growth,
        headline=headline,
        site=site,
    )


# ── What changed ─────────────────────────────────────────────────────────────────────────────────────────
def _row(
    workload: WorkloadRow,
    document: Workload,
    living: int,
    leak_active: bool,
    before: Mapping[str, Any] | None,
) -> LastRow | None:
    """None where there is nothing to tell."""
    after = document.model_dump(mode="json")
    if before is not None and not is_news(before, after):
        return None
    forecast = document.oom_forecast_seconds
    return LastRow(
        workload_id=workload.workload_id,
        at=document.judged_at,
        kind=document.verdict,
        severity=SEVERITY[Kind(document.verdict)],
        confidence=document.confidence,
        growth=document.growth_bytes_per_second,
        usage=document.usage_ratio,
        forecast=None if forecast is None else (forecast.p10, forecast.p50, forecast.p90),
        leak_active=leak_active,
        living=living,
        scopes=document.scope_count,
        at_risk=document.at_risk,
        version=document.version,
        headline=document.headline,
        document=after,
        with_history=before is None or _is_history(before, after),
    )


def is_news(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether a reader would want to hear of it. Both are Workload as JSON."""
    return (
        any(before.get(key) != after[key] for key in _EXACT)
        or _moved(before, after, "confidence", _POINTS)
        or _moved(before, after, "usage_ratio", _POINTS)
        or _grew(before.get("growth_bytes_per_second"), after["growth_bytes_per_second"])
        or _grew(_p50(before), _p50(after))
        or _scopes(before) != _scopes(after)
        or _seconds(after["judged_at"]) - _seconds(before["judged_at"]) >= _FRESH_SECONDS
    )


_EXACT: Final = (
    "verdict",
    "at_risk",
    "leak",
    "site",
    "version",
    "scope_count",
    "runtime",
    "cause",
    "namespace",
)


def _is_history(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    return (
        any(before.get(key) != after[key] for key in ("verdict", "at_risk", "leak", "version"))
        or _moved(before, after, "confidence", 2 * _POINTS)
        or _seconds(after["judged_at"]) // _HISTORY_SECONDS
        != _seconds(before["judged_at"]) // _HISTORY_SECONDS
    )


def _moved(before: Mapping[str, Any], after: Mapping[str, Any], key: str, by: float) -> bool:
    a, b = before.get(key), after[key]
    return (a is None) != (b is None) or (a is not None and abs(a - b) >= by)


def _grew(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return (a is None) != (b is None)
    return abs(a - b) > _STEP * max(abs(a), abs(b), 1.0)


def _p50(document: Mapping[str, Any]) -> float | None:
    forecast = document.get("oom_forecast_seconds")
    return None if forecast is None else float(forecast["p50"])


def _scopes(document: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(one["scope"], one["verdict"]) for one in document["scopes"]}


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).astimezone(UTC).timestamp()
