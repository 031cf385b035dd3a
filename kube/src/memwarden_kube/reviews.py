"""Reviews: whose token is this, and may he? `TokenReview` and `SubjectAccessReview`, one request each.

Nothing is remembered here. Our own service account needs `create` on both kinds (the cluster role
`system:auth-delegator` grants it).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from memwarden_kube.api import Api
from memwarden_kube.errors import Request

__all__ = ["Identity", "Right", "review_right", "review_token"]

_TOKENS: Final = Request("create", "tokenreviews.authentication.k8s.io")
_TOKENS_PATH: Final = "/apis/authentication.k8s.io/v1/tokenreviews"
_RIGHTS: Final = Request("create", "subjectaccessreviews.authorization.k8s.io")
_RIGHTS_PATH: Final = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
_POD_NAME: Final = "authentication.kubernetes.io/pod-name"
_POD_UID: Final = "authentication.kubernetes.io/pod-uid"
_ACCOUNT_PREFIX: Final = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the API server knows by a token."""

    user: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    namespace: str = ""
    """Of a service account, as its name and pod."""
    service_account: str = ""
    pod: str = ""
    """The pod that the token was made for; "" where it was made for none."""
    pod_uid: str = ""


@dataclass(frozen=True, slots=True)
class Right:
    """A verb on a resource, in the words of RBAC; `namespace` "" is the whole cluster."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    subresource: str = ""

    def __str__(self) -> str:
        resource = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        where = f"in namespace {self.namespace}" if self.namespace else "in the whole cluster"
        return f"{self.verb} {resource}.{self.group} {where}"


def review_token(api: Api, token: str, audience: str) -> Identity | str:
    """Who it is, or why the token is not taken. Raises KubeError where that can't be told."""
    spec = {"token": token, "audiences": [audience]}
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
    status = _status(api.post(_TOKENS, _TOKENS_PATH, review))
    if status.get("authenticated") is not True:
        return str(status.get("error") or "it is not a valid token of this cluster")[:300]
    if audience not in (status.get("audiences") or ()):
        return f"it is not for the audience {audience!r}"
    return _identity(status.get("user") or {})


def _identity(user: Mapping[str, Any]) -> Identity:
    name = str(user.get("username", ""))
    extra = {str(key): tuple(map(str, values)) for key, values in (user.get("extra") or {}).items()}
    namespace, _, account = (
        name.removeprefix(_ACCOUNT_PREFIX).partition(":")
        if name.startswith(_ACCOUNT_PREFIX)
        else ("", "", "")
    )
    pod, pod_uid = (extra.get(key, ("",))[0] for key in (_POD_NAME, _POD_UID))
    return Identity(
        user=name,
        uid=str(user.get("uid", "")),
        groups=tuple(map(str, user.get("groups") or ())),
        extra=extra,
        namespace=namespace,
        service_account=account,
        pod=pod if namespace else "",
        pod_uid=pod_uid if namespace else "",
    )


def review_right(api: Api, identity: Identity, right: Right) -> bool:
    """Whether he may. Raises KubeError where that can't be told."""
    resource = {"verb": right.verb, "group": right.group, "resource": right.resource}
    if right.namespace:
        resource["namespace"] = right.namespace
    if right.subresource:
        resource["subresource"] = right.subresource
    spec = {
        "user": identity.user,
        "uid": identity.uid,
        "groups": list(identity.groups),
        "extra": {key: list(values) for key, values in identity.extra.items()},
        "resourceAttributes": resource,
    }
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    return _status(api.post(_RIGHTS, _RIGHTS_PATH, review)).get("allowed") is True


def _status(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    status = answer.get("status")
    return status if isinstance(status, dict) else {}
