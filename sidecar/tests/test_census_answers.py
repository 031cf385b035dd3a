"""Which caches and containers of an answer are followed, and what of a broken answer is believed."""

import json

import pytest

from memwarden_sidecar.probes.census import Census, CensusSchedule
from memwarden_sidecar.probes.holdings import CacheSize, ContainerSize
from memwarden_sidecar.settings import CENSUS_HOLDINGS


def cache(number: int, entries: int, **more: object) -> dict[str, object]:
    return {
        "id": f"{number:016x}",
        "kind": "deque",
        "name": "app.LOG",
        "entries": entries,
        "bound": 10**6,
    } | more


def container(number: int, entries: int, **more: object) -> dict[str, object]:
    return {"id": f"{number:016x}", "type": "builtins.dict", "name": "app.KEPT", "entries": entries} | more


class Asked:
    """A schedule whose questions are answered at once."""

    def __init__(self) -> None:
        self.schedule = CensusSchedule(next_due=0.0, interval=30.0)
        self.now = 0.0

    def answer(self, **result: object) -> Census:
        self.now += 30
        question = self.schedule.question(self.now)
        assert question is not None
        number = json.loads(question)["id"]
        counted = self.schedule.accept({"id": number, "result": {"types": []} | result})
        assert counted is not None
        return counted


def test_what_grows_is_followed_before_what_is_large() -> None:
    asked = Asked()
    large = [cache(number, 5000 + number) for number in range(30)]
    first = asked.answer(caches=[*large, cache(99, 100)], containers=[container(98, 300)])
    assert [one.entries for one in first.caches] == [5029 - place for place in range(CENSUS_HOLDINGS)]
    second = asked.answer(caches=[*large, cache(99, 150)], containers=[container(98, 250)])
    assert (second.caches[0].id, second.caches[0].entries) == (f"{99:016x}", 150)
    # It stays, though it did not grow since the last census: its series would have a gap else.
    third = asked.answer(caches=[*large, cache(99, 150)])
    assert third.caches[0].id == f"{99:016x}"
    assert third.containers == ()


def test_what_was_gone_begins_anew() -> None:
    asked = Asked()
    large = [cache(number, 5000) for number in range(CENSUS_HOLDINGS)]
    asked.answer(caches=[*large, cache(99, 10)])
    asked.answer(caches=large)
    assert f"{99:016x}" not in {one.id for one in asked.answer(caches=[*large, cache(99, 4000)]).caches}


def test_everything_that_is_known_of_a_cache_is_read() -> None:
    counted = Asked().answer(
        caches=[
            cache(
                1,
                5,
                kind="lru_cache",
                name="price",
                file="/srv/shop.py",
                line=7,
                bound=None,
                hits=3,
                misses=9,
            )
        ],
        containers=[container(2, 300, name="")],
    )
    assert counted.caches == (CacheSize(f"{1:016x}", "lru_cache", "price", "/srv/shop.py", 7, 5, None, 3, 9),)
    assert counted.containers == (ContainerSize(f"{2:016x}", "builtins.dict", "", 300),)


@pytest.mark.parametrize(
    "broken",
    [
        None, 5, "caches", {"id": "1"}, [None, 5, [], "x"], [{}], [cache(1, 5) | {"id": 5}], [cache(1, 5, kind="")],
        [cache(1, 5) | {"entries": True}], [cache(1, 5) | {"entries": "5"}], [cache(1, 5) | {"entries": 1.5}],
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_passed_over(broken: object) -> None:
    counted = Asked().answer(caches=broken, containers=broken)
    assert counted.caches == counted.containers == ()


def test_numbers_and_names_are_bounded() -> None:
    (one,) = (
        Asked()
        .answer(caches=[cache(1, 10**30, name="n" * 10**5, file="/" * 10**5, bound=-5, line="7", hits=[])])
        .caches
    )
    assert (one.entries, one.bound, one.line, one.hits) == (2**60, 0, 0, None)
    assert (len(one.name), len(one.file)) == (256, 1024)
