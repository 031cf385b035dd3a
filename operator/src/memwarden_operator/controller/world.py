"""What the controller knows, in memory, put there by its loops and read by the reconciler. Nothing here waits.

All of it can be had again from the cluster and the collector: a restart loses nothing but the time to ask.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from memwarden_api import names
from memwarden_operator.controller.breaker import Plain, Stop
from memwarden_operator.controller.observed import Collector, Observed, Scan
from memwarden_operator.controller.owners import Owned, Owners, Workload
from memwarden_operator.controller.pods import Pod, Pods
from memwarden_operator.controller.profiles import Key, Known, Profiles
from memwarden_operator.controller.verdicts import Verdict, Verdicts
from memwarden_operator.snapshots.known import Snapshots

AWAY_AFTER: Final = timedelta(seconds=20)
"""A collector that is made anew is away for a moment: that is no news."""
REMEMBERED: Final = 20_000


@dataclass(slots=True)
class World:
    """The state, one object."""

    owners: Owners
    collector_at: tuple[str, int] = ("memwarden-system", 4318)
    profiles: Profiles = field(default_factory=Profiles)
    pods: Pods = field(default_factory=Pods)
    verdicts: Verdicts = field(default_factory=Verdicts)
    snapshots: Snapshots = field(default_factory=Snapshots)
    scans: dict[Key, Scan] = field(default_factory=dict)
    reporting: dict[str, dict[str, int]] = field(default_factory=dict)
    """By namespace and profile; a namespace that is not in it is not known."""
    plain: dict[Workload, tuple[datetime, Plain]] = field(default_factory=dict)
    refused: dict[Key, dict[Workload, Stop]] = field(default_factory=dict)
    denying: dict[str, tuple[str, ...]] = field(default_factory=dict)
    troubles: dict[str, str] = field(default_factory=dict)
    """Part → a right that it lacks: nothing that the profiles' status says can be relied on."""
    failing_since: datetime | None = None
    answering_since: datetime | None = None
    cause: str = "it has not been asked yet"
    pods_listed: bool = False
    _profile_of: OrderedDict[Workload, str] = field(default_factory=OrderedDict)

    # ── The collector ──────────────────────────────────────────────────────────────────────────────────
    def collector_answered(self, now: datetime) -> bool:
        """True where it did not before."""
        was_away = self.failing_since is not None or self.answering_since is None
        if was_away:
            self.answering_since, self.failing_since = now, None
        return was_away

    def collector_failed(self, cause: str, now: datetime) -> None:
        """The first cause stands: that the words of the next differ is no news."""
        if self.failing_since is None:
            self.failing_since, self.cause = now, cause

    def collector_is_known(self, now: datetime) -> bool:
        """Whether it answers, or has not for long enough to be called away: soon after our start it is neither."""
        return self.answering_since is not None or self._is_away(now)

    def _is_away(self, now: datetime) -> bool:
        return self.failing_since is not None and now - self.failing_since >= AWAY_AFTER

    def collector(self, now: datetime) -> Collector:
        if self.failing_since is not None and self._is_away(now):
            return Collector(False, self.failing_since, self.cause)
        if self.answering_since is None:
            return Collector(False, self.failing_since or now, self.cause)
        return Collector(True, self.answering_since)

    # ── Whose is what ──────────────────────────────────────────────────────────────────────────────────
    def belongs(self, workload: Workload, profile: str) -> None:
        """Remembered beyond its pods: a CronJob has none between its runs."""
        self._profile_of[workload] = profile
        self._profile_of.move_to_end(workload)
        if len(self._profile_of) > REMEMBERED:
            self._profile_of.popitem(last=False)

    def profile_of(self, workload: Workload) -> str | None:
        return self._profile_of.get(workload)

    def owned(self, pods: Iterable[Pod]) -> dict[str, Owned]:
        """By pod uid, as far as it is known."""
        found = {}
        for pod in pods:
            owned = self.owners.known(pod)
            if owned is not None:
                found[pod.uid] = owned
        return found

    def _verdicts(self, known: Known, living: frozenset[Workload]) -> tuple[Verdict, ...]:
        namespace, name = known.key
        before = {(one.kind, one.name) for one in known.profile.status.workloads}
        return tuple(
            verdict
            for verdict in self.verdicts.of(namespace)
            if self._is_of(verdict, name, living, before)
            and (verdict.workload in living or verdict.containers or verdict.leak)
        )

    def _is_of(
        self, verdict: Verdict, profile: str, living: frozenset[Workload], before: set[tuple[str, str]]
    ) -> bool:
        if verdict.workload in living:
            return True
        remembered = self._profile_of.get(verdict.workload)
        if remembered is not None:
            return remembered == profile
        return (verdict.workload.kind, verdict.workload.name) in before

    # ── One profile ────────────────────────────────────────────────────────────────────────────────────
    def observed(self, known: Known, stops: dict[Workload, Stop], now: datetime) -> Observed:
        """All that is known of it now."""
        namespace, name = known.key
        pods = self.pods.of(namespace, name)
        owners = self.owned(pods)
        verdicts = self._verdicts(known, frozenset(owned.workload for owned in owners.values()))
        counts = self.reporting.get(namespace)
        return Observed(
            profile=known.profile,
            pods=pods,
            owners=owners,
            verdicts=verdicts,
            scan=self.scans.get(known.key),
            collector=self.collector(now),
            reporting=counts.get(name, 0) if counts is not None else None,
            ever_reported=frozenset().union(*(verdict.reported for verdict in verdicts)),
            stops=stops,
            denying=self.denying.get(namespace, ()),
            collector_at=self.collector_at,
            stalled=known.stalled or self._trouble(),
        )

    def _trouble(self) -> tuple[str, str] | None:
        if not self.troubles:
            return None
        return names.REASON_RIGHT_MISSING, "; ".join(self.troubles[part] for part in sorted(self.troubles))
