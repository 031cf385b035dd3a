"""From a profile and its cases to what its status says of remediation, and what is to be done now. Pure.

In mode Act an action is first only `pending` in the status. It is done when that is written: the write is refused where
somebody else wrote meanwhile, so two controllers never decide on two pods. Who finds a pending action does it, this
process or the next: it names one pod by its uid, so doing it twice changes nothing. Once it is done, or is given up, it
leaves `pending`, and stands in `acted` and among the decisions by the same write. Between the two evidence is taken.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from memwarden_api import names
from memwarden_api.v1alpha1 import MemoryProfile, MemoryProfileStatus
from memwarden_api.v1alpha1.remediation import (
    MAX_DECISIONS,
    MAX_WORKLOADS,
    Acted,
    CaptureEvidence,
    Decision,
    DecisionEvidence,
    Deed,
    Pending,
    Recommendation,
    Result,
    WorkloadActions,
)
from memwarden_operator.remediation import advice, bringing_in, ledger
from memwarden_operator.remediation.bringing_in import TO_INJECT
from memwarden_operator.remediation.case import Action, Around, Case, Refusal
from memwarden_operator.remediation.evidence import Evidence, Taken, following
from memwarden_operator.remediation.plan import plan, still

GIVE_UP: Final = timedelta(minutes=10)
"""So long a disruption budget may keep a pod, or the API server fail at it: then it is decided anew."""


@dataclass(frozen=True, slots=True)
class Act:
    """One pending action that nothing forbids now."""

    case: Case
    pending: Pending
    take: bool = False
    """First have evidence taken; it itself is done in a later round."""
    taken: Taken | None = None
    without: str = ""
    """Why there is none, where that is so."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one. Refused: evidence could not be asked for."""

    act: Act
    result: Result
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Remedied:
    """What the status shall say, and what is to be done once it does."""

    recommendations: tuple[Recommendation, ...]
    decisions: tuple[Decision, ...]
    actions: tuple[WorkloadActions, ...]
    acts: tuple[Act, ...] = ()
    waits: bool = False
    """Evidence is being taken: look again soon."""

    def put_into(self, status: MemoryProfileStatus) -> MemoryProfileStatus:
        return status.model_copy(
            update={
                "recommendations": self.recommendations,
                "remediations": self.decisions,
                "actions": self.actions,
            }
        )


def unchanged(status: MemoryProfileStatus) -> Remedied:
    """Nothing is decided."""
    return Remedied(status.recommendations, status.remediations, status.actions)


def decide(
    profile: MemoryProfile,
    cases: Sequence[Case],
    living: frozenset[str],
    around: Around,
    now: datetime,
    evidence: Evidence = MappingProxyType({}),
) -> Remedied:
    """All of it, for one profile. `living`: uids of its pods that are there, whoever owns them."""
    rules = profile.spec.remediation
    book = _Book(profile, now, [case.workload.label for case in cases], evidence)
    book.drop_pending()
    acts = [act for case in cases if (act := _pending(case, profile, living, around, book))]
    book.give_up({case.workload.label for case in cases})
    for decision in plan(cases, profile.spec, around, book.entries, now):
        label, pod, action = decision.case.workload.label, decision.pod.name, decision.action
        if isinstance(decision, Refusal):
            book.say(label, pod, action, "Refused", decision.reason, decision.message)
        elif rules.mode == "DryRun":
            book.count(decision.case, action, decision.returned, now, dry_run=True)
            book.say(label, pod, action, "WouldDo", because(action), decision.message)
        else:
            book.intend(decision)
    recommendations = advice.recommended(profile, cases, book.entries, now) if rules.mode != "Off" else ()
    decisions = tuple(book.decisions[-MAX_DECISIONS:])
    return Remedied(recommendations, decisions, book.kept(), tuple(acts), book.waits)


def settled(profile: MemoryProfile, outcomes: Iterable[Outcome], now: datetime) -> MemoryProfileStatus:
    """The status with what came of pending actions. One that was not done stays pending, and is tried again."""
    done = list(outcomes)
    evidence = {one.act.pending.id: one.act.taken for one in done if one.act.taken is not None}
    book = _Book(
        profile, now, [entry.workload for entry in profile.status.actions if entry.pending], evidence
    )
    for outcome in done:
        case, pending = outcome.act.case, outcome.act.pending
        if outcome.result == "Done":
            book.count(case, pending.action, pending.returned, pending.since, dry_run=False)
            book.clear(case.workload.label)
        book.tell(case, pending, outcome.result, outcome.reason, outcome.message)
    status = profile.status
    made = Remedied(status.recommendations, tuple(book.decisions[-MAX_DECISIONS:]), book.kept())
    return made.put_into(status)


def _pending(
    case: Case, profile: MemoryProfile, living: frozenset[str], around: Around, book: "_Book"
) -> Act | None:
    """What was decided before: it is done already, no longer to be done, or to be done now."""
    entry = book.entries.get(case.workload.label)
    if entry is None or entry.pending is None:
        return None
    pending, now = entry.pending, book.now
    pod = next((one for one in case.pods if one.uid == pending.pod_uid), None)
    if _is_done(case, pending, living):
        book.count(case, pending.action, pending.returned, pending.since, dry_run=False)
        book.clear(case.workload.label)
        book.tell(
            case, pending, "Done", because(pending.action), "it was done before the controller began anew"
        )
        return None
    if book.is_late(pending):
        return None  # `give_up` says the rest
    if pending.action == TO_INJECT:
        refused = bringing_in.still_missed(case, profile.spec, around, entry, now)
    elif pod is None:
        return None  # whose it is is not known yet
    else:
        refused = still(case, pod, profile.spec, around, entry, now)
    if refused is not None:
        book.clear(case.workload.label)
        book.say(case.workload.label, pending.pod, pending.action, "Refused", *refused)
        return None
    if pending.action == TO_INJECT:
        return _settled_in(case, pending, book)
    return _with_evidence(case, pending, profile.spec.remediation.capture_evidence, book)


def _settled_in(case: Case, pending: Pending, book: "_Book") -> Act | None:
    if book.now - pending.since < bringing_in.SETTLES:
        book.waits = True
        return None
    return Act(case, pending)


def _with_evidence(case: Case, pending: Pending, wanted: CaptureEvidence, book: "_Book") -> Act | None:
    """What is refused for want of it stays pending until it is given up: else another one were asked for at once."""
    taken = book.evidence.get(pending.id)
    then = following(wanted, taken, pending, book.now)
    if then.step == "Wait":
        book.waits = True
        return None
    if then.step == "Stop":
        book.tell(case, pending, "Refused", names.REFUSED_EVIDENCE, then.why)
        return None
    return Act(case, pending, take=then.step == "Take", taken=taken, without=then.why)


def _is_done(case: Case, pending: Pending, living: frozenset[str]) -> bool:
    if pending.action != "Evict":
        return case.replicas is not None and case.replicas.restarted == pending.id
    return pending.pod_uid not in living


def because(action: Deed) -> str:
    """The reason of what is done."""
    return names.DECIDED_MISSED if action == TO_INJECT else names.DECIDED


def _was_tried(last: Decision) -> bool:
    return last.result in ("Blocked", "Failed") or last.reason == names.REFUSED_EVIDENCE


def _named(taken: Taken | None) -> DecisionEvidence | None:
    return None if taken is None else DecisionEvidence(snapshot=taken.snapshot, path=taken.path)


class _Book:
    """Decisions and entries of one profile while they are worked on."""

    def __init__(
        self, profile: MemoryProfile, now: datetime, concerned: Iterable[str], evidence: Evidence
    ) -> None:
        """`concerned`: workloads that something may be said of."""
        self.now = now
        self.evidence = evidence
        self.waits = False
        self._concerned = frozenset(concerned)
        self._profile = profile
        self.decisions = list(profile.status.remediations)
        self.entries = {entry.workload: entry for entry in profile.status.actions}

    def drop_pending(self) -> None:
        """What the profile no longer asks for."""
        for label, entry in self.entries.items():
            pending = entry.pending
            if pending is not None and not bringing_in.is_asked_for(pending.action, self._profile.spec):
                self.clear(label)

    def is_late(self, pending: Pending) -> bool:
        return self.now - pending.since > GIVE_UP

    def give_up(self, known: set[str]) -> None:
        """What has waited for too long: it could not be done, or nothing is known of its workload."""
        for label, entry in list(self.entries.items()):
            if entry.pending is not None and self.is_late(entry.pending):
                last = self._last(label)
                tried = label in known and last is not None and _was_tried(last)
                reason = last.reason if last is not None and tried else names.REFUSED_UNKNOWN_STATE
                self.clear(label)
                minutes = GIVE_UP.seconds // 60
                text = f"it could not be done for {minutes} minutes; it is decided anew"
                self.say(label, entry.pending.pod, entry.pending.action, "Refused", reason, text)

    def clear(self, label: str) -> None:
        self.entries[label] = self.entries[label].model_copy(update={"pending": None})

    def count(self, case: Case, action: Deed, returned: bool, decided: datetime, *, dry_run: bool) -> None:
        entry = self._entry(case)
        acted = Acted(
            time=self.now.replace(microsecond=0),
            decided=decided.replace(microsecond=0),
            dry_run=dry_run,
            returned=returned,
            injects=action == TO_INJECT,
        )
        self.entries[entry.workload] = entry.model_copy(update={"acted": (*entry.acted, acted)})

    def intend(self, action: Action) -> None:
        entry = self._entry(action.case)
        if entry.workload not in self.entries and len(self.entries) >= MAX_WORKLOADS:
            return  # there is no room to count it: it waits until an older one no longer counts
        whole = action.action != "Evict"
        since = self.now.replace(microsecond=0)
        key = f"{self._profile.metadata.uid} {entry.workload} {action.pod.uid} {since.isoformat()}"
        id = hashlib.sha256(key.encode()).hexdigest()[:16]
        pending = Pending(
            id=bringing_in.id_of(action.case, id) if action.action == TO_INJECT else id,
            pod="" if whole else action.pod.name,
            pod_uid=action.pod.uid,
            action=action.action,
            since=since,
            returned=action.returned,
        )
        self.entries[entry.workload] = entry.model_copy(update={"pending": pending})

    def tell(self, case: Case, pending: Pending, result: Result, reason: str, message: str) -> None:
        """Of what is or was pending, with its evidence."""
        self.say(case.workload.label, pending.pod, pending.action, result, reason, message, pending.id)

    def say(
        self,
        label: str,
        pod: str,
        action: Deed,
        result: Result,
        reason: str,
        message: str,
        pending: str = "",
    ) -> None:
        """Once: the same again is no news, and which pod would be next neither.

        Where the last words on ten workloads stand, the refusal of an eleventh is not told: it would push out one that
        would be told again in the next round, and so on for ever.
        """
        last = self._last(label)
        if result in ("Refused", "Blocked", "Failed"):
            if last is not None and (last.result, last.reason) == (result, reason):
                return
            stand = {one.workload for one in self.decisions[-MAX_DECISIONS:]} & self._concerned
            if last is None and len(stand) >= MAX_DECISIONS:
                return
        self.decisions.append(
            Decision(
                time=self.now.replace(microsecond=0),
                workload=label,
                pod=pod,
                action=action,
                result=result,
                reason=reason,
                message=message[:1024],
                evidence=_named(self.evidence.get(pending)),
            )
        )

    def _last(self, label: str) -> Decision | None:
        return next((one for one in reversed(self.decisions) if one.workload == label), None)

    def kept(self) -> tuple[WorkloadActions, ...]:
        limits = self._profile.spec.remediation.limits
        left = (ledger.kept(entry, limits, self.now) for entry in self.entries.values())
        return tuple(sorted((one for one in left if one is not None), key=lambda one: one.workload))[
            :MAX_WORKLOADS
        ]

    def _entry(self, case: Case) -> WorkloadActions:
        label = case.workload.label
        return self.entries.get(label) or WorkloadActions(workload=label)
