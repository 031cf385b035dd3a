"""What tests do to the parts of an installed release: look where they are, take them away, bring them back."""

import base64
import secrets
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from certificates import Authority
from cluster.testing.waiting import eventually
from installation import NAMESPACE, RELEASE, WAIT_SECONDS

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace


@dataclass(frozen=True)
class Release:
    """The parts by what the chart calls them: collector, injector, controller, database."""

    namespace: "Namespace"

    def pods(self, part: str) -> list[dict[str, Any]]:
        return self.namespace.pods(f"app.kubernetes.io/component={part}")

    def addresses(self, part: str) -> list[str]:
        """Of the part's pods, all of them ready."""
        return [pod["status"]["podIP"] for pod in self.wait_ready(part)]

    def _every(self, part: str) -> list[dict[str, Any]]:
        """Those that are going too: they answer to the last."""
        resource = self.namespace.resources.resources.get(api_version="v1", kind="Pod")
        found = resource.get(namespace=NAMESPACE, label_selector=f"app.kubernetes.io/component={part}")
        items: list[dict[str, Any]] = found.to_dict()["items"]
        return items

    def wait_ready(self, part: str) -> list[dict[str, Any]]:
        """Its pods, all of them ready, and those before them gone."""
        from cluster.testing.namespace import is_ready

        def look() -> list[dict[str, Any]]:
            found = self._every(part)
            wanted = 2 if part == "injector" else 1
            assert [is_ready(pod) for pod in found] == [True] * wanted, [pod.get("status") for pod in found]
            return found

        return eventually(f"the {part} to be ready", look, WAIT_SECONDS)

    # ---------------------------------------------------------------- away and back

    def kill(self, part: str) -> None:
        """All of its pods at once, without notice."""
        for pod in self.pods(part):
            self.namespace.core.delete_namespaced_pod(
                pod["metadata"]["name"], NAMESPACE, grace_period_seconds=0
            )

    @contextmanager
    def away(self, part: str) -> Iterator[None]:
        """No pod of it is there; afterwards it is, and ready."""
        name = f"{RELEASE}-{part}"
        was = self.namespace.read("Deployment", name, "apps/v1")["spec"]["replicas"]
        self._kubectl("scale", "deployment", name, "--replicas=0")
        eventually(f"the end of the {part}", lambda: not self._every(part), WAIT_SECONDS)
        try:
            yield
        finally:
            self._kubectl("scale", "deployment", name, f"--replicas={was}")
            self.wait_ready(part)

    def restart(self, part: str) -> None:
        self._kubectl("rollout", "restart", "deployment", f"{RELEASE}-{part}")
        self._kubectl("rollout", "status", "deployment", f"{RELEASE}-{part}", "--timeout=300s")
        self.wait_ready(part)

    # ---------------------------------------------------------------- certificates

    def put_certificate(self, part: str, days: int) -> None:
        """Have a server serve another certificate of the release's own authority, with so many days to go."""
        authority = Authority.of(self.secret("authority", "tls.crt"), self.secret("authority", "tls.key"))
        service = f"{RELEASE}-{part}"
        hosts = [
            f"{service}{end}"
            for end in ("", f".{NAMESPACE}", f".{NAMESPACE}.svc", f".{NAMESPACE}.svc.cluster.local")
        ]
        with TemporaryDirectory() as folder:
            files = authority.sign(Path(folder), *hosts, days=days)
            data = {file.name: base64.b64encode(file.read_bytes()).decode() for file in files}
        self.namespace.core.patch_namespaced_secret(f"{service}-tls", NAMESPACE, {"data": data})

    def secret(self, name: str, key: str) -> str:
        return base64.b64decode(self.namespace.read("Secret", f"{RELEASE}-{name}")["data"][key]).decode()

    def renew_certificates(self) -> None:
        """As the CronJob does every night."""
        name = f"{RELEASE}-certificates-{secrets.token_hex(3)}"
        self._kubectl("create", "job", name, f"--from=cronjob/{RELEASE}-certificates")
        self._kubectl("wait", f"job/{name}", "--for=condition=Complete", "--timeout=300s")
        self._kubectl("delete", "job", name)

    def sync(self, part: str) -> None:
        """Have the kubelet look at the part's Secrets now; by itself it does so every minute or two."""
        for pod in self.pods(part):
            note = {"metadata": {"annotations": {"memwarden.test/sync": secrets.token_hex(3)}}}
            self.namespace.core.patch_namespaced_pod(pod["metadata"]["name"], NAMESPACE, note)

    def wait_served(self, part: str, port: int) -> None:
        """Until all of the part's pods serve the certificate that stands in their Secret."""
        wanted = ssl.PEM_cert_to_DER_cert(self.secret(f"{part}-tls", "tls.crt"))

        def served() -> bool:
            found = [ssl.get_server_certificate((at, port), timeout=10) for at in self.addresses(part)]
            assert {ssl.PEM_cert_to_DER_cert(pem) for pem in found} == {wanted}, found
            return True

        eventually(f"the certificate of the {part}", served, WAIT_SECONDS)

    def _kubectl(self, *words: str) -> None:
        subprocess.run([*self.namespace.cluster.kubectl, "--namespace", NAMESPACE, *words], check=True)
