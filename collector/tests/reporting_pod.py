"""A container of a pod that tells of itself and does what it is asked for, as its sidecar would."""

import time
from typing import Any

import collector_requests as otlp
import httpx
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from memwarden_api import names
from memwarden_api.scopes import container_scope

MIB = 2**20


class Pod:
    """With the container `app`."""

    def __init__(self, client: httpx.Client, name: str, uid: str = "", namespace: str = "shop") -> None:
        self.client, self.name, self.namespace = client, name, namespace
        self.uid = uid or f"uid-{name}-0123"
        self.scope = container_scope(namespace, name, self.uid, "app", "1")
        self.now = time.time() - 60

    def _own(self, attributes: Any) -> None:
        own = {
            names.SCOPE_KIND: names.SCOPE_KIND_CONTAINER,
            names.K8S_NAMESPACE: self.namespace,
            names.K8S_POD: self.name,
            names.K8S_POD_UID: self.uid,
            names.K8S_CONTAINER: "app",
        }
        kept = [one for one in attributes if one.key not in own]
        del attributes[:]
        attributes.extend(
            [*kept, *(KeyValue(key=key, value=otlp.any_value(value)) for key, value in own.items())]
        )

    def tick(self, anon: float = 100 * MIB) -> None:
        """Memory, and a histogram."""
        self.now += 1
        request = otlp.metrics(self.scope, self.now, anon)
        for one in request.resource_metrics:
            self._own(one.resource.attributes)
        assert otlp.post_metrics(self.client, request).status_code == 200

    def histogram(self) -> None:
        """Alone: memory is told by somebody else."""
        self.now += 1
        request = otlp.ExportMetricsServiceRequest()
        points: list[otlp.Point] = [(names.OBJECTS_COUNT, 1000, {names.OBJECT_TYPE: "builtins.dict"})]
        made = otlp.add_resource(request, otlp.process_attributes(self.scope), self.now, points)
        self._own(made.resource.attributes)
        assert otlp.post_metrics(self.client, request).status_code == 200

    def profile(self, line: int = 1) -> None:
        self.now += 1
        request = otlp.profiles(self.scope, self.now, [((("cart.py", line, "add"),), "inf", 5 * MIB, 10, 10)])
        self._own(request.resource_profiles[0].resource.attributes)
        assert otlp.post_profiles(self.client, request).status_code == 200

    def wanted(self, **more: Any) -> dict[str, Any]:
        about = {"namespace": self.namespace, "pod": self.name, "pod_uid": self.uid, "container": "app"}
        return {**about, "keep_seconds": 3600} | more

    def ask(self, id: str, **more: Any) -> dict[str, Any]:
        answer = self.client.put(f"/api/v1/evidence/{id}", json=self.wanted(**more))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def commands(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.get(
            "/api/v1/commands/next", params={"pod_uid": self.uid}
        ).json()["items"]
        return found

    def answer(self, command: dict[str, Any], done: bool = True, message: str = "") -> None:
        body = {"done": done, "message": message, "at": "2026-11-22T12:00:00Z"}
        assert self.client.post(f"/api/v1/commands/{command['id']}/result", json=body).status_code == 204

    def obey(self) -> None:
        """All that is asked of it now."""
        for command in self.commands():
            self.profile(2) if command["kind"] == "Profile" else self.histogram()
            self.answer(command)
