"""What a workload's object says of its pods, those that are there and those that it would make. Pure."""

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

from memwarden_api.names import RESTARTED
from memwarden_kube.objects import DAEMON_SETS, DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS, Resource
from memwarden_operator.controller.examination import examined
from memwarden_operator.controller.missed import Namespace
from memwarden_operator.controller.owners import Workload
from memwarden_operator.injector.selection import select
from memwarden_operator.injector.skips import Skip
from memwarden_operator.remediation.case import Replicas, Template

RESOURCES: Final[Mapping[str, Resource]] = {
    "Deployment": DEPLOYMENTS,
    "StatefulSet": STATEFUL_SETS,
    "DaemonSet": DAEMON_SETS,
    "ReplicaSet": REPLICA_SETS,
}


def replicas_of(kind: str, found: Mapping[str, Any]) -> Replicas:
    """Of a Deployment, StatefulSet, DaemonSet or ReplicaSet, as JSON."""
    metadata, spec, status = found["metadata"], found.get("spec") or {}, found.get("status") or {}
    unseen = status.get("observedGeneration", 0) < metadata.get("generation", 0)
    if kind == "DaemonSet":
        desired, ready = status.get("desiredNumberScheduled", 0), status.get("numberReady", 0)
        older = status.get("updatedNumberScheduled", 0) < desired
    else:
        desired, ready = spec.get("replicas", 1), status.get("readyReplicas", 0)
        newest = status.get("updatedReplicas", 0)
        older = kind != "ReplicaSet" and (newest < desired or status.get("replicas", 0) > newest)
    template = ((spec.get("template") or {}).get("metadata") or {}).get("annotations") or {}
    return Replicas(desired, ready, unseen or older, template.get(RESTARTED, ""), _held(kind, spec))


def _held(kind: str, spec: Mapping[str, Any]) -> str:
    """Why a change of the template makes no pod anew, or not all of them."""
    if spec.get("paused"):
        return "the Deployment is paused: kubectl rollout resume"
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return f"the {kind}'s updateStrategy is OnDelete: it makes a pod anew once somebody deletes it"
    partition = (strategy.get("rollingUpdate") or {}).get("partition") or 0
    if partition:
        return (
            f"the {kind}'s updateStrategy has partition {partition}: pods of lower numbers stay as they are"
        )
    return ""


def template_of(
    workload: Workload, found: Mapping[str, Any], profile: str, uid: str, namespace: Namespace
) -> Template:
    """Of the workload's object, for the profile of that name and uid."""
    template = (found.get("spec") or {}).get("template") or {}
    metadata = template.get("metadata") or {}
    annotations = {
        key: value for key, value in (metadata.get("annotations") or {}).items() if key != RESTARTED
    }
    about = {**metadata, "annotations": annotations}
    text = json.dumps([uid, template.get("spec"), about], sort_keys=True)
    pod = {**template, "metadata": {**about, "name": workload.name, "namespace": workload.namespace}}
    return Template(blake2b(text.encode(), digest_size=8).hexdigest(), _skipped(pod, profile, namespace))


def _skipped(pod: Mapping[str, Any], profile: str, namespace: Namespace) -> str:
    """Pods may have got by hand what their template lacks."""
    choice = select(pod, namespace.label, namespace.unbarred)
    if isinstance(choice, Skip):
        return choice.message
    if choice.profile.name != profile:
        return f"MemoryProfile {choice.profile.name} means them"
    why = examined(pod, choice.profile)
    return why[1] if why is not None else ""
