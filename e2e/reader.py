"""Asks the collector of an installed release, with no more rights than to look at the profiles of one namespace."""

import ssl
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import httpx
from installation import RELEASE
from release import Release

from memwarden_api import names

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace

READER = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: memwarden-view}
subjects: [{kind: ServiceAccount, name: reader, namespace: $namespace}]
"""


def collector_of(release: Release) -> tuple[str, ssl.SSLContext]:
    """Its address, and whom to trust there."""
    trusted = ssl.create_default_context(cadata=release.secret("collector-tls", "ca.crt"))
    trusted.check_hostname = False  # it is asked by its address
    address = release.namespace.read("Service", f"{RELEASE}-collector")["spec"]["clusterIP"]
    return f"https://{address}:4318", trusted


class Judgement(NamedTuple):
    """Of a moment, as the container's samples have it."""

    at: float
    verdict: str


class Reader:
    """Somebody who may look at the profiles of a namespace, and so at what the collector has of it."""

    def __init__(self, namespace: "Namespace", release: Release) -> None:
        self.namespace = namespace
        namespace.apply(READER, namespace=namespace.name)
        self._url, self._trusted = collector_of(release)

    def ask(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(f"/api/v1{path}").json()["items"]
        return found

    def get(self, path: str) -> httpx.Response:
        """What is at a path below the collector's address."""
        request = {"spec": {"audiences": [names.AUDIENCE], "expirationSeconds": 3600}}
        made = self.namespace.core.create_namespaced_service_account_token(
            "reader", self.namespace.name, request
        )
        try:
            headers = {"authorization": f"Bearer {made.status.token}"}
            answer = httpx.get(
                f"{self._url}{path}", headers=headers, verify=self._trusted, timeout=30, trust_env=False
            )
        except httpx.TransportError as error:
            raise AssertionError(repr(error)) from None
        assert answer.status_code == 200, answer.text
        return answer

    def moments(self, scope: str = "") -> list[float]:
        """When a container was measured: this one, or the only one of the namespace."""
        return sorted({moment for series in self._memory(scope) for moment in series["times"]})

    def grown(self, scope: str = "") -> float:
        """Bytes by which its memory is above where it was first."""
        found = [series["values"] for series in self._memory(scope) if series["pid"] is None]
        assert found, f"nothing was measured of {scope or 'it'} yet"
        (levels,) = found
        return float(levels[-1] - levels[0])

    def _memory(self, scope: str) -> list[dict[str, Any]]:
        path = f"/scopes/{quote(scope or self._only())}/series?metric={names.MEMORY_ANON}&points=10000"
        return self.ask(path)

    def judgements(self, scope: str = "") -> list[Judgement]:
        """What was said of it by and by: a verdict that stays is kept twice a minute."""
        wanted = scope or self._only()
        verdicts = self.ask(f"/verdicts?namespace={self.namespace.name}")
        history = [entry for one in verdicts if one["scope"] == wanted for entry in one["history"]]
        assert history, f"{wanted} is not judged yet"
        return [
            Judgement(datetime.fromisoformat(entry["at"]).timestamp(), entry["verdict"]) for entry in history
        ]

    def _only(self) -> str:
        scopes = self.ask(f"/scopes?namespace={self.namespace.name}")
        assert len(scopes) == 1, scopes
        return str(scopes[0]["scope"])
