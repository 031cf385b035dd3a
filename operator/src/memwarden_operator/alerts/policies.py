"""MemoryAlertPolicies as they were told last."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from memwarden_api.v1alpha1.alert_policy import MemoryAlertPolicy, MemoryAlertPolicySpec
from memwarden_api.v1alpha1.profile import Metadata
from memwarden_operator.controller.profiles import Key, metadata


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
    about = metadata(given["metadata"])
    whole = {"metadata": about, "spec": given.get("spec") or {}, "status": given.get("status") or {}}
    try:
        return KnownPolicy(MemoryAlertPolicy.from_cluster(whole))
    except ValidationError as error:
        wrong = [one for one in error.errors() if one["loc"] and one["loc"][0] != "status"]
    if not wrong:
        return KnownPolicy(MemoryAlertPolicy.from_cluster(whole | {"status": {}}))
    where = ".".join(str(part) for part in wrong[0]["loc"])
    spec = MemoryAlertPolicySpec.model_validate({"rules": [{"name": "unreadable", "verdict": "Leaking"}]})
    return KnownPolicy(
        MemoryAlertPolicy(metadata=Metadata.from_cluster(about), spec=spec),
        f"{where}: {wrong[0]['msg']}; change the field, or update Memwarden where a newer version made it",
    )
