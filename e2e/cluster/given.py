"""A cluster that the user has: it is only used, never made nor removed."""

from dataclasses import dataclass
from pathlib import Path

from .commands import run
from .errors import ClusterError, CommandFailed, NotReady, Unsuitable
from .settings import Settings
from .ways import Progress, Status


@dataclass(frozen=True, slots=True)
class GivenCluster:
    """Tests make namespaces of their own in it; images must be where its nodes can pull them."""

    settings: Settings

    @property
    def kubeconfig(self) -> Path:
        if self.settings.kubeconfig is None:
            raise Unsuitable("no cluster was given: `KUBECONFIG=/path/of/it make cluster`")
        if not self.settings.kubeconfig.exists():
            raise Unsuitable(
                f"there is no {self.settings.kubeconfig}, which KUBECONFIG names: "
                "`unset KUBECONFIG`, or give another"
            )
        return self.settings.kubeconfig

    @property
    def prefix(self) -> list[str]:
        return []

    @property
    def network(self) -> Path | None:
        return None

    @property
    def kubectl(self) -> list[str]:
        return ["kubectl", f"--kubeconfig={self.kubeconfig}"]

    @property
    def helm(self) -> list[str]:
        return ["helm", f"--kubeconfig={self.kubeconfig}"]

    def check(self) -> None:
        if self.settings.registry is None:
            raise Unsuitable(
                "images can't be put on the nodes of a given cluster: push them and set MEMWARDEN_E2E_REGISTRY"
            )

    def up(self, say: Progress) -> None:
        status = self.status()
        if not status.up:
            raise ClusterError(f"the cluster of {self.kubeconfig} does not answer: {status.details}")
        say(f"using the cluster of {self.kubeconfig}")

    def down(self, say: Progress) -> None:
        say(f"the cluster of {self.kubeconfig} is yours and stays")

    def status(self) -> Status:
        try:
            return Status(up=True, details=run(*self.kubectl, "get", "nodes", "-o", "wide", timeout=30))
        except (CommandFailed, NotReady) as failed:
            return Status(up=False, details=str(failed))

    def load(self, image: str, archive: Path) -> None:
        raise Unsuitable(
            f"{image} can't be put on the nodes of a given cluster: push {archive} to a registry of yours "
            "and name that by `MEMWARDEN_E2E_REGISTRY=host/folder make e2e`"
        )
