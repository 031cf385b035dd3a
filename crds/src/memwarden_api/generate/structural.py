"""A structural schema of a model, as CRDs need it: no `$ref`, no `anyOf` with null, every default where it is obeyed.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
"""

from typing import Any, Final

from pydantic import BaseModel

Schema = dict[str, Any]

_LEFT_OUT: Final = ("$defs", "title", "additionalProperties", "propertyNames", "const", "default")
_FORMATS: Final = {"integer": "int64", "number": "double"}


def structural(model: type[BaseModel], *, defaults: bool = True) -> Schema:
    """The schema of an object of the model. Without defaults for what a controller writes."""
    source = model.model_json_schema(by_alias=True)
    return _node(source, source.get("$defs", {}), defaults)


def _node(source: Schema, definitions: dict[str, Schema], defaults: bool) -> Schema:
    source = _without_null(_resolved(source, definitions), definitions)
    made: Schema = {key: value for key, value in source.items() if key not in _LEFT_OUT}
    if "const" in source:
        made["enum"] = [source["const"]]
    if source.get("x-kubernetes-int-or-string"):
        del made["type"]
        made["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    if made.get("type") in _FORMATS:
        made["format"] = _FORMATS[made["type"]]
    if "properties" in source:
        made["properties"] = {
            name: _node(child, definitions, defaults) for name, child in source["properties"].items()
        }
    elif isinstance(source.get("additionalProperties"), dict):
        made["additionalProperties"] = _node(source["additionalProperties"], definitions, defaults)
    if "items" in source:
        made["items"] = _node(source["items"], definitions, defaults)
    if defaults and source.get("default") not in (None, [], ""):
        made["default"] = {} if "properties" in source else source["default"]
    return made


def _resolved(source: Schema, definitions: dict[str, Schema]) -> Schema:
    if "$ref" not in source:
        return source
    target = definitions[source["$ref"].rsplit("/", 1)[-1]]
    return _resolved(target, definitions) | {key: value for key, value in source.items() if key != "$ref"}


def _without_null(source: Schema, definitions: dict[str, Schema]) -> Schema:
    choices = [choice for choice in source.get("anyOf", ()) if choice.get("type") != "null"]
    if len(choices) != 1:
        return source
    rest = {key: value for key, value in source.items() if key != "anyOf"}
    return _resolved(choices[0], definitions) | rest
