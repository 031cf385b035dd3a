"""What the injector knows of the cluster: profiles, and what namespaces allow. Asked without waiting."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from memwarden_api import names
from memwarden_operator.injector.api import Api
from memwarden_operator.injector.namespace_limits import NONE, NamespaceLimits
from memwarden_operator.injector.profile import Profile
from memwarden_operator.injector.watch import Watch

PROFILES: Final = f"/apis/{names.GROUP}/{names.VERSION}/{names.PLURAL_PROFILE}"
RANGES: Final = "/api/v1/limitranges"
QUOTAS: Final = "/api/v1/resourcequotas"


class Knowledge:
    """Profiles must be known before a pod is looked at; limits are obeyed as far as they are known."""

    def __init__(self, api: Api) -> None:
        self.profiles = Watch(api, PROFILES, Profile.of)
        self._ranges = Watch(api, RANGES, _spec_and_status)
        self._quotas = Watch(api, QUOTAS, _spec_and_status)

    @property
    def watches(self) -> Mapping[str, Watch[Any]]:
        return {"memoryprofiles": self.profiles, "limitranges": self._ranges, "resourcequotas": self._quotas}

    @property
    def is_synced(self) -> bool:
        return self.profiles.is_synced

    def profiles_of(self, namespace: str) -> tuple[Profile, ...]:
        return self.profiles.of_namespace(namespace)

    def limits_of(self, namespace: str) -> NamespaceLimits:
        ranges, quotas = self._ranges.of_namespace(namespace), self._quotas.of_namespace(namespace)
        return NamespaceLimits.of(ranges, quotas) if ranges or quotas else NONE

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for watch in self.watches.values():
                tasks.create_task(watch.run())


def _spec_and_status(document: Mapping[str, Any]) -> dict[str, Any]:
    return {"spec": document.get("spec") or {}, "status": document.get("status") or {}}
