"""A cluster by kind (Kubernetes in Docker), where a Docker engine answers."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from .commands import answers, run
from .errors import CommandFailed, NotReady, Unsuitable
from .settings import Settings
from .ways import Progress, Status

CONFIGURATION = Path(__file__).parent / "kind.yaml"
CREATE_SECONDS = 600.0


def docker_answers() -> bool:
    """Say whether an engine is there; a client alone is of no use."""
    return shutil.which("docker") is not None and answers("docker", "info")


@dataclass(frozen=True, slots=True)
class KindCluster:
    """One node in one container."""

    settings: Settings

    @property
    def kubeconfig(self) -> Path:
        return self.settings.state / "kubeconfig"

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
        for program, mended in (
            ("docker", "install Docker's engine and start it"),
            ("kind", "`go install sigs.k8s.io/kind@latest`"),
            ("kubectl", "install Kubernetes' client"),
        ):
            if not shutil.which(program):
                raise Unsuitable(f"there is no {program}, which `--via kind` needs: {mended}")
        if not docker_answers():
            raise Unsuitable("no Docker engine answers: start it and look at `docker info`")

    def up(self, say: Progress) -> None:
        self.check()
        status = self.status()
        if status.up:
            say("the cluster is up")
            return
        # A half-made or broken one is not worth repairing: a new one takes half a minute.
        self._delete()
        self.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        say(f"kind makes a cluster with Kubernetes {self.settings.kubernetes}")
        run(
            *("kind", "create", "cluster", "--name", self.settings.name, "--config", CONFIGURATION),
            *("--image", f"kindest/node:v{self.settings.kubernetes}"),
            *("--kubeconfig", self.kubeconfig, "--wait", "120s"),
            timeout=CREATE_SECONDS,
        )

    def down(self, say: Progress) -> None:
        self._delete()
        shutil.rmtree(self.settings.state, ignore_errors=True)
        say("the cluster is gone")

    def _delete(self) -> None:
        run("kind", "delete", "cluster", "--name", self.settings.name, "--kubeconfig", self.kubeconfig)

    def status(self) -> Status:
        if not self.kubeconfig.exists():
            return Status(up=False, details="there is no cluster")
        try:
            return Status(up=True, details=run(*self.kubectl, "get", "nodes", "-o", "wide", timeout=30))
        except (CommandFailed, NotReady) as failed:
            return Status(up=False, details=str(failed))

    def load(self, image: str, archive: Path) -> None:
        run("kind", "load", "image-archive", archive, "--name", self.settings.name, timeout=CREATE_SECONDS)
