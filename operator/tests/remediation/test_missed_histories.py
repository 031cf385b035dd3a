"""Random histories of a Deployment whose pods are missed: never restarted where it must not be, nor in vain twice.

Pods are made injected or not by whether the webhook really works, which is not what the injector says of itself. All
that the controller keeps is in the status and in the template, so a step is one of whichever controller it is.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memwarden_api.v1alpha1 import MemoryProfile
from memwarden_operator.remediation import ledger
from memwarden_operator.remediation.bringing_in import SETTLES
from memwarden_operator.remediation.case import Case, Replicas, Template
from memwarden_operator.remediation.decisions import Act, Outcome, because, decide, settled
from remediation.cases import AROUND, NOW, case, missed, pod, profile

PER_HOUR, RETURNS = 2, 3
LIMITS = {"maxPerHour": PER_HOUR, "cooldown": "5m", "breaker": {"returns": RETURNS}}
EVENTS = (
    "minute", "minute", "hour", "day", "injector", "webhook", "scan", "scan", "scan", "rolled", "rolled", "deploy",
    "dies too", "stop", "ready", "decide", "decide", "decide", "decide", "conflict", "dies", "dies before",
)  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A pod as it really is."""

    name: str
    version: str
    injected: bool
    age: float


class Shop:
    """The Deployment of three pods, made before the profile, and a controller, event by event."""

    def __init__(self) -> None:
        self.now = NOW
        self.profile = profile(missed_pods="Rollout", mode="Recommend", limits=LIMITS)
        self.says_ready = self.webhook = self.all_ready = True
        self.stopped = self.rolling = False
        self.template, self.restarted, self.made = 0, "", 0
        self.pods: list[Made] = []
        self.seen: tuple[Made, ...] = ()
        self.touched: list[tuple[Any, int]] = []
        self.webhook = False
        self._make_all()
        self.webhook, self.seen = True, tuple(self.pods)

    @property
    def version(self) -> str:
        return f"v{self.template}-{self.restarted}"

    def _make_all(self) -> None:
        self.pods = [self._one() for _ in range(3)]
        self.rolling = False

    def _one(self) -> Made:
        self.made += 1
        age = (NOW - self.now).total_seconds()
        return Made(f"web-{self.made:03}", self.version, self.webhook, age)

    def happen(self, event: str) -> None:
        match event:
            case "minute" | "hour" | "day":
                self.now += timedelta(**{f"{event}s": 1})
            case "injector":
                self.says_ready = self.webhook = not self.says_ready
            case "webhook":
                self.webhook = not self.webhook
            case "scan":
                self.seen = tuple(self.pods)
            case "rolled":
                if self.rolling:
                    self._make_all()
            case "deploy":
                self.template, self.rolling = self.template + 1, True
            case "dies too":
                self.pods[0] = self._one()
            case "stop":
                self.stopped = not self.stopped
            case "ready":
                self.all_ready = not self.all_ready
            case _:
                self._controller(event)

    def _controller(self, event: str) -> None:
        self.now += SETTLES
        about = replace(AROUND, injector="" if self.says_ready else "it does not answer")
        remedied = decide(self.profile, [self._case()], frozenset(), about, self.now)
        after = remedied.put_into(self.profile.status)
        if after != self.profile.status:
            if event != "conflict":
                self._write(after)
        elif event != "dies before" and remedied.acts:
            outcomes = [self._restart(act) for act in remedied.acts]
            if event == "decide":
                self._write(settled(self.profile, outcomes, self.now))

    def _write(self, status: object) -> None:
        written = self.profile.model_copy(update={"status": status})
        self.profile = MemoryProfile.from_cluster(written.to_cluster())

    def _case(self) -> Case:
        lacking = [
            missed(one.name, one.version, one.age) for one in reversed(self.seen) if not one.injected
        ]  # the newest first
        if lacking and lacking[0].name not in {one.name for one in self.pods}:
            lacking = []
        injected = [pod(one.name, version=one.version) for one in self.pods if one.injected]
        known = replace(case(pod("any"), shares=()), pods=tuple(injected), missed=tuple(lacking))
        replicas = Replicas(3, 3 if self.all_ready else 2, self.rolling, self.restarted)
        template = Template(f"t{self.template}")
        return replace(known, replicas=replicas, template=template, injection_stopped=self.stopped)

    def _restart(self, act: Act) -> Outcome:
        self._is_allowed()
        self.touched.append((self.now, self.template))
        self.restarted, self.rolling = act.pending.id, True
        return Outcome(act, "Done", because(act.pending.action), "restarted")

    def _is_allowed(self) -> None:
        assert not all(one.injected for one in self.pods), "none is missed"
        assert self.says_ready, "the injector is not ready"
        assert not self.rolling, "a rollout is in progress"
        assert not self.stopped, "injection is stopped"
        assert self.all_ready, "not all are ready"
        if self.template in {template for _, template in self.touched}:
            of_this = [one for one in self.pods if one.version == self.version]
            assert any(one.injected for one in of_this), "in vain, for the second time"
        for span, most in (
            (ledger.HOUR, PER_HOUR),
            (timedelta(hours=24), RETURNS),
            (timedelta(minutes=5), 1),
        ):
            assert sum(1 for at, _ in self.touched if at > self.now - span) < most, span


HISTORY = st.lists(st.sampled_from(EVENTS), min_size=1, max_size=80)


def live_through(history: list[str]) -> Shop:
    shop = Shop()
    for event in history:
        shop.happen(event)
    return shop


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(HISTORY)
def test_no_history_makes_it_restart_what_it_must_not(history: list[str]) -> None:
    live_through(history)


@pytest.mark.nightly
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(HISTORY)
def test_not_in_ten_thousand_histories_either(history: list[str]) -> None:
    live_through(history)


AWAY_FOR_A_ROLLOUT = ["injector", "deploy", "rolled", "injector", "scan"]
DECIDES = ["decide"] * 3


def test_a_rollout_without_the_injector_is_made_good_by_one_more() -> None:
    shop = live_through(
        [*AWAY_FOR_A_ROLLOUT, *DECIDES, "rolled", *DECIDES, "scan", *DECIDES, "day", *DECIDES]
    )
    assert len(shop.touched) == 1
    assert all(one.injected for one in shop.pods)


def test_a_webhook_that_is_not_reached_costs_one_rollout_however_often_it_is_scanned() -> None:
    again = ["rolled", "scan", *DECIDES, "day", *DECIDES] * 5
    unreached = ["webhook", "deploy", "rolled", "scan", *DECIDES, *again]
    shop = live_through(unreached)
    assert len(shop.touched) == 1
    assert not any(one.injected for one in shop.pods)
    shop = live_through([*unreached, "deploy", *again])
    assert len(shop.touched) == 2, "another template is tried again"


def test_pods_that_are_missed_again_and_again_among_others_are_given_up() -> None:
    one_is_missed = ["webhook", "dies too", "webhook", "scan", *DECIDES, "rolled", "scan", "hour"]
    assert len(live_through(one_is_missed * 10).touched) == RETURNS


@pytest.mark.parametrize("end", ["dies", "dies before"])
def test_what_is_pending_is_done_once_by_whoever_comes(end: str) -> None:
    shop = live_through([*AWAY_FOR_A_ROLLOUT, "decide", end, *DECIDES, "rolled", "scan", *DECIDES])
    assert len(shop.touched) == 1
    [entry] = shop.profile.status.actions
    assert entry.pending is None
    assert len(entry.acted) == 1
