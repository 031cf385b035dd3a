"""What a workload's object says of its pods. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from memwarden_api.names import RESTARTED
from memwarden_kube.objects import DAEMON_SETS, DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS, Resource
from memwarden_operator.remediation.case import Replicas

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
    return Replicas(desired, ready, rolling=unseen or older, restarted=template.get(RESTARTED, ""))
