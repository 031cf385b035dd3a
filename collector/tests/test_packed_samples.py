"""Samples that are read all at once give what a walk over them gives, and so does what can't be read so."""

import random
import time
from typing import Any

import collector_requests as otlp
import pytest
from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import (
    ExportProfilesServiceRequest,
)
from opentelemetry.proto.profiles.v1development.profiles_pb2 import Profile

from memwarden_api import names
from memwarden_collector.batch import ProfileRow
from memwarden_collector.clock import Now
from memwarden_collector.otlp.packed_samples import MIN_SAMPLES, read_samples
from memwarden_collector.otlp.profiles import decode_profiles
from memwarden_collector.settings import Limits

AGES = [f"{bound:g}" for bound in names.AGE_BOUNDS_SECONDS]


def profile(count: int, source: random.Random) -> Profile:
    made = Profile()
    for _ in range(count):
        made.samples.add(
            stack_index=source.choice((1, 127, 128, 2**31 - 1)),
            attribute_indices=[source.choice((0, 1, 127, 128, 300))],
            values=[source.choice((0, 1, 127, 128, 2**32, 2**63 - 1))],
        )
    return made


@pytest.mark.parametrize("seed", range(5))
def test_samples_are_what_was_sent(seed: int) -> None:
    made = profile(MIN_SAMPLES + seed * 100, random.Random(seed))
    made.time_unix_nano = 7
    found = read_samples(made)
    assert found is not None
    assert found.stacks.tolist() == [one.stack_index for one in made.samples]
    assert found.attributes.tolist() == [one.attribute_indices[0] for one in made.samples]
    assert found.values.tolist() == [one.values[0] for one in made.samples]


ODD: list[dict[str, Any]] = [
    {"stack_index": 0, "attribute_indices": [1], "values": [1]},
    {"stack_index": 1, "attribute_indices": [], "values": [1]},
    {"stack_index": 1, "attribute_indices": [1, 2], "values": [1]},
    {"stack_index": 1, "attribute_indices": [1], "values": []},
    {"stack_index": 1, "attribute_indices": [1], "values": [1, 2]},
    {"stack_index": 1, "attribute_indices": [1], "values": [-1]},
    {"stack_index": -1, "attribute_indices": [1], "values": [1]},
    {"stack_index": 1, "attribute_indices": [1], "values": [1], "link_index": 3},
    {"stack_index": 1, "attribute_indices": [1], "timestamps_unix_nano": [1]},
    # Ten numbers on the wire, but other ones.
    {"attribute_indices": [1, 2, 3], "values": [1, 2, 3]},
    {"attribute_indices": [1] * 4, "values": [1, 2]},
]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("place", [0, 30, 99])
def test_what_has_another_shape_is_left_to_the_walk(odd: dict[str, Any], place: int) -> None:
    made = profile(100, random.Random(1))
    made.samples[place].CopyFrom(type(made.samples[0])(**odd))
    assert read_samples(made) is None


def rows(request: ExportProfilesServiceRequest) -> tuple[Any, ...]:
    """What is stored and what was rejected, without the order of cells that nobody asks for."""
    blocks, rejections = decode_profiles(request, Limits(), Now.of(time.time()))
    return [list(map(cells, block.profiles)) for block in blocks], rejections.count, rejections.message()


def cells(row: ProfileRow) -> Any:
    stacks = row.table.fingerprints(row.stacks.tolist())
    columns = (column.tolist() for column in (row.ages, row.live_bytes, row.blocks, row.samples))
    return row.time, list(zip(stacks, *columns, strict=True))


def change(request: ExportProfilesServiceRequest, source: random.Random) -> None:
    made = source.choice(request.resource_profiles[0].scope_profiles[0].profiles)
    sample = source.choice(made.samples)
    match source.randrange(9):
        case 0:
            sample.values[:] = [source.choice((0, -1, 2**62, 2**63 - 1))]
        case 1:
            sample.stack_index = source.choice((0, 1, 10**6))
        case 2:
            sample.attribute_indices[:] = [source.choice((0, 1, 10**6))]
        case 3:
            sample.values.append(1)
        case 4:
            made.samples.add().CopyFrom(sample)
        case 5:
            made.samples.pop(source.randrange(len(made.samples)))
        case 6:
            made.time_unix_nano += 10**9
        case 7:
            request.resource_profiles[0].scope_profiles[0].profiles.add().CopyFrom(made)
        case _:
            request.dictionary.location_table[1].lines[0].line = source.choice((1, -1))


def test_a_walk_over_the_same_profiles_gives_the_same_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    source = random.Random(5)
    lines = [(f"m{n % 7}.py", n + 1, f"f{n % 11}") for n in range(40)]
    stacks = [tuple(source.sample(lines, 5)) for _ in range(60)]
    made = [
        (stack, age, source.randrange(1 << 40), source.randrange(1, 9), 1)
        for stack in stacks
        for age in source.sample(AGES, 2)
    ]
    packed = 0
    for number in range(80):
        request = otlp.profiles("run", time.time(), made)
        for _ in range(number % 3):
            change(request, source)
        found = rows(request)
        packed += read_samples(otlp.first_profile(request)) is not None
        with monkeypatch.context() as patched:
            patched.setattr("memwarden_collector.otlp.profiles.read_samples", lambda _: None)
            assert rows(request) == found
    assert packed > 40
