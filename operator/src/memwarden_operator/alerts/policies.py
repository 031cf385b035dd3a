"""MemoryAlertPolicies as they were told last."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from memwarden_api.v1alpha1.alert_policy import MemoryAlertPolicy
from memwarden_operator.controller.profiles import Key
from memwarden_operator.controller.reading import understood


@dataclass(frozen=True, slots=True)
class KnownPolicy:
    """One policy; `stalled` says what can't be read of its spec, and nothing is made of it then."""

    policy: MemoryAlertPolicy
    stalled: str = ""

    @property
    def key(self) -> Key:
        return self.policy.metadata.namespace, self.policy.metadata.name


def read(given: Mapping[str, Any]) -> KnownPolicy:
    """An object of the API server. A status that can't be read is made anew."""
    instead = {"rules": [{"name": "unreadable", "verdict": "Leaking"}]}
    return KnownPolicy(*understood(MemoryAlertPolicy.from_cluster, given, instead))
