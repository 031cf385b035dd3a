"""What a cluster is made from: one frozen value, read once from the environment and the command line."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Via = Literal["kubeconfig", "kind", "local"]
WAYS: tuple[Via, ...] = get_args(Via)

# 1.34 is the last minor version that runs on cgroup v1 (KEP-5573), and so the newest that runs everywhere.
KUBERNETES = "1.34.4"
COREDNS = "1.12.4"
HELM = "3.22.0"


@dataclass(frozen=True, slots=True)
class Settings:
    """Which cluster, and where what it needs is kept."""

    via: Via | None
    """None: the first way that can be gone, in the order of `WAYS`."""
    kubernetes: str
    """The version, without the v. Used by the ways that make a cluster."""
    name: str
    """Names the network namespace, the cgroup and kind's cluster: two names, two clusters."""
    cache: Path
    """Binaries and images by version; may be removed at any time while no cluster is up."""
    kubeconfig: Path | None
    """The user's own cluster; None where none was given."""

    registry: str | None
    """Where the images have been pushed for a given cluster; None: they are loaded onto the node."""

    keeps_go: bool = False
    """Whether Go's modules and build cache are kept in `cache` too, not in the user's own places."""

    @property
    def state(self) -> Path:
        """What the local cluster writes while it is up."""
        return self.cache / "clusters" / self.name


def load(via: Via | None = None, kubernetes: str | None = None) -> Settings:
    """Read the environment; arguments win over it."""
    environment = os.environ
    asked = via or environment.get("MEMWARDEN_E2E_VIA") or None
    if asked is not None and asked not in WAYS:
        raise ValueError(f"MEMWARDEN_E2E_VIA is {asked!r}; it can be {', '.join(WAYS)}")
    version = (kubernetes or environment.get("MEMWARDEN_E2E_KUBERNETES") or KUBERNETES).removeprefix("v")
    if not re.fullmatch(r"1\.\d+\.\d+", version):
        raise ValueError(f"{version!r} is no version of Kubernetes; one looks like {KUBERNETES}")
    cache = environment.get("MEMWARDEN_E2E_CACHE") or Path.home() / ".cache" / "memwarden-e2e"
    given = environment.get("KUBECONFIG")
    return Settings(
        via=asked,
        kubernetes=version,
        name=environment.get("MEMWARDEN_E2E_NAME") or "memwarden-e2e",
        cache=Path(cache).absolute(),
        kubeconfig=Path(given) if given else None,
        keeps_go="MEMWARDEN_E2E_CACHE" in environment,
        registry=environment.get("MEMWARDEN_E2E_REGISTRY") or None,
    )
