"""docs/reference/injection.md says what the code does."""

import re
from pathlib import Path

from pods import INSTALLATION, applied, choice, pod

from memwarden_operator.injector.inject import Injected, inject
from memwarden_operator.injector.selection import PRECEDENCE

PAGE = (Path(__file__).parents[2] / "docs/reference/injection.md").read_text()


def test_the_table_of_precedence_is_that_of_the_code() -> None:
    rows = re.findall(r'^\| (annotation|label) of the (\w+) \| `"(\w+)"` \| (.+) \|$', PAGE, re.MULTILINE)
    told = [(place if of == "pod" else of, word, follows) for place, of, word, follows in rows]
    assert told == [(where, word, follows.value) for where, word, follows in PRECEDENCE]


def test_everything_that_a_pod_gets_is_named() -> None:
    for environment in ("Preload", "Variables"):
        given = pod()
        result = inject(given, choice(injection={"environment": environment}), INSTALLATION)
        assert isinstance(result, Injected)
        made = applied(given, result.operations)
        [app] = made["spec"]["containers"]
        named = [
            *(variable["name"] for variable in app["env"]),
            *(mount["mountPath"] for mount in app["volumeMounts"]),
            *(volume["name"] for volume in made["spec"]["volumes"]),
            *(one["name"] for one in made["spec"]["initContainers"]),
            *made["metadata"]["annotations"],
            *(set(made["metadata"]["labels"]) - set(given["metadata"]["labels"])),
        ]
        assert [name for name in named if f"`{name}`" not in PAGE] == []
