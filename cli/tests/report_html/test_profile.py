"""The stacks of the flame graph: nothing is lost on the way but what the bounds name."""

import base64
import gzip
import json
from collections import defaultdict
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from memwarden.report.html import profile
from memwarden.report.html.profile import ages, heap, pack, table
from memwarden_core.recording import AGE_BOUNDS_SECONDS, Frame


def unpacked(text: str) -> dict[str, Any]:
    return json.loads(gzip.decompress(base64.b64decode(text)))


def totals(tree: dict[str, Any]) -> list[int]:
    return np.cumsum(np.array(tree["values"]), axis=1).sum(axis=0).tolist()


def test_a_tree_holds_every_stack_and_every_byte(make: Any) -> None:
    recording = make.leak()
    source = heap(recording)
    packed = pack(table(source))
    tree = unpacked(packed.text)
    assert packed.left_out == 0
    for column, profiles in enumerate(source.columns):
        live = sum(float(one.live_bytes.sum()) for one in profiles)
        assert totals(tree)[column] * tree["unit"] == pytest.approx(
            live, abs=len(tree["leaf"]) * tree["unit"]
        )
    names = set()
    for leaf in tree["leaf"]:
        node, stack = leaf, []
        while node >= 0:
            frame = tree["frames"][node]
            stack.append(tree["strings"][tree["functions"][frame]])
            assert tree["parents"][node] < node, "a parent comes before its children"
            node = tree["parents"][node]
        names.add(tuple(stack))
    assert names == {tuple(frame.function for frame in stack) for stack in recording.stacks}


def test_moments_are_spread_over_the_run_with_both_ends(make: Any) -> None:
    recording = make.leak(ticks=600)
    source = heap(recording)
    assert source.times.size == profile.MOMENTS
    assert source.times[0] == recording.profiles[0].time
    assert source.times[-1] == recording.profiles[-1].time
    assert heap(make.empty()).times.size == 0


def test_what_a_process_held_is_gone_when_it_has_ended(make: Any) -> None:
    base = make.leak()
    middle = base.profiles[len(base.profiles) // 2].time
    second = replace(base.processes[0], pid=200, last_seen=middle, ended=True)
    copies = tuple(replace(one, process=1) for one in base.profiles if one.time <= middle)
    both = replace(base, processes=(base.processes[0], second), profiles=(*base.profiles, *copies))
    alone, together = table(heap(base)), table(heap(both))
    assert together.values[:, 0].sum() == pytest.approx(2 * alone.values[:, 0].sum())
    assert together.values[:, -1].sum() == pytest.approx(alone.values[:, -1].sum())
    tree = unpacked(pack(together).text)
    roots = [
        tree["strings"][tree["functions"][tree["frames"][n]]]
        for n, parent in enumerate(tree["parents"])
        if parent < 0
    ]
    assert roots == ["python app.py · pid 100", "python app.py · pid 200"]


def test_bounds_leave_out_the_lightest_and_keep_the_sum(make: Any) -> None:
    source = table(heap(make.many_stacks(2000)))
    whole, cut = pack(source), pack(source, stacks=500)
    assert (whole.left_out, cut.stacks, cut.left_out) == (0, 500, 1500)
    assert 0 < cut.left_out_share < 0.75
    assert totals(unpacked(cut.text)) == totals(unpacked(whole.text))
    small = pack(source, packed_bytes=20_000)
    assert len(small.text) <= 20_000
    assert totals(unpacked(small.text)) == totals(unpacked(whole.text))


def test_a_stack_without_end_loses_its_middle(make: Any) -> None:
    base = make.leak()
    deep = tuple(Frame("/srv/tree.py", line, "walk") for line in range(5000))
    tree = unpacked(pack(table(heap(replace(base, stacks=(deep, *base.stacks[1:]))))).text)
    depth: dict[int, int] = defaultdict(int)
    for node, parent in enumerate(tree["parents"]):
        depth[node] = depth[parent] + 1 if parent >= 0 else 1
    assert max(depth.values()) == profile.DEPTH + 1
    assert profile.CUT in tree["strings"]


def test_ages_add_up_for_all_and_for_each_line(make: Any) -> None:
    recording = make.leak()
    source = heap(recording)
    site = Frame("/srv/shop/remember.py", 10, "remember")
    everything, one = ages(source, [site])
    assert len(everything) == source.times.size
    assert {len(buckets) for buckets in everything} == {len(AGE_BOUNDS_SECONDS) + 1}
    live = sum(float(p.live_bytes.sum()) for p in source.columns[-1])
    assert sum(everything[-1]) * profile.UNIT == pytest.approx(live, rel=0.01)
    assert 0 < sum(one[-1]) <= sum(everything[-1])


def test_profiles_that_point_nowhere_are_passed_over(make: Any) -> None:
    base = make.leak()
    wrong = replace(base.profiles[0], stacks=np.array([99999]), process=5)
    assert table(heap(replace(base, profiles=(wrong,)))).values.size == 0
