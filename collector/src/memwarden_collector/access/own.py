"""A pod may only report about itself: whose a resource is, compared with whose token brought it.

Its unique id and namespace have to be the caller's, and so have the names that people read, and the scope: another
pod's scope would otherwise be judged by what this one says.
"""

from collections.abc import Sequence

from memwarden_api import names
from memwarden_api.scopes import is_scope_of_pod
from memwarden_collector.access.caller import Pod
from memwarden_collector.batch import ResourceBlock

REASON = "not_own"


def strangers(pod: Pod, blocks: Sequence[ResourceBlock]) -> list[ResourceBlock]:
    """Those that are not about this pod."""
    return [block for block in blocks if not _is_own(pod, block)]


def _is_own(pod: Pod, block: ResourceBlock) -> bool:
    attributes, identity = block.attributes, block.identity
    if attributes.get(names.K8S_POD_UID) != pod.uid or attributes.get(names.K8S_NAMESPACE) != pod.namespace:
        return False
    if attributes.get(names.K8S_POD, pod.name) != pod.name:
        return False
    if identity.kind == names.SCOPE_KIND_CONTAINER:
        return is_scope_of_pod(identity.scope, pod.namespace, pod.name, pod.uid)
    # A foreign resource's scope ends in its pod's name; a run belongs to a laptop.
    return identity.kind != names.SCOPE_KIND_RUN and names.K8S_POD in attributes
