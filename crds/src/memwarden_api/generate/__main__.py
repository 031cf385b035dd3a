"""`python -m memwarden_api.generate WHAT KIND` prints one generated file: crd, chart, schema or reference of a kind."""

import json
import sys
from collections.abc import Callable
from typing import Final

from memwarden_api.generate.definition import KEEP, definition, json_schema
from memwarden_api.generate.kinds import KINDS, Kind
from memwarden_api.generate.reference import page
from memwarden_api.generate.yaml_text import yaml_text

HEADER: Final = "# Made from crds/src/memwarden_api/v1alpha1 by `make generate`. Never edit by hand.\n"


def crd(kind: Kind) -> str:
    return HEADER + yaml_text(definition(kind, {}))


def chart(kind: Kind) -> str:
    return HEADER + yaml_text(definition(kind, KEEP))


def schema(kind: Kind) -> str:
    return json.dumps(json_schema(kind), indent=2) + "\n"


WHAT: Final[dict[str, Callable[[Kind], str]]] = {
    "crd": crd,
    "chart": chart,
    "schema": schema,
    "reference": page,
}


if __name__ == "__main__":
    [chosen] = [one for one in KINDS if one.singular == sys.argv[2]]
    sys.stdout.write(WHAT[sys.argv[1]](chosen))
