"""Which right a request to the interface needs: one table, from the most to the least special.

What an id names is read off it where it begins with a namespace: pods may only send ids of their own. Where it
doesn't (a run on a laptop, a foreign service), or where the object has to be looked up first, the right has to hold for
the whole cluster. What no line names needs the controller's right: a new route is closed until somebody opens it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from memwarden_collector.access.caller import POST_ALERTS, SNAPSHOTS, WRITE, Need


@dataclass(frozen=True, slots=True)
class OfPod:
    """A sidecar asks for what is its own: the pod's unique id, "" where the route looks it up."""

    uid: str


@dataclass(frozen=True, slots=True)
class Anyone:
    """Whoever was let in; where an object has to be looked up first, its route asks for the right."""


Demand = Need | OfPod | Anyone
_Query = Mapping[str, str]
_Rule = tuple[str, str, Callable[[re.Match[str], _Query], Demand]]
_CONTAINER: Final = re.compile(r"([a-z0-9][-a-z0-9]{0,62})/[^/@]+/[^/@]+@.+", re.DOTALL)
_WORKLOAD: Final = re.compile(r"([a-z0-9][-a-z0-9]{0,62})/[A-Za-z]+/[^/]+/[^/]+")


def _listed(_: re.Match[str], query: _Query) -> Demand:
    return Need("list", namespace=query.get("namespace", ""))


def scope_need(scope: str) -> Need:
    """To see one scope, or what hangs below it."""
    return Need("get", namespace=_namespace(_CONTAINER, scope))


def _one_scope(found: re.Match[str], _: _Query) -> Demand:
    return scope_need(found["id"])


def workload_need(workload: str) -> Need:
    """To see one workload, or a leak of it."""
    return Need("get", namespace=_namespace(_WORKLOAD, workload))


def _one_workload(found: re.Match[str], _: _Query) -> Demand:
    return workload_need(found["id"])


def _namespace(form: re.Pattern[str], name: str) -> str:
    match = form.fullmatch(name)
    return match[1] if match else ""


_LAST: Final = "verdict|judge|series|profiles|recording|flame|growth|sites"
_RULES: Final[tuple[_Rule, ...]] = (
    ("GET", r"/openapi\.json", lambda _, __: Anyone()),
    ("GET", r"/commands/next", lambda _, query: OfPod(query.get("pod_uid", ""))),
    ("POST", r"/commands/[^/]+/result", lambda _, __: OfPod("")),
    # Each of these filters by `namespace`. What doesn't must not be here.
    ("GET", r"/(scopes|verdicts|workloads(/changes)?|leaks|alerts|decisions)", _listed),
    ("POST", r"/alerts", lambda _, __: POST_ALERTS),
    ("GET", r"/cluster/(owners|rollouts|restarts|coverage)", _listed),
    ("GET|POST", rf"/scopes/(?P<id>.+?)/({_LAST})(/.*)?", _one_scope),
    ("GET", r"/workloads/(?P<id>.+)", _one_workload),
    # The route asks: it knows of which scope, workload or pod it is.
    ("GET", r"/(profiles|leaks|commands)/[^/]+", lambda _, __: Anyone()),
    ("GET", r"/evidence/[^/]+(/recording)?", lambda _, __: Anyone()),
    ("GET", r"/evidence", lambda _, query: Need("list", SNAPSHOTS, query.get("namespace", ""))),
    ("GET", r"/events", lambda _, __: Need("list")),
    (
        "GET",
        r"/snapshots/[^/]+",
        lambda _, __: Anyone(),
    ),  # the route asks: who uploads it may know how far it is
    ("GET", r"/snapshots(/.*)?", lambda _, __: Need("get", SNAPSHOTS)),
    ("DELETE", r"/snapshots/[^/]+", lambda _, __: Need("delete", SNAPSHOTS)),
)
_COMPILED: Final = tuple(
    (methods.split("|"), re.compile(path, re.DOTALL), make) for methods, path, make in _RULES
)


def demand(method: str, path: str, query_string: bytes) -> Demand:
    """`path` is what follows /api/v1, decoded."""
    # As the routes read it: of several the last, also an empty one, which filters nothing.
    query = dict(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True))
    method = "GET" if method == "HEAD" else method
    for methods, form, make in _COMPILED:
        if method in methods and (found := form.fullmatch(path)) is not None:
            return make(found, query)
    return WRITE
