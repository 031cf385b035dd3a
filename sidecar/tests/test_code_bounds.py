"""Bounds that stand in a program's code: found where code keeps to them, and nowhere else."""

import os
from pathlib import Path

import pytest

from memwarden_sidecar.probes.bounded import LOOKS, BoundsInCode
from memwarden_sidecar.probes.census import Census
from memwarden_sidecar.probes.holdings import CacheSize, ContainerSize
from memwarden_sidecar.settings import SOURCE_BYTES
from memwarden_sidecar.sources.code_bounds import Unit, bound_of, code_bounds
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
    found = {(one.owner, one.name): (one.most, one.line) for one in code_bounds(SHOP)}
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
    assert (found and found.most) == entries


ROOMS = """
import heapq, os, time
KEPT, IDLE_SECONDS = 500, 2.5
MOST_BYTES = 12 * 1024 * 1024
ALLOWED = int(os.environ.get("ALLOWED", "2300"))
SESSIONS = {}
ANSWERS = {}
DUE = []
WAVES = {}
HISTORY = []
LOG = []
NAMES = {}
BUCKETS = {}
TEXTS = {}

class Ring:
    def __init__(self, room, width=4):
        self.room = room
        self.rows = []
        self.free = []

    def put(self, row):
        while len(self.rows) >= self.room:
            self.rows.pop(0)
        self.rows.append(row)

    def give_back(self, part):
        if len(self.free) < KEPT:
            self.free.append(part)

class Pages:
    def __init__(self):
        self.pages, self.size, self.count = {}, 0, 0
        self.kept = {}

    def put(self, key, page):
        self.pages[key] = page
        self.size += len(page)
        self.count += 1
        while self.size > MOST_BYTES:
            self.size -= len(self.pages.popitem()[1])
        if self.count >= 700:
            self.kept.clear()

ring = Ring(5000)

def visit(name):
    now = time.monotonic()
    for old in [each for each, used in SESSIONS.items() if now - used["at"] > IDLE_SECONDS]:
        del SESSIONS[old]

def answer(key):
    now = time.time()
    heapq.heappush(DUE, (now + 8.0, key))
    ANSWERS[key] = (now + 8.0, key)

def sweep():
    while DUE and DUE[0][0] < time.time():
        ANSWERS.pop(heapq.heappop(DUE)[1], None)

def forget():
    oldest = time.time() - 45
    for bucket in [bucket for bucket in BUCKETS if bucket < oldest]:
        del BUCKETS[bucket]

class Clicks:
    def __init__(self):
        self.clicks = []

    def add(self, click):
        while self.clicks[0]["when"] < click["when"] - IDLE_SECONDS:
            self.clicks.popleft()

def keep(number, state):
    global LOG
    WAVES[number % 6_000] = state
    HISTORY.append(state)
    del HISTORY[:-30]
    LOG = LOG[-KEPT:]
    if len(NAMES) > ALLOWED:
        NAMES.clear()
    while sum(map(len, TEXTS.values())) > MOST_BYTES:
        TEXTS.popitem()
"""


def test_lengths_sizes_and_ages_are_found_as_they_are_written() -> None:
    found = {f"{one.owner}.{one.name}".strip("."): (one.unit, one.most) for one in code_bounds(ROOMS)}
    assert found == {
        "Ring.rows": (Unit.ENTRIES, 5000),
        "Ring.free": (Unit.ENTRIES, 500),
        "Pages.kept": (Unit.ENTRIES, 700),
        "Pages.pages": (Unit.BYTES, 12 << 20),
        "SESSIONS": (Unit.SECONDS, 2.5),
        "DUE": (Unit.SECONDS, 8.0),
        "ANSWERS": (Unit.SECONDS, 8.0),
        "BUCKETS": (Unit.SECONDS, 45),
        "Clicks.clicks": (Unit.SECONDS, 2.5),
        "WAVES": (Unit.ENTRIES, 6000),
        "HISTORY": (Unit.ENTRIES, 30),
        "LOG": (Unit.ENTRIES, 500),
        "NAMES": (Unit.ENTRIES, 2300),
        "TEXTS": (Unit.BYTES, 12 << 20),
    }


@pytest.mark.parametrize(
    "source",
    [
        # How old something is, and what is taken out, have nothing to do with each other.
        "import time\nX = {}\ndef f():\n    if time.time() - X['at'] > 9:\n        print(X)\n",
        "X = {}\ndef f(a, b):\n    if a - b > 9:\n        X.clear()\n",  # no time
        "X = {}\nN = 0\ndef f():\n    if N > 9:\n        X.clear()\n",  # a number of nobody knows what
        "X = []\ndef f(n):\n    if len(X) < 9:\n        print(X)\n    X.append(n)\n",
        "X = {}\ndef f(n, size):\n    X[n % size] = n\n",
        "class A:\n    def __init__(self, most):\n        self.x = {}\n        self.most = most\n"
        "    def f(self):\n        if len(self.x) > self.most:\n            self.x.clear()\na = A(read())\n",
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


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "line", ["    name_of_it,\n", "a, " * 100 + "\n", "    kept: list of " + "z " * 150 + "\n"]
)
def test_a_file_of_long_lists_is_read_in_one_go(line: str) -> None:
    many = line * (SOURCE_BYTES // len(line))
    (found,) = code_bounds(
        f"KEPT = {{}}\ndef put(key):\n    if len(KEPT) > 50: KEPT.popitem()\nfrom m import (\n{many})"
    )
    assert (found.name, found.most) == ("KEPT", 50)


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


def test_bounds_of_bytes_and_ages_are_sent_as_what_they_are() -> None:
    bounds = BoundsInCode(lambda _: ROOMS)
    for name in ("__main__.Pages.pages", "__main__.SESSIONS"):
        for entries in (300, 350):
            found = bounds.applied(
                Census((), (), (ContainerSize(name, "builtins.dict", name, entries),)),
                lambda: ["/srv/rooms.py"],
            )
        (cache,) = found.caches
        of_bytes = name.endswith("pages")
        assert (cache.bound, cache.bound_bytes, cache.bound_age) == (
            (None, 12 << 20, None) if of_bytes else (None, None, 2.5)
        )


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
