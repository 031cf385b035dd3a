"""A policy as rules: they name series that exist, load in Prometheus, fire when they should and only then."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_programs import run

from memwarden_api import names
from memwarden_api.generate.yaml_text import yaml_text
from memwarden_operator.alerts.expressions import literally
from memwarden_operator.alerts.rules import group_name, rule_groups

from .policies import EACH_RULE, everything, policy

HOSTILE = 'we"b\\ {{ $value }} ${x} \u00e9'
SERIES = {value for name, value in vars(names).items() if name.startswith("PROMETHEUS_")}


def rules_of(made: dict[str, Any]) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = made["groups"][0]["rules"]
    return rules


def test_every_rule_reads_series_that_the_collector_has_and_is_found_by_its_labels() -> None:
    made = rule_groups(everything())
    for given, rule in zip(EACH_RULE, rules_of(made), strict=True):
        found = set(re.findall(r"\b(memwarden_\w+)\{", rule["expr"]))
        assert found, rule
        assert found <= SERIES, rule
        assert rule["for"] == given["for"]
        assert rule["labels"]["severity"] == given.get("severity", "Warning").lower()
        assert (rule["labels"]["memalert_policy"], rule["labels"]["memalert_rule"]) == (
            "shop",
            given["name"],
        )
    assert rules_of(made)[0]["annotations"]["runbook_url"] == "https://runbooks.example/leaks"
    assert group_name(everything()) == made["groups"][0]["name"] == "memwarden/shop/shop"


@pytest.mark.parametrize(
    ("profiles", "matcher"),
    [([], ""), (["a.b"], ',profile="a.b"'), (["c", "a.b"], ',profile=~"a\\\\.b|c"')],
)
def test_only_the_policy_s_namespace_and_profiles_are_looked_at(profiles: list[str], matcher: str) -> None:
    [rule] = rules_of(rule_groups(policy([{"name": "a", "usageAboveRatio": 0.5}], profiles=profiles)))
    assert f'memwarden_memory_usage_ratio{{namespace="shop"{matcher}}}' in rule["expr"]


def test_a_name_is_matched_literally() -> None:
    assert re.fullmatch(literally("a.b|c é(_"), "a.b|c é(_")
    assert not re.fullmatch(literally("a.b"), "axb")


# ── By Prometheus itself ─────────────────────────────────────────────────────────────────────────────────
@pytest.mark.system
def test_prometheus_takes_the_five_rules_of_the_guide(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[3] / "docs" / "guide" / "alerts.md").read_text()
    rules = guide.partition("<!-- rules -->\n```yaml\n")[2].partition("```")[0]
    (tmp_path / "rules.yaml").write_text(rules)
    checked = run("promtool", "check", "rules", tmp_path / "rules.yaml")
    assert "5 rules found" in checked.stdout, checked.stdout + checked.stderr
    found = set(re.findall(r"\b(memwarden_[a-z_]+)\b", rules))
    assert found <= SERIES | {"memwarden_collector_database_up"}
    usage = f"memwarden_memory_usage_ratio{SICK}}}"
    labels = {
        "severity": "warning",
        "namespace": "shop",
        "kind": "Deployment",
        "workload": "sick",
        "container": "app",
    }
    told = {"exp_labels": labels, "exp_annotations": {"summary": "sick in shop uses 95% of its memory limit"}}
    checks = [
        {"eval_time": "15m", "alertname": "MemoryNearLimit", "exp_alerts": [told]},
        {"eval_time": "15m", "alertname": "MemoryLeaks", "exp_alerts": []},
        {"eval_time": "15m", "alertname": "PodsNotWatched", "exp_alerts": []},
    ]
    unit_test(tmp_path, yaml.safe_load(rules), {**FINE, usage: "0.95x20"}, checks)


@pytest.mark.system
def test_prometheus_takes_the_rules(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(yaml_text(rule_groups(everything())))
    checked = run("promtool", "check", "rules", file)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "9 rules found" in checked.stdout


SHOP = 'namespace="shop",profile="shop",kind="Deployment",container="app"'
HEALTHY = f'{{{SHOP},workload="fine"'
SICK = f'{{{SHOP},workload="sick"'
# What the collector says each minute of a healthy workload, and of what sick ones are told beside.
FINE = {
    f'memwarden_workload_verdict{HEALTHY},verdict="Healthy"}}': "1x20",
    f"memwarden_memory_usage_ratio{HEALTHY}}}": "0.5x20",
    f"memwarden_growth_bytes_per_second{HEALTHY}}}": "100x20",
    f'memwarden_oom_forecast_seconds{HEALTHY},quantile="0.5"}}': "90000x20",
    'memwarden_profile_pods{namespace="shop",profile="shop",state="matched"}': "4x20",
    'memwarden_profile_pods{namespace="shop",profile="shop",state="injected"}': "4x20",
    'memwarden_profile_pods{namespace="shop",profile="shop",state="reporting"}': "4x20",
    # Another namespace's business.
    'memwarden_workload_verdict{namespace="other",workload="web",verdict="Growing"}': "1x20",
}


def sick(name: str, value: str, more: str = "") -> dict[str, str]:
    return {f"memwarden_{name}{SICK}{more}}}": f"{value}x20"}


def verdict(kind: str, more: str = "") -> dict[str, str]:
    return sick("workload_verdict", "1", f',verdict="{kind}"{more}')


def forecast(seconds: str, quantile: str) -> dict[str, str]:
    return sick("oom_forecast_seconds", seconds, f',quantile="{quantile}"')


def pods(state: str, count: int) -> dict[str, str]:
    return {f'memwarden_profile_pods{{namespace="shop",profile="shop",state="{state}"}}': f"{count}x20"}


# What else is said, and from which minute on which rule fires for whom.
CASES: dict[str, tuple[dict[str, str], str, int, str]] = {
    "leaks": (verdict("Leaking", ',instance="a"') | verdict("Leaking", ',instance="b"'), "leaks", 1, "sick"),
    "grows": (verdict("Growing"), "grows", 0, "sick"),
    "fills": (verdict("CacheFilling"), "fills", 0, "sick"),
    "holes": (verdict("Fragmented"), "holes", 0, "sick"),
    "soon out": (forecast("1200", "0.5") | forecast("60", "0.1"), "soon-out", 2, "sick"),
    "optimists are not told": (forecast("60", "0.1"), "", 0, ""),
    "full": (sick("memory_usage_ratio", "0.95"), "full", 2, "sick"),
    "exactly at the threshold is not above it": (sick("memory_usage_ratio", "0.9"), "", 0, ""),
    "fast": (sick("growth_bytes_per_second", "3000"), "fast", 2, "sick"),
    "missing": (pods("matched", 6), "missing", 0, ""),
    "one missing is not two": (pods("matched", 5), "", 0, ""),
    "silent": (pods("reporting", 3), "silent", 10, ""),
    "nothing is wrong": ({}, "", 0, ""),
}


def expected(rule: dict[str, Any], workload: str, profile: str = "shop") -> dict[str, Any]:
    """The alert as promtool compares it, its templates filled in."""
    labels = dict(rule["labels"]) | ({"profile": profile} if profile else {})
    if workload:
        labels |= {"kind": "Deployment", "workload": workload, "container": "app"}
    value = {"full": "95%", "fast": "10.3MiB", "missing": "2", "silent": "1", "soon-out": "20m 0s"}.get(
        labels["memalert_rule"], ""
    )

    def filled(text: str) -> str:
        text = re.sub(r"\{\{ \$value[^}]*\}\}B?", value, text)
        for name in ("kind", "workload", "container", "namespace", "profile"):
            text = text.replace(f"{{{{ $labels.{name} }}}}", labels.get(name, ""))
        return text

    return {
        "exp_labels": labels,
        "exp_annotations": {key: filled(text) for key, text in rule["annotations"].items()},
    }


def unit_test(
    folder: Path, made: dict[str, Any], series: dict[str, str], checks: list[dict[str, Any]]
) -> None:
    """promtool evaluates the rules each minute on these series, and compares."""
    (folder / "rules.yaml").write_text(yaml_text(made))
    given = [{"series": name, "values": values} for name, values in series.items()]
    test = {"interval": "1m", "input_series": given, "alert_rule_test": checks}
    file = folder / "test.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(folder / "rules.yaml")], "tests": [test]}))
    tested = run("promtool", "test", "rules", file)
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.system
@pytest.mark.parametrize("case", CASES)
def test_each_rule_fires_when_it_should_and_no_other_does(case: str, tmp_path: Path) -> None:
    made = rule_groups(policy(profiles=["shop"]))
    said, fires, minute, workload = CASES[case]
    checks = []
    for rule in rules_of(made):
        mine = rule["labels"]["memalert_rule"] == fires
        alerts = [expected(rule, workload)] if mine else []
        checks.append({"eval_time": "15m", "alertname": rule["alert"], "exp_alerts": alerts})
        if mine and minute:
            checks.append({"eval_time": f"{minute - 1}m", "alertname": rule["alert"], "exp_alerts": []})
    unit_test(tmp_path, made, {**FINE, **said}, checks)


@pytest.mark.system
def test_nothing_known_of_any_profile_is_no_data(tmp_path: Path) -> None:
    made = rule_groups(policy([{"name": "silent", "dataMissing": 1, "for": "1m"}]))
    [rule] = rules_of(made)
    alerts = [expected(rule, "", profile="")]
    check = {"eval_time": "5m", "alertname": rule["alert"], "exp_alerts": alerts}
    unit_test(tmp_path, made, {"up": "1x9"}, [check])


@pytest.mark.system
def test_hostile_names_of_what_is_watched_stay_text(tmp_path: Path) -> None:
    made = rule_groups(policy([{"name": "full", "usageAboveRatio": 0.9, "for": "0s"}]))
    [rule] = rules_of(made)
    escaped = HOSTILE.replace("\\", "\\\\").replace('"', '\\"')
    series = {f'memwarden_memory_usage_ratio{{{SHOP},workload="{escaped}"}}': "0.95x9"}
    check = {"eval_time": "5m", "alertname": rule["alert"], "exp_alerts": [expected(rule, HOSTILE)]}
    unit_test(tmp_path, made, series, [check])
