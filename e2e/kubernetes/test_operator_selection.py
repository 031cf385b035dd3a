"""Who is watched: labels and annotations of pods, of namespaces, and profiles; and who is told why not.

Pods are made by dry runs where the injector's answer is all that is asked for: it is the same one, and nothing is kept.
"""

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from cluster.testing.waiting import eventually
from installation import INJECT, PROFILE_API, WAIT_SECONDS, profile

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]


def pod(image: str, labels: dict[str, str], annotations: dict[str, str]) -> dict[str, Any]:
    return {
        "metadata": {"name": f"p-{uuid.uuid4().hex[:8]}", "labels": labels, "annotations": annotations},
        "spec": {
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "app",
                    "image": image,
                    "command": ["sleep", "3600"],
                    "resources": {"limits": {"memory": "256Mi"}},
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
        },
    }


Made = Callable[..., str | None]


@pytest.fixture
def made(namespace: "Namespace", image: Callable[[str], str]) -> Made:
    """Make a pod by a dry run; the profile that was applied to it, None where none was."""

    def make(labels: dict[str, str] | None = None, annotations: dict[str, str] | None = None) -> str | None:
        body = pod(image("python-3.11"), labels or {}, annotations or {})
        seen = namespace.core.create_namespaced_pod(namespace.name, body, dry_run="All")
        return (seen.metadata.labels or {}).get("memwarden.dev/injected")

    return make


def test_a_profiles_selector_alone_is_enough_in_a_labelled_namespace(
    watched: "Namespace", made: Made
) -> None:
    profile(watched, "shop", {"matchLabels": {"part-of": "shop"}})
    eventually("the injector to know the profile", lambda: made({"part-of": "shop"}) == "shop", WAIT_SECONDS)
    assert made({"part-of": "bank"}) is None
    # The annotation asks for what the selector leaves out: there must still be a profile that selects it.
    assert made({"part-of": "shop"}, {INJECT: "true"}) == "shop"


def test_an_empty_selector_takes_those_that_ask_for_it(watched: "Namespace", made: Made) -> None:
    profile(watched, "all", {})
    eventually("by label", lambda: made({INJECT: "true"}) == "all", WAIT_SECONDS)
    assert made(annotations={INJECT: "true"}) == "all"


def test_no_is_heard_at_each_level(watched: "Namespace", made: Made) -> None:
    profile(watched, "shop", {"matchLabels": {"part-of": "shop"}})
    eventually("the injector to know the profile", lambda: made({"part-of": "shop"}) == "shop", WAIT_SECONDS)

    assert made({"part-of": "shop", INJECT: "false"}) is None
    assert made({"part-of": "shop"}, {INJECT: "false"}) is None

    watched.core.patch_namespace(watched.name, {"metadata": {"labels": {INJECT: "false"}}})
    eventually("the namespace's no", lambda: made({"part-of": "shop"}) is None, WAIT_SECONDS)
    # What is nearer wins.
    assert made({"part-of": "shop", INJECT: "true"}) == "shop"


@pytest.mark.usefixtures("installed")
def test_a_labelled_pod_needs_no_labelled_namespace_but_a_profile(namespace: "Namespace", made: Made) -> None:
    assert made({INJECT: "true"}) is None
    profile(namespace, "all", {})
    eventually("the label", lambda: made({INJECT: "true"}) == "all", WAIT_SECONDS)
    assert made({}) is None


def test_of_several_profiles_the_annotation_says_which(watched: "Namespace", made: Made) -> None:
    profile(watched, "first", {"matchLabels": {"part-of": "shop"}})
    profile(watched, "second", {"matchLabels": {"part-of": "shop"}})
    chosen = {"memwarden.dev/profile": "second"}
    eventually("both to be known", lambda: made({"part-of": "shop"}, chosen) == "second", WAIT_SECONDS)
    assert made({"part-of": "shop"}, {"memwarden.dev/profile": "first"}) == "first"


@pytest.mark.usefixtures("installed")
def test_an_annotated_pod_in_a_namespace_without_the_label_is_told_with_what_mends_it(
    namespace: "Namespace", image: Callable[[str], str]
) -> None:
    profile(namespace, "all", {})
    body = pod(image("python-3.11"), {}, {INJECT: "true"})
    namespace.core.create_namespaced_pod(namespace.name, body)

    def told() -> dict[str, Any]:
        status = namespace.read("MemoryProfile", "all", PROFILE_API).get("status") or {}
        skipped = status.get("coverage", {}).get("skipped") or []
        assert len(skipped) == 1, status
        return skipped[0]

    skipped = eventually("the missed pod", told, WAIT_SECONDS)
    assert (skipped["pod"], skipped["reason"]) == (body["metadata"]["name"], "NamespaceNotLabelled")
    assert f"kubectl label namespace {namespace.name} {INJECT}=true" in skipped["message"]


@pytest.mark.usefixtures("installed")
def test_a_selector_that_matches_nothing_says_so(namespace: "Namespace") -> None:
    profile(namespace, "nobody", {"matchLabels": {"part-of": "nothing"}})

    def told() -> bool:
        status = namespace.read("MemoryProfile", "nobody", PROFILE_API).get("status") or {}
        reasons = {condition["type"]: condition["reason"] for condition in status.get("conditions") or []}
        assert reasons.get("Ready") == "NoPodMatches", status
        return True

    eventually("the condition", told, WAIT_SECONDS)
