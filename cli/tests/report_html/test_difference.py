"""Two runs compared: the sentence, the lines, and what a page and a text make of it."""

import json
from dataclasses import replace
from typing import Any

import pytest

from memwarden.report import difference_markdown
from memwarden.report.difference import Compared, compare
from memwarden.report.formats import html
from memwarden.report.html.difference import difference_parts
from memwarden_api.difference import Difference
from memwarden_core.recording import Frame, Recording
from memwarden_core.synthetic import MB


def compared(make: Any, before: Recording, after: Recording) -> Compared:
    return compare(make.chosen(before), make.chosen(after), "before.mwrec", "after.mwrec")


def test_a_fix_is_better_and_names_the_line(make: Any) -> None:
    found = compared(make, make.leak(), make.steady()).difference
    assert found.outcome == "better"
    assert found.sentence.startswith("Better: memory no longer grows; it grew by +")
    assert "shop/remember.py:10 remember() went from +" in found.sentence
    assert found.sentence.endswith("to none.")
    assert found.sites[0].function == "remember"
    assert found.sites[0].growth_change_bytes_per_second < 0


def test_a_new_leak_is_worse(make: Any) -> None:
    found = compared(make, make.steady(), make.leak()).difference
    assert found.outcome == "worse"
    assert found.sentence.startswith("Worse: memory grows by +")


def test_less_of_a_leak_is_better_and_still_grows(make: Any) -> None:
    assert compared(make, make.leak(80), make.leak(30)).difference.sentence.startswith(
        "Better, but it still grows"
    )
    assert compared(make, make.leak(30), make.leak(80)).difference.outcome == "worse"


def test_what_chance_may_do_is_no_difference(make: Any) -> None:
    assert compared(make, make.leak(40, seed=3), make.leak(40, seed=5)).difference.outcome == "same"
    assert compared(make, make.steady(seed=4), make.steady(seed=6)).difference.outcome == "same"


def test_less_memory_without_growth_is_better(make: Any) -> None:
    found = compared(make, make.steady(base_bytes=160 * MB), make.steady()).difference
    assert found.outcome == "better"
    assert "memory grows in neither run, and ends 100 MB less" in found.sentence


def test_a_run_that_was_too_short_is_not_compared(make: Any) -> None:
    found = compared(make, make.leak(), make.leak(ticks=10)).difference
    assert found.outcome == "unclear"
    assert found.sentence.startswith("Nothing can be said: the run after was not judged (")
    assert compared(make, make.empty(), make.empty()).difference.outcome == "unclear"


def test_a_line_that_moved_is_the_same_line(make: Any) -> None:
    base = make.leak()
    moved = tuple(
        tuple(Frame(f.file.replace("/srv/", "/opt/new/"), f.line + 7, f.function) for f in stack)
        for stack in base.stacks
    )
    found = compared(make, base, replace(base, stacks=moved)).difference
    [site] = [one for one in found.sites if one.function == "remember"]
    assert (site.file, site.line) == ("/opt/new/shop/remember.py", 17)
    assert site.growth_change_bytes_per_second == 0
    assert site.before_live_bytes == site.after_live_bytes > 0


def test_the_page_has_the_sentence_the_table_and_a_flame_graph(make: Any) -> None:
    both = compared(make, make.leak(), make.steady())
    after = make.chosen(make.steady())
    page = make.parse(html.render(after.report, after.recording, extra=difference_parts(both)))
    assert both.difference.sentence in page.text
    assert {"difference", "difference-flame", "difference-stacks"} <= page.ids()
    assert json.loads(page.blocks["data"])["difference"]["beforeMemory"]["v"]
    assert "Before: before.mwrec" in page.text


def test_the_text_begins_with_the_difference_and_goes_on_with_the_later_run(make: Any) -> None:
    text = difference_markdown.render(compared(make, make.leak(), make.steady()).difference)
    assert text.startswith("## Memwarden, two runs: better\n\n**Better: ")
    assert "| Verdict | Leaking | Healthy |" in text
    assert "## Memwarden: Healthy" in text
    assert "| /srv/shop/remember.py:10 remember |" in text


def test_the_json_can_be_read_back(make: Any) -> None:
    found = compared(make, make.leak(), make.steady()).difference
    again = Difference.model_validate_json(found.model_dump_json(by_alias=True))
    assert again == found
    assert json.loads(found.model_dump_json(by_alias=True))["schema"] == "memwarden.dev/difference/v1"


@pytest.mark.parametrize("name", range(3))
def test_hostile_names_stay_text_in_all_formats(make: Any, name: int) -> None:
    both = compared(make, make.hostile(), make.leak())
    after = make.chosen(make.leak())
    text = (
        html.render(after.report, after.recording, extra=difference_parts(both)),
        difference_markdown.render(both.difference),
        both.difference.model_dump_json(by_alias=True),
    )[name]
    assert "<script>alert" not in text or name == 2, "in JSON a string is a string"
    assert "\x1b" not in text
