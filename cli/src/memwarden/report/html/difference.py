"""The difference of two runs on the page: its sentence, both runs' numbers, the lines that changed, flame graphs."""

from typing import Final

from memwarden.report.difference import Compared, pace
from memwarden.report.difference_markdown import figures
from memwarden.report.html import sections
from memwarden.report.html.chart import points
from memwarden.report.html.markup import Markup, shown, tag
from memwarden.report.html.page import Parts, script_part
from memwarden.report.html.profile import pack
from memwarden_api.difference import Difference, SiteChange
from memwarden_core.signals import scope_memory
from memwarden_core.wording import amount

BLOCK: Final = "difference-stacks"
_WORDS: Final = {"better": "Better", "worse": "Worse", "same": "No difference", "unclear": "Not comparable"}
_SIGNS: Final = {"better": "↓", "worse": "↑", "same": "=", "unclear": "?"}
_SITES: Final = 100


def difference_parts(compared: Compared) -> Parts:
    """What a page has more when two runs are compared."""
    difference = compared.difference
    packed = pack(compared.stacks)
    memory = scope_memory(compared.before, compared.before.ended)
    section = sections.section(
        "difference",
        "Compared with the run before",
        tag(
            "p",
            tag("span", _SIGNS[difference.outcome], aria_hidden="true", class_="sign"),
            tag("span", _WORDS[difference.outcome], class_="hidden"),
            difference.sentence,
            class_=f"outcome {difference.outcome}",
        ),
        _figures(difference),
        tag("h3", "What changed, by calls"),
        script_part("difference-flame") if packed.stacks else sections.empty(
            "No stack is known of either run: the processes were watched from outside."
        ),
        tag("h3", "What changed, by line of code"),
        _sites(difference),
    )  # fmt: skip
    data = {"difference": {"beforeMemory": points(memory, compared.before.started)}}
    return Parts([section], data, [(BLOCK, packed)] if packed.stacks else [])


def _figures(difference: Difference) -> Markup:
    head = (
        tag("th", "", scope="col"),
        tag("th", f"Before: {shown(difference.before_name, 60)}", scope="col", class_="num"),
        tag("th", f"After: {shown(difference.after_name, 60)}", scope="col", class_="num"),
    )
    rows = (
        tag("tr", tag("th", name, scope="row"), tag("td", then, class_="num"), tag("td", now, class_="num"))
        for name, then, now in figures(difference)
    )
    return tag("div", tag("table", tag("thead", tag("tr", head)), tag("tbody", rows)), class_="scroll narrow")


def _sites(difference: Difference) -> Markup:
    changed = [site for site in difference.sites if _moved(site)]
    if not changed:
        return sections.empty("No line of code grew differently in the two runs.")
    columns = (
        ("Line of code", ""), ("Growth before", "num"), ("Growth after", "num"), ("Change", "num"),
        ("Living before", "num"), ("Living after", "num"),
    )  # fmt: skip
    return sections.table(columns, (_site(site) for site in changed[:_SITES]))


def _moved(site: SiteChange) -> bool:
    return (
        pace(site.growth_change_bytes_per_second) != "none" or site.before_live_bytes != site.after_live_bytes
    )


def _site(site: SiteChange) -> Markup:
    change = site.growth_change_bytes_per_second
    return tag(
        "tr",
        tag("td", sections.place(site.file, site.line, site.function), data_value=f"{site.file}:{site.line}"),
        sections.cell(pace(site.before_growth_bytes_per_second), site.before_growth_bytes_per_second),
        sections.cell(pace(site.after_growth_bytes_per_second), site.after_growth_bytes_per_second),
        tag(
            "td",
            pace(change).replace("-", "−"),
            class_=f"num {_colour(change)}",
            data_value=change,
        ),
        sections.cell(amount(site.before_live_bytes), site.before_live_bytes),
        sections.cell(amount(site.after_live_bytes), site.after_live_bytes),
    )


def _colour(change: float) -> str:
    if pace(change) == "none":
        return ""
    return "worse" if change > 0 else "better"
