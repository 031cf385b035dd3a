"""The report as JSON: an interface with a version, described by docs/reference/report.schema.json."""

from memwarden_api.report import Report


def render(report: Report) -> str:
    return report.model_dump_json(indent=2, by_alias=True) + "\n"
