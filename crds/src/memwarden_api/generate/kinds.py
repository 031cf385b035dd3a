"""Our kinds: each with its names, models, columns and example. What is generated is generated for each of them."""

from dataclasses import dataclass
from typing import Final

from memwarden_api import names
from memwarden_api.v1alpha1 import (
    HeapSnapshotSpec,
    HeapSnapshotStatus,
    MemoryAlertPolicySpec,
    MemoryAlertPolicyStatus,
    MemoryProfileSpec,
    MemoryProfileStatus,
)
from memwarden_api.v1alpha1.fields import Object

_PROFILE_EXAMPLE: Final = """\
```yaml
apiVersion: memwarden.dev/v1alpha1
kind: MemoryProfile
metadata: {name: shop, namespace: shop}
spec:
  selector: {matchLabels: {app.kubernetes.io/part-of: shop}}
  sampling: {interval: 15s}
```
"""


@dataclass(frozen=True, slots=True)
class Column:
    """One that `kubectl get` shows."""

    name: str
    type: str
    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Kind:
    """One namespaced kind with a status of its own."""

    kind: str
    plural: str
    short: str
    description: str
    about: str
    """The reference page's first sentences."""
    example: str
    """Markdown, with its fences."""
    example_note: str
    spec: type[Object]
    status: type[Object]
    spec_text: str
    columns: tuple[Column, ...]
    spec_may_be_left_out: bool = True

    @property
    def singular(self) -> str:
        return self.kind.lower()


AGE: Final = Column("Age", "date", ".metadata.creationTimestamp", "Since when it is there")

MEMORY_PROFILE: Final = Kind(
    kind=names.KIND_PROFILE,
    plural=names.PLURAL_PROFILE,
    short="memprof",
    description="A MemoryProfile says which pods of its namespace are watched, and how; its status says what came of "
    "it.",
    about="Says which pods of its namespace are watched, and how; its status says what came of it. What is done to a "
    "pod, and which profile a pod gets: injection.md.",
    example=_PROFILE_EXAMPLE,
    example_note="Every field may be left out: `spec: {}` watches the pods of the namespace that ask for it.",
    spec=MemoryProfileSpec,
    status=MemoryProfileStatus,
    spec_text="What to watch, and how.",
    columns=(
        Column(
            "Ready",
            "string",
            '.status.conditions[?(@.type=="Ready")].status',
            "Whether all is as it was asked for",
        ),
        Column("Matched", "integer", ".status.coverage.matched", "Pods that are selected"),
        Column("Reporting", "integer", ".status.coverage.reporting", "Pods that send data"),
        Column("Leaks", "integer", ".status.leaks", "Workloads that leak"),
        Column(
            "Next OOM", "string", ".status.nextOutOfMemory", "When the first container will meet its limit"
        ),
        AGE,
    ),
)
_ALERT_EXAMPLE: Final = """\
```yaml
apiVersion: memwarden.dev/v1alpha1
kind: MemoryAlertPolicy
metadata: {name: shop, namespace: shop}
spec:
  rules:
    - {name: leaks, verdict: Leaking, severity: Critical, for: 1m}
    - {name: soon-out-of-memory, oomWithin: 30m, severity: Critical}
    - {name: nearly-full, usageAboveRatio: 0.9}
  receivers:
    - {name: chat, slack: {url: {name: slack, key: url}}}
```
"""
MEMORY_ALERT_POLICY: Final = Kind(
    kind=names.KIND_ALERT_POLICY,
    plural=names.PLURAL_ALERT_POLICY,
    short="memalert",
    description="A MemoryAlertPolicy says when to alert on the memory of its namespace's workloads, and who hears of "
    "it; its status says whether Prometheus and Alertmanager have taken it.",
    about="Says when to alert on the memory of its namespace's workloads, and who hears of it; its status says whether "
    "Prometheus and Alertmanager have taken it. How to set it up: ../guide/alerts.md.",
    example=_ALERT_EXAMPLE,
    example_note="Secrets are named by name and key, in the policy's namespace; a value never stands in a policy.",
    spec=MemoryAlertPolicySpec,
    status=MemoryAlertPolicyStatus,
    spec_text="When to alert, and who hears of it.",
    spec_may_be_left_out=False,
    columns=(
        Column(
            "Accepted",
            "string",
            ".status.accepted",
            "Whether Prometheus and Alertmanager have loaded it: Yes, No, Unknown",
        ),
        Column(
            "Rules",
            "string",
            f'.status.conditions[?(@.type=="{names.CONDITION_RULES_ACCEPTED}")].reason',
            "What Prometheus says of its rules",
        ),
        Column(
            "Routes",
            "string",
            f'.status.conditions[?(@.type=="{names.CONDITION_ROUTES_ACCEPTED}")].reason',
            "What Alertmanager says of its routes",
        ),
        AGE,
    ),
)
_SNAPSHOT_EXAMPLE: Final = """\
```yaml
apiVersion: memwarden.dev/v1alpha1
kind: HeapSnapshot
metadata: {name: web-leaks, namespace: shop}
spec:
  workload: {kind: Deployment, name: web}
```
"""
HEAP_SNAPSHOT: Final = Kind(
    kind=names.KIND_SNAPSHOT,
    plural=names.PLURAL_SNAPSHOT,
    short="heapsnap",
    description="A HeapSnapshot has evidence of one pod's memory taken, once; its status says how far it is, or why "
    "it can't be had, and where to get it.",
    about="Has evidence of one pod's memory taken, once; its status says how far it is, or why it can't be had, and "
    "where to get it. How to use it: ../guide/evidence.md.",
    example=_SNAPSHOT_EXAMPLE,
    example_note="A spec can't be changed. Object and data are deleted when `ttl` is over, data too when the object is "
    "deleted.",
    spec=HeapSnapshotSpec,
    status=HeapSnapshotStatus,
    spec_text="Of what it is taken.",
    spec_may_be_left_out=False,
    columns=(
        Column(
            "Phase", "string", ".status.phase", "How far it is: Pending, Capturing, Done, Refused, Failed"
        ),
        Column("Reason", "string", ".status.reason", "Why"),
        Column("Pod", "string", ".status.pod", "The pod that it is of"),
        Column("Size", "integer", ".status.size", "Bytes"),
        AGE,
    ),
)
KINDS: Final = (MEMORY_PROFILE, MEMORY_ALERT_POLICY, HEAP_SNAPSHOT)
