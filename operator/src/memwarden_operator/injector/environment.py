"""The variables of a container: what is added, what is joined with the user's own, and what can't be."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from memwarden_api import names
from memwarden_operator.injector.installation import PRELOAD
from memwarden_operator.injector.runtimes import Join, Runtime
from memwarden_operator.injector.skips import Skip

LOADER: Final = f"{names.PROBES_FOLDER}/lib/memwarden-preload.so"
PRELOAD_JOIN: Final = Join(names.ENV_PRELOAD, LOADER, first=False, expands=False)
"""After the user's: an allocator or sanitizer of theirs must come first."""
_SOCKET: Final = f"{names.SOCKET_FOLDER}/probe.sock"

Variable = dict[str, Any]


def additions(container: str, runtimes: Iterable[Runtime], environment: str) -> list[Variable]:
    """Variables that are ours alone."""
    ours = {names.ENV_SOCKET: _SOCKET, names.ENV_CONTAINER: container}
    if environment == PRELOAD:
        for runtime in runtimes:
            ours.update(runtime.by_loader)
    return [{"name": name, "value": value} for name, value in ours.items()]


def joins(runtimes: Iterable[Runtime], environment: str) -> tuple[Join, ...]:
    """Variables that may be the user's, too."""
    if environment == PRELOAD:
        return (PRELOAD_JOIN,)
    return tuple(join for runtime in runtimes for join in runtime.by_variables)


def refusal(container: Mapping[str, Any], wanted: Iterable[Join]) -> Skip | None:
    """Why a variable of the container can't be joined."""
    for join in wanted:
        present = _last(container, join.variable)
        if present is not None and present.get("valueFrom"):
            return Skip(
                names.SKIP_VALUE_FROM,
                f"container {container['name']} takes {join.variable} by valueFrom, so that we can't add to it; write "
                f"it as a value, or opt the container out by the annotation {names.CONTAINERS}",
            )
    return None


def joined(container: Mapping[str, Any], join: Join) -> Variable:
    """The variable with our entry; unchanged where it has it already."""
    present = _last(container, join.variable)
    theirs = (present or {}).get("value") or ""
    if present is None and join.expands and container.get("envFrom"):
        theirs = f"$({join.variable})"
    if join.entry in theirs.replace(" ", join.separator).split(join.separator):
        return {"name": join.variable, "value": theirs}
    parts = (join.entry, theirs) if join.first else (theirs, join.entry)
    return {"name": join.variable, "value": join.separator.join(part for part in parts if part)}


def preloads_itself(container: Mapping[str, Any], join: Join) -> bool:
    """Whether the spec sets the variable to something else than our entry."""
    value = str((_last(container, join.variable) or {}).get("value") or "")
    return any(
        part != join.entry for part in value.replace(" ", join.separator).split(join.separator) if part
    )


def _last(container: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """The entry that counts: of two by one name the later."""
    found = None
    for variable in container.get("env") or ():
        if variable.get("name") == name:
            found = variable
    return found
