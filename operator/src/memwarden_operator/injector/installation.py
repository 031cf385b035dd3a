"""What is the same for all pods of a cluster: images, the collector's address, who is trusted."""

from dataclasses import dataclass
from typing import Final

PRELOAD: Final = "Preload"
VARIABLES: Final = "Variables"
DEFAULT_ENVIRONMENT: Final = PRELOAD
"""How probes get into programs where neither profile nor installation says: the one line to change."""


@dataclass(frozen=True, slots=True)
class Installation:
    """How Memwarden is installed. Never changes while a pod is looked at."""

    version: str
    sidecar_image: str
    collector: str
    """URL that sidecars push to."""
    trust: str = ""
    """PEM of who may sign the collector's certificate; "": the collector speaks plain HTTP, or by a public one."""
    pull_policy: str = "IfNotPresent"
    environment: str = DEFAULT_ENVIRONMENT
    token: bool = True
    """Give sidecars a projected token with our audience."""
    excluded_namespaces: frozenset[str] = frozenset({"kube-system", "kube-node-lease"})
