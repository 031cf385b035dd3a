"""An earlier commit of this project as it was: its charts, and its images as it builds them itself."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from cluster.settings import Settings
from cluster.ways import Cluster
from harness import ROOT

COMMIT = "8f5a3c0"
"""The last one before the operator was tested in a cluster under faults."""
IMAGES = ("memwarden-collector", "memwarden-operator", "memwarden-sidecar", "memwarden-probes")
BUILD_SECONDS = 3600


def is_known() -> bool:
    """False in a clone without history."""
    asked = ["git", "-C", ROOT, "cat-file", "-e", f"{COMMIT}^{{commit}}"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


@dataclass(frozen=True)
class Earlier:
    """A checkout below the cache, with images that are built once."""

    settings: Settings

    @property
    def root(self) -> Path:
        return self._cache / "checkout"

    @property
    def charts(self) -> Path:
        return self.root / "charts"

    @property
    def _cache(self) -> Path:
        return self.settings.cache / "earlier" / COMMIT

    def provide(self, cluster: Cluster) -> dict[str, str]:
        """Make its images known to the cluster; their references by name. The first time needs package servers."""
        self._check_out()
        if any(not self._archives(name) for name in IMAGES):
            self._build()
        references = {}
        for name in IMAGES:
            (archive,) = self._archives(name)
            references[name] = f"memwarden.dev/{name}:{archive.stem.removeprefix(f'{name}-')}"
            cluster.load(references[name], archive)
        return references

    def _archives(self, name: str) -> list[Path]:
        return sorted((self._cache / "images").glob(f"{name}-*.tar"))

    def _check_out(self) -> None:
        if not self.root.exists():
            part = self._cache / "checkout.part"
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            packed = subprocess.run(["git", "-C", ROOT, "archive", COMMIT], capture_output=True, check=True)
            subprocess.run(["tar", "--extract", "--directory", part], input=packed.stdout, check=True)
            part.rename(self.root)

    def _build(self) -> None:
        # What `make setup` makes is ours: the builder, and the native parts, which are not what is asked here.
        for link, target in (
            (self.root / ".uv", ROOT / ".uv"),
            (self._cache / "buildah", self.settings.cache / "buildah"),
        ):
            if not link.is_symlink():
                link.symlink_to(target)
        for built in ("probes/native/lib", "probes/python/lib"):
            shutil.copytree(ROOT / built, self.root / built, dirs_exist_ok=True)
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.root / "e2e"),
            "MEMWARDEN_E2E_CACHE": str(self._cache),
        }
        command = [sys.executable, "-m", "cluster", "images", *IMAGES]
        subprocess.run(command, env=environment, cwd=self.root, check=True, timeout=BUILD_SECONDS)
