"""pod, profile, installation → patch, or a reason. Pure: the same input gives the same patch.

Additive: what the user wrote stays, but for the variables that a runtime takes a list in, to which an entry is joined.
Idempotent: a pod that has what it would get is not changed. The annotation names.INJECTION says by a hash what was
done. Where it says the same, only what is missing is added: others may have changed our parts meanwhile, and the API
server fills in defaults. Where it says something else (a pod made from another's live manifest), they are made anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from memwarden_api import names
from memwarden_operator.injector.containers import Container, eligible
from memwarden_operator.injector.environment import additions, joined, joins
from memwarden_operator.injector.image_environment import lookers
from memwarden_operator.injector.installation import PRELOAD, Installation
from memwarden_operator.injector.namespace_limits import NONE, NamespaceLimits
from memwarden_operator.injector.parts import OUR_VOLUMES, Object, Parts, mounts_of, parts
from memwarden_operator.injector.patch import Operation, Patch, pointer
from memwarden_operator.injector.resources import is_guaranteed, of_looker, of_sidecar
from memwarden_operator.injector.selection import Choice
from memwarden_operator.injector.skips import Skip

AUTO: Final = "Auto"
LABEL_LENGTH: Final = 63
_WINDOWS: Final = "windows"


@dataclass(frozen=True, slots=True)
class Injected:
    """What to do to the pod; no operation where it has everything."""

    operations: list[Operation]
    left_out: tuple[Skip, ...]
    """Containers that were asked for, and are not watched."""


def inject(
    pod: Mapping[str, Any],
    choice: Choice,
    installation: Installation,
    limits: NamespaceLimits = NONE,
) -> Injected | Skip:
    """The pod is as admission shows it: with a namespace in its metadata, defaults filled in."""
    is_ours = names.INJECTION in (pod["metadata"].get("annotations") or {})
    if (skip := _whole_pod(pod, choice, is_ours)) is not None:
        return skip
    environment = choice.profile.environment
    environment = installation.environment if environment == AUTO else environment
    chosen, left_out = eligible(pod, choice, environment)
    if not chosen:
        return left_out[0]
    spec = pod["spec"]
    init_containers = [
        one for one in spec.get("initContainers") or () if one["name"] not in names.OUR_CONTAINERS
    ]
    guaranteed = is_guaranteed([*spec["containers"], *init_containers])
    resources = of_sidecar(choice.profile, spec["containers"], guaranteed, limits)
    if isinstance(resources, Skip):
        return resources
    looker_resources = of_looker(chosen)
    if spec.get("resources"):
        # Resources of the pod as a whole bound all containers; ours would have to fit in between.
        resources, looker_resources = {}, {}
    called = [container["name"] for container in chosen]
    made = parts(pod, choice.profile, installation, called, resources)
    looking = lookers(chosen, looker_resources) if environment == PRELOAD else []
    operations = _patch(pod, chosen, made, looking, choice, installation, environment)
    return Injected(operations, tuple(left_out))


def _whole_pod(pod: Mapping[str, Any], choice: Choice, is_ours: bool) -> Skip | None:
    """What stands against the pod as a whole."""
    spec, namespace = pod["spec"], pod["metadata"].get("namespace", "")
    node = spec.get("nodeSelector") or {}
    if (spec.get("os") or {}).get("name") == _WINDOWS or node.get("kubernetes.io/os") == _WINDOWS:
        return Skip(names.SKIP_WINDOWS, "there are no probes for Windows")
    if spec.get("hostNetwork") and not choice.profile.host_network:
        return Skip(
            names.SKIP_HOST_NETWORK,
            f"the pod is in its node's network; set injection.hostNetwork in MemoryProfile {namespace}/"
            f"{choice.profile.name} to watch such pods",
        )
    return None if is_ours else _name_taken(spec)


def _name_taken(spec: Mapping[str, Any]) -> Skip | None:
    containers = [*spec["containers"], *(spec.get("initContainers") or ())]
    taken = [one["name"] for one in containers if one["name"] in names.OUR_CONTAINERS]
    taken += [one["name"] for one in spec.get("volumes") or () if one["name"] in OUR_VOLUMES]
    if taken:
        return Skip(
            names.SKIP_NAME_TAKEN,
            f"the pod has a container or volume {taken[0]!r} of its own, which is a name of ours; rename it",
        )
    return None


def _patch(
    pod: Mapping[str, Any],
    chosen: Sequence[Container],
    made: Parts,
    looking: Sequence[Object],
    choice: Choice,
    installation: Installation,
    environment: str,
) -> list[Operation]:
    spec, metadata = pod["spec"], pod["metadata"]
    called = {container["name"] for container in chosen}
    done = f"{installation.version} {_hash(sorted(called), made, looking, choice, environment)}"
    keep = (metadata.get("annotations") or {}).get(names.INJECTION) == done
    patch = Patch(keep=keep)
    for place, container in enumerate(spec["containers"]):
        if container["name"] in called:
            _patch_container(patch, pointer("spec", "containers", place), container, choice, environment)
    patch.set_items("/spec/volumes", spec.get("volumes"), made.volumes)
    present = spec.get("initContainers") or []
    patch.set_list("/spec/initContainers", present, _with_ours(present, [made.sidecar, *looking], keep))
    annotations = {names.INJECTION: done} | ({names.TRUST: installation.trust} if installation.trust else {})
    patch.set_entries("/metadata/annotations", metadata.get("annotations"), annotations)
    label = {names.INJECTED: choice.profile.name[:LABEL_LENGTH].rstrip("-.")}
    patch.set_entries("/metadata/labels", metadata.get("labels"), label)
    return patch.operations


def _with_ours(present: list[Object], ours: Sequence[Object], keep: bool) -> list[Object]:
    """The user's init containers, then ours in their order: what looks at an image is a file that the sidecar copies.

    What another version of us has put there goes. `keep`: what is there by name is good as it is."""
    there = {one["name"]: one for one in present}
    if keep and all(one["name"] in there for one in ours):
        return present
    users = [one for one in present if one["name"] not in names.OUR_CONTAINERS]
    return users + [there.get(one["name"], one) if keep else one for one in ours]


def _patch_container(patch: Patch, at: str, container: Container, choice: Choice, environment: str) -> None:
    name = container["name"]
    variables = [
        *additions(name, choice.runtimes, environment),
        *(joined(container, join) for join in joins(choice.runtimes, environment)),
    ]
    patch.set_items(f"{at}/env", container.get("env"), variables, always=True)
    patch.set_items(f"{at}/volumeMounts", container.get("volumeMounts"), mounts_of(name), key="mountPath")


def _hash(
    called: Sequence[str], made: Parts, looking: Sequence[Object], choice: Choice, environment: str
) -> str:
    said = repr((called, made.digest, looking, [runtime.name for runtime in choice.runtimes], environment))
    return blake2b(said.encode(), digest_size=8).hexdigest()


__all__ = ["Injected", "inject"]
