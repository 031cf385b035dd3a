"""Pods for tests: as admission shows them, by example and at random; and JSON Patch applied as RFC 6902 says."""

import copy
from typing import Any

from hypothesis import strategies as st

from memwarden_operator.injector.installation import Installation
from memwarden_operator.injector.profile import Profile
from memwarden_operator.injector.runtimes import RUNTIMES
from memwarden_operator.injector.selection import Choice

Pod = dict[str, Any]
TRUST = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
INSTALLATION = Installation(
    version="1.2.3",
    sidecar_image="memwarden-sidecar:1",
    collector="https://collector:4318",
    trust=TRUST,
    environment="Variables",
)


def profile(name: str = "shop", status: Any = None, **spec: Any) -> Profile:
    return Profile.of({"metadata": {"namespace": "shop", "name": name}, "spec": spec, "status": status or {}})


def choice(**spec: Any) -> Choice:
    made = profile(**spec)
    return Choice(made, RUNTIMES, made.containers)


def container(name: str = "app", **more: Any) -> dict[str, Any]:
    return {"name": name, "image": "shop:1", "resources": {}} | more


def resources(cpu: str, memory: str, *, equal: bool = False) -> dict[str, Any]:
    limits = {"cpu": cpu, "memory": memory}
    return {"resources": {"limits": limits, "requests": limits if equal else {"cpu": "1m", "memory": "1Mi"}}}


def pod(*containers: dict[str, Any], labels: Any = None, annotations: Any = None, **spec: Any) -> Pod:
    """Of the Deployment `shop`."""
    owner = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": "shop-5d9c7b",
        "uid": "u-1",
        "controller": True,
    }
    metadata: dict[str, Any] = {
        "generateName": "shop-5d9c7b-",
        "namespace": "shop",
        "ownerReferences": [owner],
    }
    metadata["labels"] = {"app": "shop", "pod-template-hash": "5d9c7b"} | (labels or {})
    if annotations:
        metadata["annotations"] = annotations
    return {"metadata": metadata, "spec": {"containers": list(containers or (container(),)), **spec}}


def applied(document: Pod, operations: list[dict[str, Any]]) -> Pod:
    """RFC 6902: an operation on what is not there is an error."""
    made = copy.deepcopy(document)
    for operation in operations:
        *path, last = [
            part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]
        ]
        target: Any = made
        for part in path:
            target = target[int(part)] if isinstance(target, list) else target[part]
        value = copy.deepcopy(operation["value"])
        if isinstance(target, dict):
            assert operation["op"] == "add" or last in target, operation
            target[last] = value
        elif operation["op"] == "add" and last == "-":
            target.append(value)
        elif operation["op"] == "replace":
            assert 0 <= int(last) < len(target), operation
            target[int(last)] = value
        else:
            raise AssertionError(operation)
    return made


# ── Any pod ──────────────────────────────────────────────────────────────────────────────────────────────
_words = st.sampled_from(["app", "web", "memwarden", "memwarden-probes", "istio-proxy", "x"])
_texts = st.sampled_from(
    ["", "/app", "/opt/memwarden/python/inject", "/app:/lib", "$(HOME)/lib", "lib a.so", ":"]
)
_amounts = st.sampled_from(["10m", "100m", "1", "64Mi", "128Mi", "2Gi", "0"])
_amount_maps = st.dictionaries(st.sampled_from(["cpu", "memory", "ephemeral-storage"]), _amounts)
_variables = st.one_of(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["PYTHONPATH", "LD_PRELOAD", "HOME", "A"])}, optional={"value": _texts}
    ),
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(["PYTHONPATH", "LD_PRELOAD", "B"]),
            "valueFrom": st.just({"fieldRef": {"fieldPath": "x"}}),
        }
    ),
    st.just({"name": "MEMWARDEN_SOCKET", "value": "/own.sock"}),
    st.just({"name": "MEMWARDEN_DISABLE", "value": "1"}),
)
_mounts = st.fixed_dictionaries(
    {
        "name": _words,
        "mountPath": st.sampled_from(["/data", "/opt", "/opt/memwarden", "/run/memwarden/x", "/"]),
    }
)


def _containers(names: Any) -> Any:
    return st.fixed_dictionaries(
        {"name": names, "image": st.just("i")},
        optional={
            "env": st.lists(_variables, max_size=4),
            "envFrom": st.lists(st.just({"configMapRef": {"name": "c"}}), max_size=1),
            "volumeMounts": st.lists(_mounts, max_size=3, unique_by=lambda one: one["mountPath"]),
            "resources": st.fixed_dictionaries(
                {}, optional={"limits": _amount_maps, "requests": _amount_maps}
            ),
            "command": st.lists(st.sampled_from(["python", "-m", "scalene", "/app.py"]), max_size=3),
        },
    )


def _lists(least: int) -> Any:
    return st.lists(_containers(_words), min_size=least, max_size=3, unique_by=lambda one: one["name"])


any_pod = st.fixed_dictionaries(
    {
        "metadata": st.fixed_dictionaries(
            {"namespace": st.just("shop")},
            optional={
                "labels": st.dictionaries(_words, _words, max_size=2),
                "annotations": st.dictionaries(
                    st.sampled_from(["memwarden.dev/injection", "a/b~c"]),
                    st.sampled_from(["1.2.3 aa", ""]),
                    max_size=2,
                ),
                "generateName": st.just("shop-"),
            },
        ),
        "spec": st.fixed_dictionaries(
            {"containers": _lists(1)},
            optional={
                "initContainers": _lists(0),
                "volumes": st.lists(
                    st.fixed_dictionaries({"name": _words, "emptyDir": st.just({})}),
                    max_size=3,
                    unique_by=lambda one: one["name"],
                ),
                "hostNetwork": st.booleans(),
                "securityContext": st.sampled_from([{}, {"runAsUser": 0}, {"runAsUser": 5}]),
                "resources": st.sampled_from([{}, {"limits": {"memory": "1Gi"}}]),
            },
        ),
    }
)
