"""What the three ways to a cluster have in common, and how one is chosen."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .settings import Settings

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Status:
    """What is there now."""

    up: bool
    """Everything that belongs to the cluster runs, and its API answers."""
    details: str


class Cluster(Protocol):
    """A Kubernetes cluster for tests. All verbs may be called in any state, and twice."""

    @property
    def kubeconfig(self) -> Path:
        """The administrator's; valid while the cluster is up."""

    @property
    def prefix(self) -> list[str]:
        """What to put before a command so that it reaches the API server; empty where everybody does."""

    @property
    def network(self) -> Path | None:
        """The network namespace with the pods' addresses; None where tests can't enter it."""

    @property
    def kubectl(self) -> list[str]:
        """The command, with all that it needs to talk to this cluster."""

    @property
    def helm(self) -> list[str]:
        """The command, with all that it needs to talk to this cluster."""

    def check(self) -> None:
        """Raise Unsuitable with the reason where this way can't be gone here; changes nothing."""

    def up(self, say: Progress) -> None:
        """Bring the cluster up, or repair it; nothing is done where all is well."""

    def down(self, say: Progress) -> None:
        """Remove the cluster with all that was made for it."""

    def status(self) -> Status:
        """Tell what is there; changes nothing."""

    def load(self, image: str, archive: Path) -> None:
        """Make an image from an archive known to the node."""


def choose(settings: Settings) -> Cluster:
    """Return the way that was asked for, else the first that can be gone."""
    from .given import GivenCluster
    from .kind import KindCluster, docker_answers
    from .local.way import LocalCluster

    via = settings.via
    if via == "kubeconfig" or (via is None and settings.kubeconfig):
        return GivenCluster(settings)
    if via == "kind" or (via is None and docker_answers()):
        return KindCluster(settings)
    return LocalCluster(settings)
