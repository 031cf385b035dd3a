"""Which containers of a pod get a probe, and why the others don't. Init containers never do."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from memwarden_api import names
from memwarden_api.quantities import memory_bytes, quantity
from memwarden_operator.injector.environment import joins, refusal
from memwarden_operator.injector.selection import Choice
from memwarden_operator.injector.skips import Skip

MAX_CONTAINERS: Final = 32
"""As many as a sidecar watches."""
_FOLDERS: Final = (names.PROBES_FOLDER, names.SOCKET_FOLDER)
_COMMAND_WORDS: Final = 4
"""Of command and arguments: `python -m scalene app.py` is recognised, an argument of the app is not."""

Container = Mapping[str, Any]


def eligible(pod: Mapping[str, Any], choice: Choice, environment: str) -> tuple[list[Container], list[Skip]]:
    """Containers to be injected, and why others that were asked for are not."""
    asked_for = [
        container
        for container in pod["spec"]["containers"]
        if not choice.containers or container["name"] in choice.containers
    ]
    chosen, skips = [], []
    for container in asked_for[:MAX_CONTAINERS]:
        skip = _reason(container, choice, environment)
        if skip is None:
            chosen.append(container)
        else:
            skips.append(skip)
    if not asked_for:
        named = ", ".join(choice.containers)
        skips.append(Skip(names.SKIP_NO_CONTAINER, f"the pod has no container called {named}"))
    return chosen, skips


def _reason(container: Container, choice: Choice, environment: str) -> Skip | None:
    return (
        _opted_out(container)
        or _too_small(container, choice.profile.minimum_memory)
        or refusal(container, joins(choice.runtimes, environment))
        or (None if _is_wired(container) else _wired_by_hand(container) or _path_taken(container))
        or _other_profiler(container, choice)
    )


def _opted_out(container: Container) -> Skip | None:
    if _literal(container, names.ENV_DISABLE) == "1":
        return Skip(names.SKIP_OPTED_OUT, f"container {container['name']} has {names.ENV_DISABLE}=1")
    return None


def _too_small(container: Container, minimum: str) -> Skip | None:
    limit = ((container.get("resources") or {}).get("limits") or {}).get("memory")
    if limit is not None and quantity(limit) < memory_bytes(minimum):
        return Skip(
            names.SKIP_CONTAINER_TOO_SMALL,
            f"container {container['name']} has a memory limit of {limit}, below injection.minimumContainerMemory "
            f"({minimum}) of the profile",
        )
    return None


def _is_wired(container: Container) -> bool:
    """It was injected before: it has our volume at its place."""
    ours = (names.CONTAINER_PROBES, names.PROBES_FOLDER)
    mounts = container.get("volumeMounts") or ()
    return any((mount.get("name"), mount.get("mountPath")) == ours for mount in mounts)


def _wired_by_hand(container: Container) -> Skip | None:
    if _literal(container, names.ENV_SOCKET) is None:
        return None
    return Skip(
        names.SKIP_OTHER_PROFILER,
        f"container {container['name']} has {names.ENV_SOCKET} already: it is wired by hand",
    )


def _other_profiler(container: Container, choice: Choice) -> Skip | None:
    words: Sequence[str] = [*(container.get("command") or ()), *(container.get("args") or ())]
    programs = {str(word).rsplit("/", 1)[-1] for word in words[:_COMMAND_WORDS]}
    for runtime in choice.runtimes:
        if found := programs & runtime.other_profilers:
            return Skip(
                names.SKIP_OTHER_PROFILER,
                f"container {container['name']} runs under {min(found)}, which takes the allocator for itself",
            )
    return None


def _path_taken(container: Container) -> Skip | None:
    for mount in container.get("volumeMounts") or ():
        path = str(mount.get("mountPath", "")).rstrip("/")
        # A volume on a folder above ours is fine: ours is mounted below it.
        if any(path == folder or path.startswith(f"{folder}/") for folder in _FOLDERS):
            return Skip(
                names.SKIP_PATH_TAKEN,
                f"container {container['name']} has a volume of its own at {mount['mountPath']}, where ours would be",
            )
    return None


def _literal(container: Container, name: str) -> str | None:
    for variable in container.get("env") or ():
        if variable.get("name") == name:
            return str(variable.get("value", ""))
    return None
