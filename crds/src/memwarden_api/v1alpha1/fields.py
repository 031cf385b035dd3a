"""What fields of our kinds are made of: the base of all objects, texts with bounds, quantities, durations, rules.

A rule is written once and obeyed twice: its CEL stands in the CRD, its function is called by the model. The table of
cases in crds/tests runs both.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, core_schema

from memwarden_api.quantities import (
    CPU_PATTERN,
    DURATION_PATTERN,
    MEMORY_PATTERN,
    TEXT_LENGTH,
    cpu_cores,
    duration_seconds,
    memory_bytes,
)


@dataclass(frozen=True)
class Rule:
    """What must hold between the fields of one object."""

    cel: str
    """Over `self`, as the API server evaluates it."""
    message: str
    """Names the field."""
    holds: Callable[[Any], bool]


class Object(BaseModel):
    """Base of all objects: camelCase outside, unknown fields kept out, values don't change."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True, allow_inf_nan=False
    )
    rules: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="after")
    def _obeys_its_rules(self) -> Self:
        for rule in self.rules:
            if not rule.holds(self):
                raise ValueError(rule.message)
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        made = handler.resolve_ref_schema(handler(schema))
        if cls.rules:
            made["x-kubernetes-validations"] = [
                {"rule": rule.cel, "message": rule.message} for rule in cls.rules
            ]
        return made

    @classmethod
    def from_cluster(cls, value: dict[str, Any]) -> Self:
        """From the API server's JSON; fields of a newer version are left out, at every depth.

        Raises pydantic's ValidationError where a known field is wrong.
        """
        return cls.model_validate(value, extra="ignore")

    def to_cluster(self) -> dict[str, Any]:
        """JSON for the API server: what is None is left out."""
        written: dict[str, Any] = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        return written


def exactly_one(*fields: str) -> Rule:
    """Of these fields of an object, each of which may be left out, one is given."""
    outside = [to_camel(field) for field in fields]
    given = ", ".join(f"has(self.{name})" for name in outside)
    return Rule(
        f"[{given}].filter(given, given).size() == 1",
        f"exactly one of {', '.join(outside)} must be given",
        lambda self: sum(getattr(self, field) is not None for field in fields) == 1,
    )


def names_differ(field: str, items: Callable[[Any], Iterable[Any]]) -> Rule:
    """No two objects of a list have the same `name`."""

    def holds(self: Any) -> bool:
        names = [one.name for one in items(self)]
        return len(set(names)) == len(names)

    return Rule(
        f"!has(self.{field}) || self.{field}.all(one, self.{field}.exists_one(other, other.name == one.name))",
        f"names of {field} must differ",
        holds,
    )


@dataclass(frozen=True)
class Between:
    """Bounds of a duration or size, for `Annotated`: a rule in the CRD, the same in the model."""

    lowest: str
    highest: str
    parse: Callable[[str], float]
    cel: str
    """With LOWEST and HIGHEST."""
    also: str = ""
    """A word that is allowed beside."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        cel = self.cel.replace("LOWEST", self.lowest).replace("HIGHEST", self.highest)
        rule = f"self == '{self.also}' || ({cel})" if self.also else cel
        return handler(schema) | {"x-kubernetes-validations": [{"rule": rule, "message": self.message}]}

    @property
    def message(self) -> str:
        return f"must be {f'{self.also}, or ' if self.also else ''}from {self.lowest} to {self.highest}"

    def _check(self, text: str) -> str:
        if text != self.also and not (
            self.parse(self.lowest) <= self.parse(text) <= self.parse(self.highest)
        ):
            raise ValueError(self.message)
        return text


def durations(lowest: str, highest: str, also: str = "") -> Between:
    cel = "duration(self) >= duration('LOWEST') && duration(self) <= duration('HIGHEST')"
    return Between(lowest, highest, duration_seconds, cel, also)


def sizes(lowest: str, highest: str) -> Between:
    cel = (
        "quantity(string(self)).compareTo(quantity('LOWEST')) >= 0 && "
        "quantity(string(self)).compareTo(quantity('HIGHEST')) <= 0"
    )
    return Between(lowest, highest, memory_bytes, cel)


def shares(lowest: str, highest: str) -> Between:
    return Between(lowest, highest, cpu_cores, sizes("", "").cel)


def _checked(parse: Callable[[str], float]) -> AfterValidator:
    def check(text: str) -> str:
        parse(text)
        return text

    return AfterValidator(check)


def _whole_number_as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_INT_OR_STRING: dict[str, Any] = {"x-kubernetes-int-or-string": True}

MemoryQuantity = Annotated[
    str,
    Field(pattern=MEMORY_PATTERN, max_length=TEXT_LENGTH, json_schema_extra=_INT_OR_STRING),
    BeforeValidator(_whole_number_as_text),
    _checked(memory_bytes),
]
CpuQuantity = Annotated[
    str,
    Field(pattern=CPU_PATTERN, max_length=TEXT_LENGTH, json_schema_extra=_INT_OR_STRING),
    BeforeValidator(_whole_number_as_text),
    _checked(cpu_cores),
]
Duration = Annotated[
    str, Field(pattern=DURATION_PATTERN, min_length=2, max_length=TEXT_LENGTH), _checked(duration_seconds)
]
ContainerName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", min_length=1, max_length=63)]
Name = Annotated[str, Field(min_length=1, max_length=253)]
Message = Annotated[str, Field(max_length=1024)]


def keyed(*keys: str) -> dict[str, Any]:
    """Of a list whose entries are told apart by these fields."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}
