"""The loop of MemoryAlertPolicies: every round each policy is made into objects, and what is said of them is read back.

1. Which kinds there are, what Prometheus and Alertmanager have loaded, and who selects what: once for all policies.
2. For each policy: objects applied where they are not as they should be known to be, what is no longer wanted removed.
3. Its status, written where it says something else than before.
4. What of it fires in Alertmanager, and which silences hold it back, is told to the collector.

Nothing is kept that can't be had again. What somebody changes of our objects by hand is put right in `RENEW_SECONDS`.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from memwarden_api import names
from memwarden_api.alerts import CurrentAlerts
from memwarden_api.v1alpha1 import MemoryProfile
from memwarden_api.v1alpha1.alert_policy import MemoryAlertPolicy
from memwarden_api.v1alpha1.alert_policy_status import Generated
from memwarden_kube.errors import Conflict, Forbidden, KubeError, NotFound
from memwarden_kube.objects import CONFIG_MAPS, Object
from memwarden_operator.alerts import acceptance, left_out, selection, silences
from memwarden_operator.alerts.acceptance import Groups
from memwarden_operator.alerts.monitoring import MonitoringAway, MonitoringDoor
from memwarden_operator.alerts.objects import Kinds, Wanted, wanted
from memwarden_operator.alerts.policies import KnownPolicy, read
from memwarden_operator.alerts.profiles import is_about_nobody, resolved
from memwarden_operator.alerts.selection import Placed
from memwarden_operator.alerts.status import status_of
from memwarden_operator.alerts.workshop import Workshop
from memwarden_operator.controller import metrics
from memwarden_operator.controller.conditions import Said
from memwarden_operator.controller.errors import CollectorError
from memwarden_operator.controller.heart import Heart
from memwarden_operator.controller.profiles import Key

ROUND_SECONDS: Final = 15.0
RENEW_SECONDS: Final = 300.0
_MAY_BE_LEFT_OUT: Final = frozenset(
    (names.REASON_NOT_LOADED, names.REASON_NOT_ASKED, names.REASON_MONITORING_AWAY)
)
_RULES, _ROUTES = names.CONDITION_RULES_ACCEPTED, names.CONDITION_ROUTES_ACCEPTED
_log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(slots=True)
class Surroundings:
    """What a round has found. A text stands for what could not be had, and why."""

    kinds: Kinds
    groups: Groups | str
    configuration: Mapping[str, Any] | str
    refuses: str = ""
    """Of when the configuration is that Prometheus keeps, as it can't load the new one; "" where that is not so, or not
    known.
    """
    prometheuses: Sequence[Object] = ()
    alertmanagers: Sequence[Object] = ()
    namespace_labels: dict[str, Mapping[str, str]] = field(default_factory=dict)
    left_out: dict[str, Sequence[Object]] = field(default_factory=dict)
    """What the Prometheus operator says of objects that it leaves out, by namespace."""


class AlertLoop:
    """`put` and `gone` tell it of policies; `run` never ends by itself."""

    def __init__(
        self,
        workshop: Workshop,
        monitoring: MonitoringDoor,
        labels: Mapping[str, str],
        patience: timedelta,
        heart: Heart,
        now: Callable[[], datetime],
        tell: Callable[[CurrentAlerts], Awaitable[None]],
        profiles: Callable[[str], Sequence[MemoryProfile]],
    ) -> None:
        self._profiles = profiles
        self._tell_current = tell
        self._untold = ""
        self._workshop = workshop
        self._monitoring = monitoring
        self._labels = labels
        self._patience = patience
        self._heart = heart
        self._now = now
        self._known: dict[Key, KnownPolicy] = {}
        self._made: dict[Key, tuple[tuple[Wanted, ...], float]] = {}
        self._wake = asyncio.Event()

    def put(self, found: Object) -> None:
        one = read(found)
        before = self._known.get(one.key)
        self._known[one.key] = one
        if before is None or before.policy.metadata.generation != one.policy.metadata.generation:
            self._wake.set()

    def gone(self, key: Key) -> None:
        """Its objects go with it: it owns them."""
        self._known.pop(key, None)
        self._made.pop(key, None)

    def generations(self) -> dict[Key, int]:
        return {key: one.policy.metadata.generation for key, one in self._known.items()}

    async def run(self) -> None:
        while True:
            self._heart.beat("alerts")
            self._wake.clear()
            if self._known:
                try:
                    await self._round()
                except KubeError as error:
                    metrics.ERRORS.labels("alerts", type(error).__name__).inc()
                    _log.warning("%s", error)
                await self._history()
            self._count()
            try:
                await asyncio.wait_for(self._wake.wait(), ROUND_SECONDS)
            except TimeoutError:
                continue

    def _count(self) -> None:
        metrics.ALERT_POLICIES.clear()
        for accepted in ("Yes", "No", "Unknown"):
            count = sum(one.policy.status.accepted == accepted for one in self._known.values())
            metrics.ALERT_POLICIES.labels(accepted).set(count)

    async def _round(self) -> None:
        around = await self._surroundings()
        for key, known in sorted(self._known.items()):
            self._heart.beat("alerts")
            try:
                await self._one(known, around)
            except (NotFound, Conflict):
                self._made.pop(key, None)  # it went, or was made anew: the watch says so
            except KubeError as error:
                metrics.ERRORS.labels("alerts", type(error).__name__).inc()
                _log.warning("memoryalertpolicy %s/%s: %s", *key, error)

    async def _history(self) -> None:
        if self._monitoring.alertmanager is None:
            return
        try:
            await self._tell_current(silences.current(*await self._monitoring.current()))
        except (MonitoringAway, CollectorError) as error:
            metrics.ERRORS.labels("silences", type(error).__name__).inc()
            if self._untold != str(error):
                _log.warning("what is silenced is not in the history: %s", error)
            self._untold = str(error)
        else:
            self._untold = ""

    async def _surroundings(self) -> Surroundings:
        door = self._monitoring
        kinds = await self._workshop.kinds()
        found = Surroundings(
            kinds,
            await _asked("alerts.prometheusURL", door.prometheus, door.groups),
            await _asked("alerts.alertmanagerURL", door.alertmanager, door.configuration),
        )
        try:
            if not isinstance(found.groups, str):
                found.refuses = await door.refuses()
        except MonitoringAway as error:
            _log.warning("whether Prometheus refuses its configuration is not known: %s", error)
        try:
            if kinds.rules:
                found.prometheuses = await self._workshop.prometheuses()
            if kinds.routes:
                found.alertmanagers = await self._workshop.alertmanagers()
        except Forbidden as error:
            _log.warning("whether a Prometheus selects what is made is not known: %s", error)
        return found

    # ── One policy ─────────────────────────────────────────────────────────────────────────────────────
    async def _one(self, known: KnownPolicy, around: Surroundings) -> None:
        policy = resolved(known.policy, self._profiles(known.key[0]))
        if known.stalled:
            said = [Said(_RULES, "False", names.REASON_SPEC_NOT_READABLE, known.stalled)]
            await self._tell(policy, said, policy.status.generated)
            return
        objects = wanted(policy, around.kinds, self._labels)
        try:
            await self._make(policy, objects)
        except (NotFound, Conflict):
            raise
        except KubeError as error:
            metrics.ERRORS.labels("alerts", type(error).__name__).inc()
            said = [Said(_RULES, "False", names.REASON_NOT_WRITTEN, str(error))]
            await self._tell(policy, said, policy.status.generated)
            return
        placed = [await self._placed(policy, one, around) for one in objects]
        said = [
            await self._or_left_out(policy, around, self._of_rules(policy, around, placed[0]), objects[:1]),
            await self._or_left_out(policy, around, self._of_routes(policy, around, placed[1:]), objects[1:]),
        ]
        await self._tell(policy, said, [one.generated for one in objects])

    async def _make(self, policy: MemoryAlertPolicy, objects: tuple[Wanted, ...]) -> None:
        key = policy.metadata.namespace, policy.metadata.name
        made = self._made.get(key)
        if made is None or made[0] != objects or time.monotonic() >= made[1]:
            await self._workshop.make(policy, objects)
            self._made[key] = objects, time.monotonic() + RENEW_SECONDS
        left = set(policy.status.generated) - {one.generated for one in objects}
        if left:
            await self._workshop.clear(policy, sorted(left, key=lambda one: one.name))

    async def _placed(self, policy: MemoryAlertPolicy, made: Wanted, around: Surroundings) -> Placed:
        namespace = policy.metadata.namespace
        if namespace not in around.namespace_labels:
            around.namespace_labels[namespace] = await self._workshop.namespace_labels(namespace)
        return Placed(made.labels, namespace, around.namespace_labels[namespace])

    def _of_rules(self, policy: MemoryAlertPolicy, around: Surroundings, placed: Placed) -> Said:
        why = selection.refusal(around.prometheuses, "ruleSelector", "ruleNamespaceSelector", placed)
        if why:
            return _not_selected(_RULES, "PrometheusRule", "Prometheus", why, placed.labels)
        if isinstance(around.groups, str):
            return _not_asked(_RULES, around.groups)
        said = acceptance.of_rules(policy, around.groups, around.refuses)
        if said.status == "True" and is_about_nobody(policy):
            text = (
                "No MemoryProfile of the namespace has the labels of spec.profileSelector: no alert can fire"
            )
            return Said(_RULES, "Unknown", names.REASON_NO_PROFILE, text)
        return said

    def _of_routes(self, policy: MemoryAlertPolicy, around: Surroundings, made: Sequence[Placed]) -> Said:
        by_kind = around.kinds.routes
        selector, namespaces = "alertmanagerConfigSelector", "alertmanagerConfigNamespaceSelector"
        for placed in made:
            why = selection.refusal(around.alertmanagers, selector, namespaces, placed)
            if why:
                return _not_selected(_ROUTES, "AlertmanagerConfig", "Alertmanager", why, placed.labels)
        if not made and not policy.spec.receivers:
            text = "The policy names no receiver: alerts go where Alertmanager's own routes lead"
            return Said(_ROUTES, "True", names.REASON_LOADED, text)
        if isinstance(around.configuration, str):
            return _not_asked(_ROUTES, around.configuration)
        return acceptance.of_routes(policy, around.configuration, by_kind)

    async def _or_left_out(
        self, policy: MemoryAlertPolicy, around: Surroundings, said: Said, made: Sequence[Wanted]
    ) -> Said:
        """Or why the Prometheus operator leaves it out: then nobody else hears of it."""
        if said.reason not in _MAY_BE_LEFT_OUT:
            return said
        namespace = policy.metadata.namespace
        for one in made:
            if one.resource == CONFIG_MAPS:
                continue
            try:
                if namespace not in around.left_out:
                    around.left_out[namespace] = await self._workshop.left_out(namespace)
                if not any(left_out.is_on(event, one.name) for event in around.left_out[namespace]):
                    continue
                found = await self._workshop.metadata(policy, one)
            except Forbidden as error:
                _log.warning("whether the Prometheus operator leaves something out is not known: %s", error)
                return said
            if words := left_out.why(found, around.left_out[namespace]):
                text = f"The Prometheus operator leaves out {one.resource.kind} {one.name}: {words}"
                return Said(said.type, "False", names.REASON_LEFT_OUT, text)
        return said

    async def _tell(
        self,
        policy: MemoryAlertPolicy,
        said: Sequence[Said],
        generated: Sequence[Generated],
    ) -> None:
        now = self._now()
        before, generation = policy.status.conditions, policy.metadata.generation
        judged = [acceptance.overdue(one, before, generation, now, self._patience) for one in said]
        status = status_of(policy, judged, generated, now)
        if status != policy.status:
            answer = await self._workshop.write_status(policy, status.to_cluster())
            key = policy.metadata.namespace, policy.metadata.name
            if key in self._known:
                self._known[key] = read(answer)


async def _asked(setting: str, address: str | None, ask: Callable[[], Awaitable[T]]) -> T | str:
    if address is None:
        return f"{names.REASON_NOT_ASKED}: nobody is asked: set {setting} of the chart"
    try:
        return await ask()
    except MonitoringAway as error:
        return f"{names.REASON_MONITORING_AWAY}: {error}"


def _not_asked(condition: str, text: str) -> Said:
    reason, _, message = text.partition(": ")
    return Said(condition, "Unknown", reason, message)


def _not_selected(condition: str, kind: str, who: str, why: str, labels: Mapping[str, str]) -> Said:
    ours = ", ".join(f"{key}={value}" for key, value in labels.items()) or "none"
    text = f"No {who} selects the {kind}: {why}. Its labels are {ours}: set alerts.labels of the chart to what is asked"
    return Said(condition, "False", names.REASON_NOT_SELECTED, text)
