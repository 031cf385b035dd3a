"""Asks the collector of an installed release, with no more rights than to look at the profiles of one namespace."""

import ssl
from typing import TYPE_CHECKING, Any
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


class Reader:
    """Somebody who may look at the profiles of a namespace, and so at what the collector has of it."""

    def __init__(self, namespace: "Namespace", release: Release) -> None:
        self.namespace = namespace
        namespace.apply(READER, namespace=namespace.name)
        trusted = ssl.create_default_context(cadata=release.secret("collector-tls", "ca.crt"))
        trusted.check_hostname = False  # it is asked by its address
        address = release.namespace.read("Service", f"{RELEASE}-collector")["spec"]["clusterIP"]
        self._url, self._trusted = f"https://{address}:4318/api/v1", trusted

    def ask(self, path: str) -> list[dict[str, Any]]:
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
        found: list[dict[str, Any]] = answer.json()["items"]
        return found

    def moments(self) -> list[float]:
        """When the one container of the namespace was measured."""
        scopes = self.ask(f"/scopes?namespace={self.namespace.name}")
        assert len(scopes) == 1, scopes
        path = f"/scopes/{quote(scopes[0]['scope'])}/series?metric={names.MEMORY_ANON}"
        return sorted({moment for series in self.ask(path) for moment in series["times"]})
