"""The CustomResourceDefinition of MemoryProfile, and its JSON Schema for editors."""

from typing import Any, Final

from memwarden_api import names
from memwarden_api.generate.structural import Schema, structural
from memwarden_api.v1alpha1 import MemoryProfileSpec, MemoryProfileStatus

SINGULAR: Final = "memoryprofile"
SHORT_NAME: Final = "memprof"
DESCRIPTION: Final = (
    "A MemoryProfile says which pods of its namespace are watched, and how; its status says what came of it."
)
KEEP: Final = {"helm.sh/resource-policy": "keep"}
"""Profiles outlive an uninstall of the chart: deleting a CRD deletes all of its objects."""

# name, type, JSONPath, description
COLUMNS: Final = (
    (
        "Ready",
        "string",
        '.status.conditions[?(@.type=="Ready")].status',
        "Whether all is as it was asked for",
    ),
    ("Matched", "integer", ".status.coverage.matched", "Pods that are selected"),
    ("Reporting", "integer", ".status.coverage.reporting", "Pods that send data"),
    ("Leaks", "integer", ".status.leaks", "Workloads that leak"),
    ("Next OOM", "string", ".status.nextOutOfMemory", "When the first container will meet its limit"),
    ("Age", "date", ".metadata.creationTimestamp", "Since when the profile is there"),
)


def schema_of_spec() -> Schema:
    return structural(MemoryProfileSpec) | {"description": "What to watch, and how.", "default": {}}


def schema_of_status() -> Schema:
    return structural(MemoryProfileStatus, defaults=False)


def memory_profile(annotations: dict[str, str]) -> dict[str, Any]:
    """The definition, with annotations of its own."""
    metadata: dict[str, Any] = {"name": f"{names.PLURAL_PROFILE}.{names.GROUP}"}
    if annotations:
        metadata["annotations"] = annotations
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": metadata,
        "spec": {
            "group": names.GROUP,
            "names": {
                "kind": names.KIND_PROFILE,
                "listKind": f"{names.KIND_PROFILE}List",
                "plural": names.PLURAL_PROFILE,
                "singular": SINGULAR,
                "shortNames": [SHORT_NAME],
                "categories": ["memwarden"],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": names.VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        {"name": name, "type": kind, "jsonPath": path, "description": text}
                        for name, kind, path, text in COLUMNS
                    ],
                    "schema": {
                        "openAPIV3Schema": {
                            "description": DESCRIPTION,
                            "type": "object",
                            "properties": {
                                "apiVersion": {"type": "string"},
                                "kind": {"type": "string"},
                                "metadata": {"type": "object"},
                                "spec": schema_of_spec(),
                                "status": schema_of_status(),
                            },
                        }
                    },
                }
            ],
        },
    }


def json_schema() -> Schema:
    """For editors and CI without a cluster: misspelt fields are errors, CEL rules are left out."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": names.KIND_PROFILE,
        "description": DESCRIPTION,
        "type": "object",
        "required": ["apiVersion", "kind", "metadata"],
        "additionalProperties": False,
        "properties": {
            "apiVersion": {"const": names.API_VERSION},
            "kind": {"const": names.KIND_PROFILE},
            "metadata": {"type": "object"},
            "spec": _closed(schema_of_spec()),
            "status": _closed(schema_of_status()),
        },
    }


def _closed(node: Any) -> Any:
    if isinstance(node, list):
        return [_closed(child) for child in node]
    if not isinstance(node, dict):
        return node
    made = {key: _closed(child) for key, child in node.items() if not key.startswith("x-kubernetes-")}
    if isinstance(node.get("properties"), dict):
        made["additionalProperties"] = False
    return made
