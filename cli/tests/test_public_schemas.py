"""What other programs read of ours, held against the schemas by which they read it."""

import importlib.util
import json
import re
from pathlib import Path

import pytest
from made_reports import HOSTILE, condition, report, site, verdict

from memwarden.report.formats import junit, sarif
from memwarden_api.report import Report

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
VERDICTS = ("Leaking", "Growing", "CacheFilling", "Fragmented", "Healthy", "WarmingUp", "Unknown")
REPORTS = {
    "empty": report(),
    "every verdict": report(*(verdict(kind, kind, sites=(site(),)) for kind in VERDICTS)),
    "conditions": report(
        *(verdict(scope=scope) for scope in "abc"),
        conditions=tuple(
            condition(met, scope) for scope, met in zip("abc", (True, False, None), strict=True)
        ),
    ),
    "hostile": report(
        verdict(text=HOSTILE, scope=HOSTILE, sites=(site(f"/srv/{HOSTILE}.py", 0, function=HOSTILE),)),
        conditions=(condition(True, HOSTILE),),
    ),
    "elsewhere": report(
        verdict(
            sites=(site("<string>"), site(""), site("../up.py"), site("C:\\x y.py"), site("a:b.py", 2**31))
        )
    ),
}


def schema(name: str) -> Path:
    spec = importlib.util.spec_from_file_location("public_schemas", ROOT / "tools/public_schemas.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path: Path | None = module.cached(name)
    return path or pytest.skip(
        f"{name} could not be fetched; .venv/bin/python tools/public_schemas.py says why"
    )


@pytest.mark.parametrize("made", REPORTS.values(), ids=REPORTS)
def test_junit_xml_is_what_the_schema_of_jenkins_allows(made: Report) -> None:
    import xmlschema

    xmlschema.XMLSchema(schema("junit-10.xsd")).validate(junit.render(made))


def test_the_schema_of_jenkins_refuses_what_it_should() -> None:
    import xmlschema

    broken = (
        junit.render(REPORTS["conditions"]).replace("<failure", "<broken").replace("</failure", "</broken")
    )
    assert not xmlschema.XMLSchema(schema("junit-10.xsd")).is_valid(broken)


@pytest.mark.parametrize("made", REPORTS.values(), ids=REPORTS)
def test_sarif_is_what_its_schema_allows(made: Report) -> None:
    import jsonschema

    rules = json.loads(schema("sarif-2.1.0-rtm.5.json").read_text())
    checker = jsonschema.Draft4Validator(rules, format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER)
    log = json.loads(sarif.render(made, Path("/srv/shop")))
    assert [error.message for error in checker.iter_errors(log)] == []
    log["runs"][0]["results"] = [{"level": "leak"}]
    assert not checker.is_valid(log), "the schema must be able to refuse"


EXAMPLES = {"github-workflows": "GitHub Actions", "gitlab-ci": "GitLab CI"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_for_ci_systems_are_what_these_accept(name: str, tmp_path: Path) -> None:
    from check_jsonschema import main as check_jsonschema
    from click.testing import CliRunner

    guide = (ROOT / "docs/guide/ci.md").read_text()
    section = guide.split(f"## {EXAMPLES[name]}\n")[1].split("\n## ")[0]
    example = tmp_path / "example.yml"
    found = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    example.write_text("".join(found))  # what a section adds further down belongs to the same job
    words = ["--builtin-schema", f"vendor.{name}", str(example)]
    done = CliRunner().invoke(check_jsonschema, words)
    assert done.exit_code == 0, done.output
    example.write_text(found[0].replace("script:", "scrpt:").replace("runs-on:", "run-on:"))
    assert CliRunner().invoke(check_jsonschema, words).exit_code != 0, "the schema must be able to refuse"
