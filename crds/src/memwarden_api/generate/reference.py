"""docs/reference/KIND.md: every field with type, default, bounds and meaning; columns; rules."""

from collections.abc import Iterator
from typing import Any

from memwarden_api import names
from memwarden_api.generate.definition import schema_of_spec, schema_of_status
from memwarden_api.generate.kinds import Kind
from memwarden_api.generate.structural import Schema


def page(kind: Kind) -> str:
    return "\n".join(_lines(kind)) + "\n"


def _lines(kind: Kind) -> Iterator[str]:
    yield "<!-- Made from crds/src/memwarden_api/v1alpha1 by `make generate`. Never edit by hand. -->"
    yield f"# {kind.kind}"
    yield ""
    yield f"`{names.API_VERSION}`, namespaced, short name `{kind.short}`. {kind.about}"
    yield ""
    yield kind.example
    yield kind.example_note
    for title, schema in (("spec", schema_of_spec(kind)), ("status", schema_of_status(kind))):
        yield ""
        yield f"## {title}"
        yield "| field | type | default | |"
        yield "|---|---|---|---|"
        yield from _rows(schema, title)
    rules = list(_rules(schema_of_spec(kind), "spec"))
    if rules:
        yield ""
        yield "## Rules between fields"
        yield "The API server refuses what breaks one, and says this:"
        yield ""
        yield from (f"- `{path}`: {message}" for path, message in rules)
    yield ""
    yield f"## Columns of `kubectl get {kind.short}`"
    yield "| column | from | |"
    yield "|---|---|---|"
    yield from (f"| {one.name} | `{one.path}` | {one.text} |" for one in kind.columns)


def _rows(schema: Schema, path: str) -> Iterator[str]:
    for name, child in schema.get("properties", {}).items():
        here = f"{path}.{name}"
        inner = child.get("items", child)
        below = inner.get("properties")
        default = "" if below or "default" not in child else f"`{_plain(child['default'])}`"
        text = child.get("description", "").replace("|", "\\|")
        yield f"| `{here}` | {_type(child)} | {default} | {text} |"
        if below:
            yield from _rows(inner, f"{here}[]" if "items" in child else here)


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _type(schema: Schema) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return "quantity"
    if "items" in schema:
        return f"list of {_type(schema['items'])}, at most {schema['maxItems']}"
    if "additionalProperties" in schema:
        return f"map, at most {schema['maxProperties']}"
    if schema.get("format") == "date-time":
        return "time"
    return str(schema.get("type", ""))


def _rules(schema: Schema, path: str) -> Iterator[tuple[str, str]]:
    yield from ((path, rule["message"]) for rule in schema.get("x-kubernetes-validations", ()))
    for name, child in schema.get("properties", {}).items():
        yield from _rules(child, f"{path}.{name}")
    if "items" in schema:
        yield from _rules(schema["items"], f"{path}[]")
