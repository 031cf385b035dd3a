"""The kinds of `memwarden.dev/v1alpha1`: the only source of CRDs, JSON Schema and reference pages."""

from memwarden_api.v1alpha1.alert_policy import MemoryAlertPolicy, MemoryAlertPolicySpec
from memwarden_api.v1alpha1.alert_policy_status import MemoryAlertPolicyStatus
from memwarden_api.v1alpha1.conditions import Condition
from memwarden_api.v1alpha1.heap_snapshot import HeapSnapshot, HeapSnapshotSpec, HeapSnapshotStatus
from memwarden_api.v1alpha1.profile import MemoryProfile, MemoryProfileSpec
from memwarden_api.v1alpha1.profile_status import MemoryProfileStatus

__all__ = [
    "Condition",
    "HeapSnapshot",
    "HeapSnapshotSpec",
    "HeapSnapshotStatus",
    "MemoryAlertPolicy",
    "MemoryAlertPolicySpec",
    "MemoryAlertPolicyStatus",
    "MemoryProfile",
    "MemoryProfileSpec",
    "MemoryProfileStatus",
]
