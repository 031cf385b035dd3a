"""A policy as routes: in both of Alertmanager's languages the same, taken by it, and leading to whom they should."""

import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_programs import run

from memwarden_api.generate.yaml_text import yaml_text
from memwarden_api.v1alpha1.alert_policy import MuteWindow
from memwarden_operator.alerts import alertmanager_config
from memwarden_operator.alerts.fragment import fragment
from memwarden_operator.alerts.windows import intervals

from .policies import EACH_RECEIVER, EACH_RULE, everything, policy

OWN = "shop/memwarden-shop/"


def snake(value: Any) -> Any:
    """An AlertmanagerConfig's fields as Alertmanager spells them."""
    if isinstance(value, list):
        return [snake(one) for one in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"name", "value", "matchType"}:
        return f'{value["name"]}{value["matchType"]}"{value["value"]}"'
    return {
        re.sub("([A-Z])", lambda found: "_" + found[1].lower(), key): snake(one) for key, one in value.items()
    }


def test_both_languages_say_the_same() -> None:
    made = policy(
        receivers=EACH_RECEIVER[2:4], muteWindows=[{"name": "night", "from": "22:00", "to": "06:00"}]
    )
    ours, theirs = fragment(made), snake(alertmanager_config.spec(made))
    for key in ("group_by", "group_wait", "group_interval", "repeat_interval", "matchers", "continue"):
        assert ours["route"][key] == theirs["route"][key], key
    for mine, its in zip(ours["route"]["routes"], theirs["route"]["routes"], strict=True):
        assert mine.pop("receiver") == OWN + its.pop("receiver")
        assert mine.pop("mute_time_intervals") == [OWN + name for name in its.pop("mute_time_intervals")]
        assert mine == its
    [inhibition] = ours["inhibit_rules"]
    [other] = theirs["inhibit_rules"]
    assert inhibition["source_matchers"] == other["source_match"]
    assert inhibition["target_matchers"] == other["target_match"]
    assert inhibition["equal"] == other["equal"]
    [window], [mute] = ours["time_intervals"], theirs["mute_time_intervals"]
    assert window["time_intervals"] == mute["time_intervals"]
    ways = [(one["name"], sorted(one)) for one in ours["receivers"]]
    assert ways == [(OWN + one["name"], sorted(one)) for one in theirs["receivers"]]


def test_secrets_are_named_and_never_read() -> None:
    made = fragment(everything(), "/secrets")
    files = {value for value in leaves(made) if isinstance(value, str) and value.startswith("/secrets/")}
    assert files == {
        "/secrets/mail/password",
        "/secrets/chat/url",
        "/secrets/pager/key",
        "/secrets/sms/token",
        "/secrets/sms/ca.crt",
    }
    spec = alertmanager_config.spec(everything())
    by_name = {one["name"]: one for one in spec["receivers"]}
    assert by_name["mail"]["emailConfigs"][0]["authPassword"] == {"name": "mail", "key": "password"}
    assert by_name["chat"]["slackConfigs"][0]["apiURL"] == {"name": "chat", "key": "url"}
    assert by_name["pager"]["pagerdutyConfigs"][0]["routingKey"] == {"name": "pager", "key": "key"}
    http = by_name["sms"]["webhookConfigs"][0]["httpConfig"]
    assert http["authorization"] == {"credentials": {"name": "sms", "key": "token"}}
    assert http["tlsConfig"] == {"ca": {"secret": {"name": "sms", "key": "ca.crt"}}}
    hidden = policy(receivers=[{"name": "sms", "webhook": {"urlFrom": {"name": "sms", "key": "url"}}}])
    assert fragment(hidden, "/s")["receivers"][1]["webhook_configs"][0]["url_file"] == "/s/sms/url"
    [_, told] = alertmanager_config.spec(hidden)["receivers"]
    assert told["webhookConfigs"][0]["urlSecret"] == {"name": "sms", "key": "url"}


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return [leaf for one in inner for leaf in leaves(one)]
    return [value]


def test_nothing_is_made_where_nobody_is_to_be_told() -> None:
    leaks = EACH_RULE[:1]
    assert fragment(policy(leaks)) == alertmanager_config.spec(policy(leaks)) == {}
    assert list(fragment(policy())) == ["inhibit_rules"]
    assert fragment(policy(inhibition="None")) == {}
    existing = policy(leaks, receivers=EACH_RECEIVER[:1])
    assert alertmanager_config.spec(existing) == {}
    assert fragment(existing)["route"]["routes"] == [{"receiver": "team A", "continue": True}]


@pytest.mark.parametrize(
    ("window", "hours"),
    [
        ({}, [((), "00:00", "24:00")]),
        ({"days": ["Sunday", "Monday"]}, [(("monday", "sunday"), "00:00", "24:00")]),
        ({"from": "09:00", "to": "17:30"}, [((), "09:00", "17:30")]),
        ({"from": "22:00", "to": "06:00"}, [((), "22:00", "24:00"), ((), "00:00", "06:00")]),
        (
            {"days": ["Sunday"], "from": "22:00", "to": "06:00"},
            [(("sunday",), "22:00", "24:00"), (("monday",), "00:00", "06:00")],
        ),
        ({"days": ["Friday"], "from": "20:00", "to": "00:00"}, [(("friday",), "20:00", "24:00")]),
    ],
)
def test_windows_beyond_midnight_go_on_on_the_next_day(window: dict[str, Any], hours: list[Any]) -> None:
    found = intervals(MuteWindow.model_validate({"name": "w"} | window))
    assert [(one.days, one.begins, one.ends) for one in found] == hours


# ── By Alertmanager itself ───────────────────────────────────────────────────────────────────────────────
def configuration(folder: Path) -> Path:
    """Of an Alertmanager whose owner has joined a policy's fragment with his own."""
    made = fragment(everything(), str(folder))
    whole = {
        "route": {"receiver": "team A", "routes": [made.pop("route")]},
        "receivers": [{"name": "team A"}, *made.pop("receivers")],
        **made,
    }
    file = folder / "alertmanager.yaml"
    file.write_text(yaml_text(whole))
    return file


@pytest.mark.system
def test_alertmanager_takes_the_fragment(tmp_path: Path) -> None:
    checked = run("amtool", "check-config", configuration(tmp_path))
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.system
@pytest.mark.parametrize(
    ("severity", "receivers"),
    [
        ("critical", ["team A", "mail", "chat", "pager", "sms"]),
        ("warning", ["team A", "mail", "chat", "sms"]),
        ("info", ["team A", "mail", "chat"]),
    ],
)
def test_each_severity_goes_to_who_wants_it(severity: str, receivers: list[str], tmp_path: Path) -> None:
    labels = ["namespace=shop", "memalert_policy=shop", f"severity={severity}"]
    file = f"--config.file={configuration(tmp_path)}"
    found = run("amtool", "config", "routes", "test", file, *labels).stdout.strip().split(",")
    assert found == [name if name == "team A" else OWN + name for name in receivers]
    elsewhere = ["namespace=other", "memalert_policy=shop", f"severity={severity}"]
    assert run("amtool", "config", "routes", "test", file, *elsewhere).stdout.strip() == "team A"
