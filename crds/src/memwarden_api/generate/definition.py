"""The CustomResourceDefinition of a kind, and its JSON Schema for editors."""

from typing import Any, Final

from memwarden_api import names
from memwarden_api.generate.kinds import Kind
from memwarden_api.generate.structural import Schema, structural

KEEP: Final = {"helm.sh/resource-policy": "keep"}
"""Objects outlive an uninstall of the chart: deleting a CRD deletes all of its objects."""


def schema_of_spec(kind: Kind) -> Schema:
    default: Schema = {"default": {}} if kind.spec_may_be_left_out else {}
    return structural(kind.spec) | {"description": kind.spec_text} | default


def schema_of_status(kind: Kind) -> Schema:
    return structural(kind.status, defaults=False)


def definition(kind: Kind, annotations: dict[str, str]) -> dict[str, Any]:
    """The definition, with annotations of its own."""
    metadata: dict[str, Any] = {"name": f"{kind.plural}.{names.GROUP}"}
    if annotations:
        metadata["annotations"] = annotations
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": metadata,
        "spec": {
            "group": names.GROUP,
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.singular,
                "shortNames": [kind.short],
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
                        {"name": one.name, "type": one.type, "jsonPath": one.path, "description": one.text}
                        for one in kind.columns
                    ],
                    "schema": {
                        "openAPIV3Schema": {
                            "description": kind.description,
                            "type": "object",
                            "properties": {
                                "apiVersion": {"type": "string"},
                                "kind": {"type": "string"},
                                "metadata": {"type": "object"},
                                "spec": schema_of_spec(kind),
                                "status": schema_of_status(kind),
                            },
                            **required(kind),
                        }
                    },
                }
            ],
        },
    }


def json_schema(kind: Kind) -> Schema:
    """For editors and CI without a cluster: misspelt fields are errors, CEL rules are left out."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": kind.kind,
        "description": kind.description,
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", *required(kind).get("required", ())],
        "additionalProperties": False,
        "properties": {
            "apiVersion": {"const": names.API_VERSION},
            "kind": {"const": kind.kind},
            "metadata": {"type": "object"},
            "spec": _closed(schema_of_spec(kind)),
            "status": _closed(schema_of_status(kind)),
        },
    }


def required(kind: Kind) -> dict[str, list[str]]:
    """`spec`, where it can't be left out."""
    return {} if kind.spec_may_be_left_out else {"required": ["spec"]}


def _closed(node: Any) -> Any:
    if isinstance(node, list):
        return [_closed(child) for child in node]
    if not isinstance(node, dict):
        return node
    made = {key: _closed(child) for key, child in node.items() if not key.startswith("x-kubernetes-")}
    if isinstance(node.get("properties"), dict):
        made["additionalProperties"] = False
    return made
