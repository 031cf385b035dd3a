"""`python -m memwarden_api.generate WHAT` prints one generated file: crd, chart, schema or reference."""

import json
import sys
from collections.abc import Callable
from typing import Final

from memwarden_api.generate.definition import KEEP, json_schema, memory_profile
from memwarden_api.generate.reference import page
from memwarden_api.generate.yaml_text import yaml_text

HEADER: Final = "# Made from crds/src/memwarden_api/v1alpha1 by `make generate`. Never edit by hand.\n"


def crd() -> str:
    return HEADER + yaml_text(memory_profile({}))


def chart() -> str:
    return HEADER + yaml_text(memory_profile(KEEP))


def schema() -> str:
    return json.dumps(json_schema(), indent=2) + "\n"


WHAT: Final[dict[str, Callable[[], str]]] = {
    "crd": crd,
    "chart": chart,
    "schema": schema,
    "reference": page,
}


if __name__ == "__main__":
    sys.stdout.write(WHAT[sys.argv[1]]())
