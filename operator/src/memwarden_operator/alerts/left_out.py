"""What the Prometheus operator leaves out of what was made for it, and why: it says so in an event of the object. Pure.

It puts together one configuration out of the objects of many, and leaves out those that it can't use: an
AlertmanagerConfig whose Secret is not there, say. Neither Prometheus nor Alertmanager ever hears of them.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from memwarden_kube.apply import MANAGER_CONTROLLER
from memwarden_kube.objects import Object
from memwarden_operator.controller.moments import last_seen, moment

REASON: Final = "InvalidConfiguration"
"""Of its events."""
CLOCKS_DIFFER: Final = timedelta(minutes=1)
"""By so much, at most, the clock of who tells an event from that of who keeps the object."""


def is_on(event: Object, name: str) -> bool:
    """Whether it may be about an object of that name."""
    return bool((event.get("regarding") or {}).get("name") == name)


def why(made: Object, events: Iterable[Object]) -> str:
    """Its last words on the object as we have written it last, or "". What it said of an earlier one is over."""
    times = [
        moment(one["time"])
        for one in made["metadata"].get("managedFields") or ()
        if one.get("manager") == MANAGER_CONTROLLER and one.get("time")
    ]
    since = max(times) - CLOCKS_DIFFER if times else None
    uid = made["metadata"]["uid"]
    of_it = [one for one in events if (one.get("regarding") or {}).get("uid") == uid]
    said = [one for one in of_it if since is None or last_seen(one) >= since]
    return " ".join(str(max(said, key=last_seen).get("note", "")).split()) if said else ""
