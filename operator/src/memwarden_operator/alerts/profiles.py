"""Which profiles a policy is about, where it chooses them by labels. Pure.

Series carry profiles' names, not their labels: the names that are chosen now go into the expressions, and are written
anew when that changes.
"""

from collections.abc import Iterable
from typing import Final

from memwarden_api.v1alpha1 import MemoryAlertPolicy, MemoryProfile
from memwarden_operator.injector.selector import Selector

NOBODY: Final = "-"
"""No profile can be called so: a rule about none must not become one about all."""


def resolved(policy: MemoryAlertPolicy, profiles: Iterable[MemoryProfile]) -> MemoryAlertPolicy:
    """With the names of those of its namespace that are chosen; as it is where it chooses by names."""
    if policy.spec.profile_selector is None:
        return policy
    selector = Selector.of(policy.spec.profile_selector.to_cluster())
    names = sorted(one.metadata.name for one in profiles if selector.matches(one.metadata.labels))
    spec = policy.spec.model_copy(update={"profiles": tuple(names or (NOBODY,))})
    return policy.model_copy(update={"spec": spec})


def is_about_nobody(policy: MemoryAlertPolicy) -> bool:
    """Of one that is resolved."""
    return policy.spec.profiles == (NOBODY,)
