"""Evicting a pod by the eviction API: disruption budgets are honoured; nothing is ever deleted or forced."""

from dataclasses import dataclass
from typing import Literal

from kubernetes.aio.client import ApiClient

from memwarden_kube.calls import call
from memwarden_kube.errors import Conflict, NotFound, Request, ServerFault, TooBusy
from memwarden_kube.objects import PODS

__all__ = ["Evicted", "evict"]


@dataclass(frozen=True, slots=True)
class Evicted:
    """What became of it, and the API server's words where it did not."""

    outcome: Literal["Evicted", "Gone", "Blocked", "Refused"]
    message: str = ""
    retry_seconds: float = 0.0


async def evict(client: ApiClient, namespace: str, name: str, uid: str) -> Evicted:
    """Evict that very pod (`uid`). Blocked: by its budget, come again; Refused: by several budgets, tell the user.

    Other errors are raised: they are about us, not about the pod.
    """
    request = Request("create", PODS.named("eviction"), namespace, name)
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": namespace},
        "deleteOptions": {"preconditions": {"uid": uid}},
    }
    try:
        await call(client, "POST", PODS.path(namespace, name, "eviction"), request, body=body)
    except (NotFound, Conflict) as error:
        return Evicted("Gone", str(error))
    except TooBusy as error:
        return Evicted("Blocked", str(error), error.retry_seconds)
    except ServerFault as error:
        return Evicted("Refused", str(error))
    return Evicted("Evicted")
