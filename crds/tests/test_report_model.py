"""The report is an interface: what it refuses, and what it keeps."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from memwarden_api.report import SCHEMA, Cost, Report


def report(**changes: object) -> dict[str, object]:
    now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    return {
        "schema": SCHEMA,
        "memwarden_version": "0.1.0",
        "started_at": now,
        "ended_at": now,
        "exit_code": 0,
        "app_exit_code": 0,
        "interval_seconds": 1.0,
        "verdicts": (),
        "cost": Cost(components=(), cpu_ratio=None, start_to_first_sample_seconds=None),
    } | changes


def test_the_version_is_written_under_its_public_name() -> None:
    written = Report.model_validate(report()).model_dump_json(by_alias=True)
    assert f'"schema":"{SCHEMA}"' in written
    assert Report.model_validate_json(written).exit_code == 0


@pytest.mark.parametrize(
    "change", [{"schema": "memwarden.dev/report/v2"}, {"surprise": 1}, {"interval_seconds": float("nan")}]
)
def test_what_the_version_does_not_allow_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Report.model_validate(report(**change))
