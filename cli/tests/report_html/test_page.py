"""The page: complete in itself, all of the report in plain words, and inert whatever the program is called."""

import base64
import gzip
import hashlib
import json
import re
from dataclasses import replace
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from memwarden.report.formats import html
from memwarden.report.html.checks import GROUPS, WORDS, number
from memwarden.report.html.markup import data_block, join, shown, tag
from memwarden_api.report import Gate
from memwarden_core.gates import NAMES


def test_it_says_all_that_a_report_has_to_say(make: Any) -> None:
    selected = make.chosen(make.leak())
    page = make.parse(html.render(selected.report, selected.recording))
    [verdict] = selected.report.verdicts
    assert verdict.verdict == "Leaking"
    assert {
        "memory",
        "heap",
        "sites",
        "types",
        "held",
        "ages",
        "checks",
        "processes",
        "measured",
        "advice",
    } <= page.ids()
    assert verdict.headline.partition(": ")[2] in page.text
    assert all(" ".join(item.text.split()) in page.text for item in verdict.advice)
    for gate in verdict.gates:
        assert WORDS[gate.name].question in page.text
        assert gate.text[1:] in page.text
    assert "Leaking" in page.text
    assert "remember.py:10" in page.text
    assert "from inside" in page.text
    assert [note for note in selected.report.notes if note in page.text] == list(selected.report.notes)


def test_caches_and_containers_are_listed_with_all_that_is_known_of_them(make: Any) -> None:
    page = make.parse(make.page_of(make.holding()))
    held = page.source.split('<section id="held"')[1].split("</section>")[0]
    for said in (
        "prices.py:31", "Shop.price", "lru_cache", ">900<", ">1,000<", ">90 %<", ">75 %<", ">+800<",
        "shop.PAGES", ">none<", ">+2<",
        "shop.ORDERS", "builtins.dict", ">5,000<", ">+4,700<", "held by no variable that was found",
    ):  # fmt: skip
        assert said in held, said
    assert held.index("Shop.price") < held.index("shop.PAGES"), "what grew most comes first"
    bare = make.parse(make.page_of(make.leak()))
    assert "Nothing that holds many entries was found" in bare.text


def test_every_check_of_the_judge_has_words_and_a_place() -> None:
    assert set(WORDS) == set(NAMES)
    assert sorted(name for group in GROUPS for name in group.names) == sorted(NAMES)


def test_a_check_of_a_newer_judge_is_still_shown(make: Any) -> None:
    selected = make.chosen(make.leak())
    [verdict] = selected.report.verdicts
    strange = Gate(
        name="strange", passed=None, value=3.5, threshold=None, unit="furlong", text="nobody knows"
    )
    report = selected.report.model_copy(
        update={"verdicts": (verdict.model_copy(update={"gates": (*verdict.gates, strange)}),)}
    )
    page = make.parse(html.render(report, selected.recording))
    assert "Other checks" in page.text
    assert "3.5 furlong" in page.text


def test_numbers_of_checks_read_as_a_person_says_them() -> None:
    assert number(-0.5, "ratio") == "−50 %"
    assert number(2.6, "z") == "score 2.6"
    assert number(None, "By") == ""
    assert number(1e300, "t") == "beyond measure"


def test_nothing_is_loaded_and_only_our_code_may_run(make: Any) -> None:
    text = make.page_of(make.leak())
    page = make.parse(text)
    for name, attributes in page.tags:
        assert "src" not in attributes, name
        assert (attributes.get("href") or "#").startswith("#")
        assert not [attribute for attribute in attributes if attribute.startswith("on")]
    assert not re.search(r"url\(|@import|//cdn", page.blocks["style"])
    [policy] = [a["content"] for n, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    for block, rule in (("script", "script-src"), ("style", "style-src")):
        digest = base64.b64encode(hashlib.sha256(page.blocks[block].encode()).digest()).decode()
        assert f"{rule} 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")


def test_a_usual_run_is_well_under_two_megabytes(make: Any) -> None:
    assert len(make.page_of(make.leak()).encode()) < 400_000


@pytest.mark.filterwarnings("error")
def test_hostile_names_are_text_and_nothing_else(make: Any) -> None:
    honest, hostile = make.parse(make.page_of(make.leak())), make.parse(make.page_of(make.hostile()))
    text = hostile.source
    text.encode("utf-8")  # lone surrogates would fail here
    assert [name for name, _ in hostile.tags].count("script") == [name for name, _ in honest.tags].count(
        "script"
    )
    assert not [name for name, _ in hostile.tags if name in ("img", "iframe", "object", "link", "base")]
    allowed = {name for _, attributes in honest.tags for name in attributes} | {"title"}
    assert {name for _, attributes in hostile.tags for name in attributes} <= allowed
    assert not [one for one in text if not one.isprintable() and one != "\n"]
    assert "<script>alert(1)</script>" in hostile.text
    assert (
        "<!--"
        not in text.replace("<!--<script>", "", 0).split("</style>")[1].split('<script type="application')[0]
    )
    data = json.loads(hostile.blocks["data"])
    assert data["chart"]["memory"]["v"]
    assert len(text) < 1_000_000


def test_the_data_block_cannot_be_ended_by_a_string(make: Any) -> None:
    for name in make.hostile_names:
        block = data_block("data", {"name": name, name: [name]})
        assert block.count("<") == 2
        assert json.loads(block.partition(">")[2].rpartition("<")[0])["name"] == name


def test_text_is_one_line_that_can_be_looked_at() -> None:
    assert shown("a\nb\r\x1b[31m\u202e") == "a⏎b⏎�[31m�"
    long = shown("x" * 10_240)
    assert len(long) < 340
    assert long.endswith("(10240 characters)")
    assert join(["<b>", tag("i", "&")]) == "&lt;b&gt;<i>&amp;</i>"
    assert tag("a", title='"><script>') == '<a title="&quot;&gt;&lt;script&gt;"></a>'


@pytest.mark.parametrize(
    ("maker", "expected"),
    [
        (
            "empty",
            [
                "No sample of the memory was taken",
                "No process was seen",
                "no sample of the memory has arrived",
            ],
        ),
        (
            "one_sample",
            [
                "Only one sample of the memory was taken: 3 MB",
                "no process was watched from inside",
                "no Python",
                "Objects were not counted",
            ],
        ),
    ],
)
def test_what_is_empty_says_why_and_what_to_do(make: Any, maker: str, expected: list[str]) -> None:
    page = make.parse(make.page_of(getattr(make, maker)()))
    for sentence in expected:
        assert sentence in page.text
    assert "Unknown" in page.text


def test_a_run_with_a_hook_and_without_a_profile(make: Any) -> None:
    page = make.parse(make.page_of(replace(make.leak(), profiles=(), stacks=())))
    assert "No allocation was sampled yet" in page.text


def test_a_run_that_ended_before_the_first_sample_of_the_heap(make: Any) -> None:
    leak = make.leak()
    nothing, cells = np.empty(0, np.int64), np.empty((0, leak.profiles[0].live_bytes.shape[1]))
    empty = replace(
        leak.profiles[0], stacks=nothing, live_bytes=cells, blocks=cells, samples=cells.astype(np.int64)
    )
    page = make.parse(make.page_of(replace(leak, profiles=(empty,), stacks=())))
    assert "No allocation was sampled yet" in page.text


def test_a_report_whose_samples_are_lost_says_so(make: Any) -> None:
    report = make.chosen(make.leak()).report
    for text in (
        html.render_kept(report, None, "the collector gave none"),
        html.render_kept(report, b"damaged", ""),
    ):
        page = make.parse(text)
        assert "The samples of this run are not in this file" in page.text
        assert "remember.py:10" in page.text, "what the report itself knows stays"


def test_many_processes_are_named_with_how_they_were_watched(make: Any) -> None:
    base = make.leak()
    outside = replace(base.processes[0], pid=7, hooked=False, runtime="", reason="not Python: no probe")
    page = make.parse(make.page_of(replace(base, processes=(*base.processes, outside))))
    assert "not Python: no probe" in page.text
    assert "from outside" in page.text


def test_large_profiles_are_cut_at_a_named_bound_and_the_page_says_what_is_missing(make: Any) -> None:
    text = make.page_of(make.many_stacks(30_000))
    assert len(text.encode()) < 2_000_000
    page = make.parse(text)
    found = re.search(r"The (\d+) smallest of 30000 stacks, (\d+) % of the bytes", page.text)
    assert found is not None
    tree = json.loads(gzip.decompress(base64.b64decode(page.blocks["heap-stacks"])))
    assert len(tree["leaf"]) + int(found[1]) == 30_001


def test_the_bundle_carries_its_licences_and_can_be_inlined() -> None:
    for name in ("bundle.js", "bundle.css"):
        text = (files("memwarden.report.html") / name).read_text(encoding="utf-8")
        assert "Generated by" in text[:200]
        assert "uPlot" in text[:400]
        assert "Permission is hereby granted" in text[:1500]
        assert not re.search(r"</(script|style)|<!--", text, re.IGNORECASE)
        assert "http://" not in text.replace("http://www.w3.org/", "")
