"""Whether a pod is watched and by which profile: the whole table, and the words of each refusal."""

from itertools import product
from typing import Any

import pytest
from pods import pod, profile

from memwarden_api import names
from memwarden_operator.injector.selection import Asked, Choice, asked, select
from memwarden_operator.injector.selector import Selector
from memwarden_operator.injector.skips import Skip

SAID = (None, "false", "true")
FOR_SHOP = {"selector": {"matchLabels": {"app": "shop"}}}


@pytest.mark.parametrize(("annotation", "label", "namespace"), list(product(SAID, SAID, SAID)))
def test_the_nearer_word_counts_and_no_counts_before_yes(
    annotation: str | None, label: str | None, namespace: str | None
) -> None:
    """The same rule as the table, said another way."""
    on_pod = {annotation, label} - {None}
    if "false" in on_pod:
        wanted = Asked.REFUSED
    elif "true" in on_pod:
        wanted = Asked.BY_POD
    else:
        wanted = {None: None, "false": Asked.REFUSED, "true": Asked.BY_NAMESPACE}[namespace]
    assert asked(annotation, label, namespace) is wanted


def selected(given: dict[str, Any], *profiles: Any, namespace: str | None = None) -> Choice | Skip:
    return select(given, namespace, profiles)


ASKING = {"labels": {names.INJECT: "true"}}


@pytest.mark.parametrize(
    ("given", "namespace", "profiles", "outcome"),
    [
        # (what the pod says, its namespace's label, profiles, the profile or the reason)
        (pod(), None, [profile()], names.SKIP_NOT_ASKED_FOR),
        (pod(**ASKING), None, [profile()], "shop"),
        (pod(annotations={names.INJECT: "true"}), "true", [profile()], "shop"),
        (pod(), "true", [profile(**FOR_SHOP)], "shop"),
        (pod(), "true", [profile()], "shop"),
        (pod(), "true", [], names.SKIP_NOT_ASKED_FOR),
        (pod(), "true", [profile(selector={"matchLabels": {"app": "other"}})], names.SKIP_NOT_ASKED_FOR),
        (pod(**ASKING), None, [], names.SKIP_NO_PROFILE),
        (pod(**ASKING), None, [profile(selector={"matchLabels": {"app": "other"}})], names.SKIP_NO_PROFILE),
        (pod(labels={names.INJECT: "false"}), "true", [profile()], names.SKIP_OPTED_OUT),
        (pod(annotations={names.INJECT: "false"}, **ASKING), "true", [profile()], names.SKIP_OPTED_OUT),
        (pod(), "false", [profile()], names.SKIP_OPTED_OUT),
        (pod(labels={names.INJECT: "yes"}), None, [profile()], names.SKIP_NOT_ASKED_FOR),
        (
            pod(**ASKING),
            None,
            [profile("a", **FOR_SHOP), profile("b", **FOR_SHOP)],
            names.SKIP_SEVERAL_PROFILES,
        ),
        (pod(**ASKING), None, [profile("all"), profile("near", **FOR_SHOP)], "near"),
        (pod(annotations={names.PROFILE: "b"}, **ASKING), None, [profile("a"), profile("b")], "b"),
        (pod(annotations={names.PROFILE: "c"}, **ASKING), None, [profile("a")], names.SKIP_PROFILE_NOT_FOUND),
        (pod(**ASKING), None, [profile(injection={"mode": "Off"})], names.SKIP_INJECTION_OFF),
        (
            pod(annotations={names.RUNTIME: "Cobol"}, **ASKING),
            None,
            [profile()],
            names.SKIP_NO_MATCHING_RUNTIME,
        ),
        (
            pod(annotations={"kubernetes.io/config.mirror": "x"}, **ASKING),
            None,
            [profile()],
            names.SKIP_NOT_ASKED_FOR,
        ),
    ],
)
def test_who_is_watched_by_which_profile(
    given: dict[str, Any], namespace: str | None, profiles: list[Any], outcome: str
) -> None:
    found = selected(given, *profiles, namespace=namespace)
    assert (found.profile.name if isinstance(found, Choice) else found.reason) == outcome


@pytest.mark.parametrize("workload", ["Deployment/shop", "ReplicaSet/shop-5d9c7b"])
def test_a_workload_that_the_controller_has_stopped_is_left_alone(workload: str) -> None:
    stopped = profile(status={"injectionStopped": [{"workload": workload, "reason": "CrashLoop"}]})
    found = selected(pod(**ASKING), stopped)
    assert isinstance(found, Skip)
    assert found.reason == names.SKIP_INJECTION_STOPPED
    assert "Deployment shop" in found.message


def test_a_job_s_cron_job_may_be_stopped_too() -> None:
    given = pod(**ASKING)
    given["metadata"]["ownerReferences"] = [{"kind": "Job", "name": "night-29384756", "controller": True}]
    found = selected(given, profile(status={"injectionStopped": [{"workload": "CronJob/night"}]}))
    assert isinstance(found, Skip)


def test_the_pod_s_own_annotations_count_before_the_profile() -> None:
    given = pod(annotations={names.CONTAINERS: " web , log", names.RUNTIME: "Python"}, **ASKING)
    found = selected(given, profile(containers=["app"]))
    assert isinstance(found, Choice)
    assert found.containers == ("web", "log")


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ({}, True),
        ({"matchLabels": {"a": "1"}}, True),
        ({"matchLabels": {"a": "2"}}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, False),
        ({"matchExpressions": [{"key": "b", "operator": "NotIn", "values": ["1"]}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "b", "operator": "Exists"}]}, False),
        ({"matchExpressions": [{"key": "b", "operator": "DoesNotExist"}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "OfANewerVersion"}]}, False),
        ({"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]}, False),
    ],
)
def test_selectors_are_evaluated_as_kubernetes_does(selector: dict[str, Any], matches: bool) -> None:
    assert Selector.of(selector).matches({"a": "1"}) is matches
