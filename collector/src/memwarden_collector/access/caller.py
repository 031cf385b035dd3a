"""Who calls, what he may ask for, and the seam behind which that is found out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from memwarden_kube.reviews import Identity

GROUP: Final = "memwarden.dev"
PROFILES: Final = "memoryprofiles"
ALERT_POLICIES: Final = "memoryalertpolicies"
SNAPSHOTS: Final = "heapsnapshots"


@dataclass(frozen=True, slots=True)
class Pod:
    """The pod that a token was made for."""

    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who has been let in."""

    name: str
    """For messages: `system:serviceaccount:shop:default`."""
    pod: Pod | None = None
    """Who has one reports about it alone."""
    identity: "Identity | None" = None
    """None: the embedded token, which may everything."""


EVERYONE: Final = Caller("the holder of the token")


@dataclass(frozen=True, slots=True)
class Need:
    """A right on one of our resources; `namespace` "" is the whole cluster."""

    verb: str
    resource: str = PROFILES
    namespace: str = ""
    subresource: str = ""

    def __str__(self) -> str:
        resource = f"{self.resource}.{GROUP}" + (f"/{self.subresource}" if self.subresource else "")
        where = f"in namespace {self.namespace}" if self.namespace else "in the whole cluster"
        return f"{self.verb} {resource} {where}"


WRITE: Final = Need("update", subresource="status")
"""The controller's right: who may write the status of every profile may tell us of the cluster and order sidecars."""


POST_ALERTS: Final = Need("create", ALERT_POLICIES, subresource="alerts")
"""Alertmanager's right, and no more than that: to tell of alerts."""


class Access(Protocol):
    """Both may raise Overloaded where it can't be found out now."""

    async def admit(self, authorization: bytes) -> Caller:
        """Who sends this value of an authorization header. Raises Refused (401)."""

    async def allows(self, caller: Caller, need: Need) -> bool:
        """Whether he has that right."""

    def close(self) -> None:
        """Give back threads and connections."""
