"""Memwarden as a user installs it: both charts by Helm, once for all tests that need it.

`ensure` may be called before each test: where a test has removed the release, it comes back.
"""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from harness import ROOT

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace

CHARTS = ROOT / "charts"
NAMESPACE = "memwarden-system"
RELEASE, KINDS = "memwarden", "memwarden-crds"
INSTALL_SECONDS = 900
PROFILE_API = "memwarden.dev/v1alpha1"
INJECT = "memwarden.dev/inject"
WAIT_SECONDS = 300.0
IMAGES = ("collector", "operator", "sidecar")


@dataclass(frozen=True)
class Installation:
    """The release in the test cluster."""

    helm: list[str]
    image: Callable[[str], str]
    folder: Path
    charts: Path = CHARTS
    images: tuple[str, ...] = IMAGES

    def values(self) -> dict[str, Any]:
        """What a trial without storage sets, with the images of this checkout."""
        images: dict[str, Any] = {"registry": ""}  # each has its own below
        for name in self.images:
            repository, _, tag = self.image(f"memwarden-{name}").rpartition(":")
            images[name] = {"repository": repository, "tag": tag}
        database = {"image": self.image("postgresql-17"), "dataFolder": "/data", "userId": 10001}
        return {
            "images": images,
            "database": {"trial": {**database, "persistence": {"enabled": False, "size": "1Gi"}}},
        }

    def is_there(self) -> bool:
        return self._run("status", RELEASE, check=False).returncode == 0

    def ensure(self) -> None:
        if not self.is_there():
            self.install()

    def prepare(self) -> None:
        """The kinds, and the namespace, into which a user may put a Secret of his own first."""
        self._run("upgrade", "--install", KINDS, self.charts / "memwarden-crds", "--create-namespace")

    def install(self, **more: Any) -> None:
        """Install or upgrade, and wait until all pods are ready."""
        file = self.folder / "values.yaml"
        file.write_text(yaml.safe_dump({**self.values(), **more}))
        self.prepare()
        wait = ("--wait", f"--timeout={INSTALL_SECONDS}s")
        self._run("upgrade", "--install", RELEASE, self.charts / "memwarden", "--values", file, *wait)

    def test(self) -> str:
        """`helm test`; what it says. Its pod is gone where all is well."""
        return self._run("test", RELEASE, "--timeout=300s").stdout

    def uninstall(self) -> None:
        self._run("uninstall", RELEASE, "--wait", "--timeout=300s")

    def remove_all(self) -> None:
        """Both releases and their namespace, whether they are there or not. The kinds stay."""
        for name in (RELEASE, KINDS):
            self._run("uninstall", name, "--wait", "--ignore-not-found", "--timeout=300s", check=False)

    def _run(self, *words: str | Path, check: bool = True) -> "subprocess.CompletedProcess[str]":
        command = [*self.helm, "--namespace", NAMESPACE, *map(str, words)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert not check or ended.returncode == 0, f"{' '.join(command)}\n{ended.stdout}{ended.stderr}"
        return ended


def profile(namespace: "Namespace", name: str, selector: dict[str, Any], **spec: Any) -> None:
    """Make a MemoryProfile that says whom it selects, and nothing else unless it is given."""
    kind = {"apiVersion": PROFILE_API, "kind": "MemoryProfile"}
    body = {**kind, "metadata": {"name": name}, "spec": {"selector": selector, **spec}}
    resource = namespace.resources.resources.get(api_version=PROFILE_API, kind="MemoryProfile")
    resource.create(body=body, namespace=namespace.name)
