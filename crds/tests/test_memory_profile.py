"""A MemoryProfile as users write it: what is taken, what is refused and by which name, and what the CRD is made of."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from memwarden_api import names
from memwarden_api.generate.definition import definition, json_schema
from memwarden_api.generate.kinds import KINDS, Kind
from memwarden_api.generate.yaml_text import yaml_text
from memwarden_api.quantities import duration_seconds, memory_bytes, quantity
from memwarden_api.v1alpha1 import Condition, HeapSnapshot, MemoryAlertPolicy, MemoryProfile
from memwarden_api.v1alpha1.fields import Object

FOLDER = Path(__file__).parent
CASES = {
    model: yaml.safe_load((FOLDER / f"{model.__name__.lower()}_cases.yaml").read_text())
    for model in (MemoryProfile, MemoryAlertPolicy, HeapSnapshot)
}


def cases(which: str) -> list[Any]:
    return [
        pytest.param(model, case, id=f"{model.__name__}-{name}")
        for model, table in CASES.items()
        for name, case in table[which].items()
    ]


def profile(spec: Any) -> dict[str, Any]:
    return {"apiVersion": "memwarden.dev/v1alpha1", "metadata": {"name": "shop"}, "spec": spec}


@pytest.mark.parametrize(("model", "spec"), cases("valid"))
def test_what_is_right_is_taken_and_written_back(model: type[Object], spec: Any) -> None:
    read = model.model_validate(profile(spec))
    assert model.model_validate(read.to_cluster()) == read


@pytest.mark.parametrize(("model", "wrong"), cases("invalid"))
def test_what_is_wrong_is_refused_by_the_name_of_its_field(model: type[Object], wrong: Any) -> None:
    with pytest.raises(ValidationError) as refusal:
        model.model_validate(profile(wrong["spec"]))
    said = [(path(error["loc"]), error["msg"]) for error in refusal.value.errors()]
    assert any(where.endswith(wrong["field"]) and wrong.get("refused", "") in text for where, text in said), (
        said
    )


def path(location: tuple[str | int, ...]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".")


def test_a_newer_version_s_fields_are_left_out_and_the_rest_is_read() -> None:
    newer = profile({"sampling": {"interval": "5s", "moon": "full"}, "tides": {}}) | {
        "status": {"phase": "x"}
    }
    newer["metadata"]["managedFields"] = [{}]
    assert MemoryProfile.from_cluster(newer).spec.sampling.interval == "5s"
    with pytest.raises(ValidationError, match="moon"):
        MemoryProfile.model_validate(newer)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_every_list_map_and_text_of_the_definition_has_a_bound_and_every_field_a_description(
    kind: Kind,
) -> None:
    unbounded, undescribed = [], []
    for where, node in nodes(schema(kind)):
        kind = node.get("type")
        bounded = {"array": "maxItems", "string": "maxLength"}.get(kind or "")
        if "additionalProperties" in node:
            bounded = "maxProperties"
        if bounded and bounded not in node and "enum" not in node and node.get("format") != "date-time":
            unbounded.append(where)
        if node.get("x-kubernetes-int-or-string") and "maxLength" not in node:
            unbounded.append(where)
        if not node.get("description") and not where.endswith(("[]", "{}")):
            undescribed.append(where)
    assert (unbounded, undescribed) == ([], [])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_the_definition_is_structural(kind: Kind) -> None:
    text = yaml_text(definition(kind, {}))
    assert "$ref" not in text
    assert "exclusive" not in text  # a number in JSON Schema, true or false in a definition
    for where, node in nodes(schema(kind)):
        assert ("type" in node) != bool(node.get("x-kubernetes-int-or-string")), where
        assert not ("properties" in node and "additionalProperties" in node), where


def nodes(node: dict[str, Any], where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield where, node
    for name, child in node.get("properties", {}).items():
        if where or name in ("spec", "status"):
            yield from nodes(child, f"{where}.{name}")
    if "items" in node:
        yield from nodes(node["items"], f"{where}[]")
    if "additionalProperties" in node:
        yield from nodes(node["additionalProperties"], f"{where}{{}}")


def schema(kind: Kind) -> dict[str, Any]:
    [version] = definition(kind, {})["spec"]["versions"]
    return version["schema"]["openAPIV3Schema"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_the_yaml_that_is_written_says_what_it_was_made_from(kind: Kind) -> None:
    for value in (
        definition(kind, {"helm.sh/resource-policy": "keep"}),
        json_schema(kind),
        {"a": [[1, "off"], {"b": []}]},
    ):
        assert yaml.safe_load(yaml_text(value)) == value


def test_conditions_are_those_that_have_a_name() -> None:
    told = set(Condition.model_fields["type"].description.split(", "))  # type: ignore[union-attr]
    assert told == {value for name, value in vars(names).items() if name.startswith("CONDITION_")}


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("100m", 0.1), ("1e3", 1e3), ("1E3", 1e3), ("2E", 2e18), ("1Ei", 2**60), ("0.5Gi", 2**29), (3, 3)],
)  # fmt: skip
def test_quantities_are_read_as_kubernetes_reads_them(text: str | int, value: float) -> None:
    assert quantity(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "Mi", "1 Mi", "1MB", "--1", "1e", "٣"])
def test_what_is_no_quantity_is_an_error_of_one_kind(text: str) -> None:
    with pytest.raises(ValueError):
        quantity(text)
    with pytest.raises(ValueError):
        memory_bytes(text)


def test_durations_add_up_their_parts() -> None:
    assert duration_seconds("1h1m1s500ms") == 3661.5
    for text in ("", "5", "s", "1s1m", "-1s", "1.5s"):
        with pytest.raises(ValueError):
            duration_seconds(text)
