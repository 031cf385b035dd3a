"""Bounds that stand in a program's code: found where code keeps to them, and nowhere else."""

import os
from pathlib import Path

import pytest

from memwarden_sidecar.probes.bounded import LOOKS, BoundsInCode
from memwarden_sidecar.probes.census import Census
from memwarden_sidecar.probes.holdings import CacheSize, ContainerSize
from memwarden_sidecar.settings import SOURCE_BYTES
from memwarden_sidecar.sources.code_bounds import bound_of, code_bounds
from memwarden_sidecar.sources.proc_files import ProcFolder

SHOP = """
from collections import OrderedDict
SEEN = OrderedDict()
WINDOW = 4_000  # orders

def is_new(key):
    SEEN[key] = None
    if len(SEEN) > WINDOW:
        SEEN.popitem(last=False)

class Store:
    def __init__(self, most: int = 8 * 1024, kept=100):
        self.table = {}
        self.kept = kept
        self.recent: dict = {}

    def put(self, key, value):
        self.table[key] = value
        if 2500 <= len(self.table):
            self.flush()
        while key and len(self.recent) >= self.kept:
            del self.recent[next(iter(self.recent))]

    def flush(self):
        self.table = {}

store = Store(kept=300)
"""


def test_what_code_keeps_to_is_found() -> None:
    found = {(one.owner, one.name): (one.entries, one.line) for one in code_bounds(SHOP)}
    assert found == {("", "SEEN"): (4000, 8), ("Store", "table"): (2500, 19), ("Store", "recent"): (300, 21)}


@pytest.mark.parametrize(
    ("name", "entries"),
    [
        ("__main__.SEEN", 4000),
        ("shop.orders.SEEN", 4000),
        ("shop.orders.Store.table", 2500),
        ("shop.orders.Other.table", None),
        ("__main__.KEPT", None),
        ("", None),
    ],
)
def test_a_census_name_finds_its_bound(name: str, entries: int | None) -> None:
    found = bound_of(name, code_bounds(SHOP))
    assert (found and found.entries) == entries


@pytest.mark.parametrize(
    "source",
    [
        "X = {}\nif len(X) > 100:\n    print(len(X))\n",  # nothing is taken out
        "X = {}\nif len(X) > 100:\n    pass\nX.clear()\n",  # not because of the comparison
        "X = {}\nY = {}\nif len(X) > 100:\n    Y.clear()\n",  # of another
        "X = {}\nif len(X) > limit():\n    X.clear()\n",  # a number that no file tells
        "X = {}\nN = int(os.environ['N'])\nif len(X) > N:\n    X.clear()\n",
        "X = {}\n# if len(X) > 100: X.clear()\n",
        "def f(X):\n    if len(X) > 100:\n        X.clear()\n",  # a variable of a function
        "X = {}\nif len(X) > 9" + "9" * 30 + ":\n    X.clear()\n",
        "if len(X > 3:\n  \x00 ) = ((",
        "",
    ],
)
def test_what_is_not_sure_is_not_said(source: str) -> None:
    assert code_bounds(source) == []


def census(entries: int, name: str = "__main__.SEEN") -> Census:
    return Census((), (), (ContainerSize("1a", "builtins.dict", name, entries),))


def test_a_growing_container_with_a_bound_in_its_code_becomes_a_cache() -> None:
    bounds = BoundsInCode(lambda path: SHOP if path == "/srv/shop.py" else "")
    assert bounds.applied(census(300), lambda: ["/srv/shop.py"]) == census(300)  # does it grow?
    found = bounds.applied(census(350), lambda: ["/srv/other.py", "/srv/shop.py"])
    assert found.caches == (
        CacheSize("1a", "builtins.dict", "__main__.SEEN", "/srv/shop.py", 8, 350, 4000, None, None),
    )
    assert found.containers == ()
    # Its code is not read again, and its name may be lost: it is the same one.
    assert bounds.applied(census(360, ""), list).caches[0].entries == 360


def test_one_without_a_bound_is_looked_up_a_few_times_only() -> None:
    asked = []

    def files() -> list[str]:
        asked.append(True)
        return ["/srv/shop.py"]

    bounds = BoundsInCode(lambda _: SHOP)
    for entries in range(300, 310):
        assert bounds.applied(census(entries, "__main__.KEPT"), files).caches == ()
    assert len(asked) == LOOKS


def test_the_source_is_read_as_the_process_sees_it_and_within_bounds(tmp_path: Path) -> None:
    proc, pid = ProcFolder(), os.getpid()
    (tmp_path / "shop.py").write_text(SHOP)
    assert proc.source(pid, str(tmp_path / "shop.py")) == SHOP
    (tmp_path / "large.py").write_bytes(b"\xff" * (SOURCE_BYTES + 10))
    assert len(proc.source(pid, str(tmp_path / "large.py"))) == SOURCE_BYTES
    os.mkfifo(tmp_path / "pipe.py")  # nobody writes: whoever waits for it hangs
    for bad in ("pipe.py", "", "nowhere.py"):
        assert proc.source(pid, str(tmp_path / bad)) == ""
    assert proc.source(pid, "shop.py") == ""
    assert proc.source(pid, "/\0") == ""
