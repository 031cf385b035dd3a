"""Why a pod, or one of its containers, is left alone; each reason with what docs/reference/injection.md says of it."""

from dataclasses import dataclass
from typing import Final

from memwarden_api import names


@dataclass(frozen=True, slots=True)
class Skip:
    """Not injected: `reason` for programs, `message` for people, with what to do."""

    reason: str
    message: str

    @property
    def is_told(self) -> bool:
        """Whether anybody wants to know: nobody asked for the others, or the user said no."""
        return self.reason not in SILENT


SILENT: Final = frozenset({names.SKIP_NOT_ASKED_FOR, names.SKIP_OPTED_OUT, names.SKIP_INJECTION_OFF})
"""Counted, but no event and no warning."""

MEANINGS: Final = {
    names.SKIP_NOT_ASKED_FOR: "nobody asks for this pod: neither pod nor namespace opts in, or no profile selects it",
    names.SKIP_OPTED_OUT: f'`{names.INJECT}: "false"` on the pod, or on the namespace and nothing on the pod',
    names.SKIP_INJECTION_OFF: "its profile has `injection.mode: Off`",
    names.SKIP_NO_PROFILE: "the pod asks to be watched, and no MemoryProfile of its namespace selects it",
    names.SKIP_PROFILE_NOT_FOUND: f"the profile that `{names.PROFILE}` names does not exist in the namespace",
    names.SKIP_SEVERAL_PROFILES: f"several profiles select it, and `{names.PROFILE}` does not say which counts",
    names.SKIP_INJECTION_STOPPED: "pods of this workload did not start or live with it, so the controller stopped it "
    "(`status.injectionStopped` of the profile)",
    names.SKIP_NAMESPACE_EXCLUDED: "the installation leaves this namespace alone",
    names.SKIP_HOST_NETWORK: "the pod is in its node's network, and its profile does not say `injection.hostNetwork`",
    names.SKIP_WINDOWS: "there are no probes for Windows",
    names.SKIP_NO_CONTAINER: "none of the pod's containers has a name that is asked for",
    names.SKIP_CONTAINER_TOO_SMALL: "the container's memory limit is below `injection.minimumContainerMemory`",
    names.SKIP_NO_MATCHING_RUNTIME: "there is no probe for the runtime that is asked for",
    names.SKIP_VALUE_FROM: "the container takes the variable that we must set from elsewhere (`valueFrom`): what it "
    "would be joined with is not known",
    names.SKIP_OTHER_PROFILER: "another tool has the container's allocator, or the container is "
    "wired to Memwarden by hand",
    names.SKIP_NAME_TAKEN: "the pod has a container or volume of its own by one of our names",
    names.SKIP_PATH_TAKEN: "the container has something of its own where our folders would be",
    names.SKIP_NAMESPACE_LIMITS: "a LimitRange or ResourceQuota of the namespace has no room for the sidecar",
    names.SKIP_POD_TOO_LARGE: "the pod would become larger than the API server stores",
}
