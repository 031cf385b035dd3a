"""Our kinds as the controller follows them: Kopf says what changes, a list each minute puts right what it missed.

A `Following` is one kind: where its objects go. `KindLoop` lists it. The list also shows that Kopf's watch is dead,
since what it should have said is not known; and it is all there is for a kind that was installed later than we began.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from memwarden_kube.errors import KubeError, NotFound
from memwarden_kube.objects import Object, Resource
from memwarden_operator.controller.cluster import Cluster
from memwarden_operator.controller.heart import Heart
from memwarden_operator.controller.loops import Troubles
from memwarden_operator.controller.profiles import Key

RESYNC_SECONDS: Final = 60.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Following:
    """One kind. Nothing of it waits: what is to be done is done by somebody's loop."""

    name: str
    """Of its loop, as heart and troubles know it."""
    resource: Resource
    put: Callable[[Object], None]
    """An object as it is now; told twice, it changes nothing."""
    gone: Callable[[Key], None]
    generations: Callable[[], dict[Key, int]]
    """What is known: generation by namespace and name."""


class KindLoop:
    """All objects of one kind as they are, whatever the watch said."""

    def __init__(
        self,
        following: Following,
        cluster: Cluster,
        namespaces: Sequence[str],
        heart: Heart,
        troubles: Troubles,
    ) -> None:
        self.following = following
        self.listed = False
        self._cluster = cluster
        self._namespaces = tuple(namespaces) or ("",)
        self._heart = heart
        self._troubles = troubles

    async def run(self) -> None:
        name = self.following.name
        while True:
            try:
                behind = await self._compare()
                self._troubles.over(name)
                if behind:
                    _log.warning("the watch of %s is behind: %s", name, ", ".join(map("/".join, behind)))
                else:
                    self._heart.beat(name)
                self.listed = True
            except KubeError as error:
                self._heart.beat(name)
                self._troubles.of(name, error)
            await asyncio.sleep(RESYNC_SECONDS)

    async def is_there(self) -> bool:
        """Whether the kind is installed. Raises KubeError where that can't be told."""
        try:
            async for _ in self._cluster.objects(self.following.resource, self._namespaces[0]):
                break
        except NotFound:
            return False
        return True

    async def wait_until_there(self) -> None:
        """Kopf looks for a kind once: start it when there is one."""
        while True:
            try:
                if await self.is_there():
                    return
                _log.error(
                    "the kind %s is not installed; install the chart memwarden-crds",
                    self.following.resource.kind,
                )
            except KubeError as error:
                self._troubles.of(self.following.name, error)
            self._heart.beat(self.following.name)
            await asyncio.sleep(5.0)

    async def _compare(self) -> list[Key]:
        """Objects that the watch should have told and did not."""
        behind: list[Key] = []
        seen: set[Key] = set()
        known = self.following.generations()
        for namespace in self._namespaces:
            async for found, _ in self._cluster.objects(self.following.resource, namespace):
                for one in found:
                    about = one["metadata"]
                    key = about["namespace"], about["name"]
                    seen.add(key)
                    if known.get(key) != about.get("generation", 0):
                        if self.listed:
                            behind.append(key)
                        self.following.put(one)
        for key in set(known) - seen:
            if self.listed:
                behind.append(key)
            self.following.gone(key)
        return behind
