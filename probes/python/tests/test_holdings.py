"""Does the census know bounds where they are, names of what holds much, and nothing where nothing is sure?"""

import json
import re
from pathlib import Path

import interpreters
import pytest
from test_census import private_dirty

PROBE = Path(__file__).resolve().parents[1]
WAIT = """
    print("ready", flush=True)
    while True:
        time.sleep(0.02); bytes(1000)  # only who allocates can be asked
    """
SHOP = """
    import collections, functools, queue, sys, threading, time

    class Shop:
        TAXES = {number: number for number in range(300)}  # of numbers alone: in no ring of the collector
        def __init__(self):
            self.orders = [{} for _ in range(400)]
            self.pages = {str(number): b"page" for number in range(500)}
        @functools.lru_cache(maxsize=100)
        def price(self, number):
            return number

    class Private:  # as cachetools has it
        def __init__(self):
            self.__maxsize = 1000
            self.__data = {number: [] for number in range(200)}

    class Slotted:  # as SQLAlchemy has it: it may be over its capacity by half
        __slots__ = ("capacity", "threshold", "_data", "unset")
        def __init__(self):
            self.capacity, self.threshold, self._data = 100, 0.5, {number: [] for number in range(140)}

    class Mapping(collections.OrderedDict):  # as expiringdict has it
        def __init__(self):
            super().__init__((number, []) for number in range(40))
            self.max_len = 50

    class Recent(collections.deque):
        pass

    shop = Shop()
    for number in range(60):
        shop.price(number), shop.price(number)

    @functools.lru_cache(maxsize=None)
    def for_ever(number):
        return [number]

    for number in range(30):
        for_ever(number)
    bound_method = functools.lru_cache(maxsize=10)(shop.price)
    bound_method(1)
    partial = functools.lru_cache(maxsize=11)(functools.partial(shop.price, 1))
    partial()
    native = functools.lru_cache(maxsize=12)(len)
    native("word")
    private, slotted, mapping = Private(), Slotted(), Mapping()
    vars(mapping)
    LOG = collections.deque(range(90), maxlen=400)
    recent = Recent(range(70), maxlen=30)
    jobs = queue.Queue(maxsize=500)
    for number in range(20):
        jobs.put(number)
    without_end = queue.Queue()
    for number in range(270):
        without_end.put(number)
    seen = {number for number in range(999)}
    """
GROW = """
    def grow():
        sys.stdin.readline()
        for number in range(300):
            for_ever(number)
            seen.add(-number)
        print("grown", flush=True)
    threading.Thread(target=grow, daemon=True).start()
    """


def ours(entries):
    return {entry["name"]: entry for entry in entries if "/lib/python" not in entry.get("file", "")}


@pytest.mark.parametrize("version", interpreters.WITH_CENSUS)
def test_knows_each_kind_of_cache_and_who_holds_much(listener, run, tmp_path, version):
    program = run(version, SHOP + GROW + WAIT)
    program.line()
    peer = listener.peer(program.pid)
    first = peer.ask("census", 2, top=5)["result"]
    lines = (tmp_path / "program.py").read_text().splitlines()
    caches = ours(first["caches"])

    prices = [entry for entry in first["caches"] if entry["name"] == "Shop.price"]
    assert {(entry["bound"], entry["entries"]) for entry in prices} == {(100, 60), (10, 1), (11, 1)}
    price = next(entry for entry in prices if entry["bound"] == 100)
    assert (price["kind"], price["hits"], price["misses"]) == ("lru_cache", 62, 60)
    assert price["file"].endswith("/program.py")
    assert lines[price["line"] - 1].strip() == "@functools.lru_cache(maxsize=100)"
    assert (caches["for_ever"]["bound"], caches["for_ever"]["entries"]) == (None, 30)
    assert (caches["__main__.native"]["bound"], caches["__main__.native"]["kind"]) == (12, "lru_cache")
    for name, kind, entries, bound in (
        ("LOG", "deque", 90, 400),
        ("recent", "deque", 30, 30),
        ("jobs", "queue.Queue", 20, 500),
        ("private", "__main__.Private", 200, 1000),
        ("slotted", "__main__.Slotted", 140, 150),
        ("mapping", "__main__.Mapping", 40, 50),
    ):
        found = caches[f"__main__.{name}"]
        assert (found["kind"], found["entries"], found["bound"]) == (kind, entries, bound), name
        assert "hits" not in found

    program.go_on()
    assert program.line() == "grown"
    second = peer.ask("census", 3, top=5)["result"]
    assert ours(second["caches"])["for_ever"] == {
        **caches["for_ever"], "entries": 300, "hits": 30, "misses": 300,
    }  # fmt: skip
    containers = ours(second["containers"])
    for name, kind, entries in (
        ("seen", "builtins.set", 999 + 299),
        ("Shop.TAXES", "builtins.dict", 300),
        ("Shop.orders", "builtins.list", 400),
        ("Shop.pages", "builtins.dict", 500),
    ):
        found = containers[f"__main__.{name}"]
        assert (found["type"], found["entries"]) == (kind, entries), name
    # Who holds it is known by its second census at the latest; a queue without a bound is a container like others.
    assert containers["queue.Queue.queue"]["entries"] == 270
    assert ours(first["containers"])["__main__.seen"]["id"] == containers["__main__.seen"]["id"]
    identities = [entry["id"] for entry in (*second["caches"], *second["containers"])]
    assert len(identities) == len(set(identities))
    assert all(re.fullmatch("[0-9a-f]{16}", identity) for identity in identities)
    assert len(second["containers"]) <= 48
    assert [entry["entries"] for entry in second["containers"]] == sorted(
        (entry["entries"] for entry in second["containers"]), reverse=True
    )


@pytest.mark.parametrize("version", interpreters.WITH_CENSUS)
def test_what_is_no_bound_is_none(listener, run, version):
    source = """
    import sys, time

    class Held:
        def __init__(self, bound, entries=50, **more):
            self.maxsize = bound
            self.kept = [[] for _ in range(entries)]
            self.__dict__.update(more)
        def __getattribute__(self, name):  # of ours nothing may be called
            print("called", name, file=sys.stderr)
            return object.__getattribute__(self, name)

    class Computed:
        def __init__(self):
            self.kept = [[] for _ in range(50)]
        @property
        def maxsize(self):
            print("called", file=sys.stderr)
            return 100

    class Odd(dict):
        __slots__ = ("limit", "__dict__")
        __hash__ = None
        def __len__(self):
            print("called", file=sys.stderr)
            return 10**6

    class Number(int):
        pass

    class Named:
        pass

    odd = [Held.__new__(Held) for _ in range(3)]  # nothing in them yet
    for bound in (0, -5, True, False, None, 1.5, "100", 2**31, 2**60, 2**200, -(2**200), Number(100), [], {}):
        held = Held.__new__(Held)
        object.__setattr__(held, "maxsize", bound)
        object.__setattr__(held, "kept", [[] for _ in range(50)])
        odd.append(held)
    small = Named(); small.capacity = 100; small.kept = [1, 2, 3]
    over = Named(); over.capacity = 100; over.kept = [[] for _ in range(101)]
    sized = Named(); sized.capacity = 100; sized.kept = {n: [] for n in range(50)}; sized.getsizeof = len
    unlike = Named(); unlike.capacity = 100; unlike.name = "kept"; unlike.pair = tuple([] for _ in range(50))
    other = Named(); other.__dict__ = {"capacity": 100, 5: 6, "\\u043a": 7, "x" * 500: 8}
    other.kept = {n: [] for n in range(50)}
    odd_one = Odd((n, []) for n in range(40)); odd_one.limit = 80; odd_one.__dict__["more"] = 1
    computed = Computed()
    sure = Named(); sure.other = 2; sure._Named__max_entries = 100; sure.kept = {n: [] for n in range(50)}
    """
    program = run(version, source + WAIT)
    program.line()
    answer = listener.peer(program.pid).ask("census", 2, top=5)["result"]
    named = ("__main__.sure", 50, 100), ("__main__.odd_one", 40, 80), ("__main__.other", 50, 100)
    found = {(entry["name"], entry["entries"], entry["bound"]) for entry in ours(answer["caches"]).values()}
    assert found == {*named, ("", 50, 2**31)}
    program.process.kill()
    assert program.process.communicate()[1] == ""


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_reads_on_while_all_of_it_changes(listener, run, version):
    source = """
    import collections, functools, random, sys, threading, time

    class Cache:
        def __init__(self):
            self.maxsize = 500
            self.kept = {}

    @functools.lru_cache(maxsize=300)
    def price(number):
        return [number]

    kept, alive = {}, collections.deque(maxlen=700)
    ballast = [[{}] for _ in range(100_000)]  # so that a walk takes pauses
    def work(seed):
        chance = random.Random(seed)
        while True:
            cache = kept[chance.randrange(50)] = Cache()
            for number in range(chance.randrange(400)):
                cache.kept[number] = [number]
            functools.lru_cache(maxsize=50)(lambda: [1])()
            [price(chance.randrange(1000)) for _ in range(200)]
            vars(cache)["more"] = chance
            del cache.maxsize
            cache.__class__ = type("Later", (Cache,), {"limit": {n: n for n in range(300)}})
            cache.capacity = 400
            alive.append(cache)
            setattr(sys.modules[__name__], "global_%d" % chance.randrange(2000), cache.kept)
    for seed in range(3):
        threading.Thread(target=work, args=(seed,), daemon=True).start()
    print("ready", flush=True)
    sys.stdin.readline()
    """
    program = run(version, source)
    program.line()
    peer = listener.peer(program.pid)
    for number in range(2, 8):
        answer = peer.ask("census", number, top=20)["result"]
        for cache in answer["caches"]:
            assert cache["bound"] is None or 0 < cache["entries"] <= cache["bound"] <= 2**30
            assert cache["kind"] == "?" or "." in cache["kind"] or cache["kind"] in ("lru_cache", "deque")
        assert all(container["entries"] >= 128 for container in answer["containers"])
    found = [cache for cache in answer["caches"] if cache["name"] == "price"]
    assert answer["partial"] or [cache["bound"] for cache in found] == [300]


@pytest.mark.parametrize("version", interpreters.REQUIRED)
def test_a_forked_worker_keeps_sharing_what_it_holds(listener, run, version):
    source = """
    import collections, functools, gc, os, sys, time

    class Cache:
        def __init__(self):
            self.maxsize = 100
            self.kept = {n: [n] for n in range(20)}

    @functools.lru_cache(maxsize=None)
    def price(number):
        return [number]

    kept = [Cache() for _ in range(10_000)] + [collections.deque(([n] for n in range(20)), 30) for n in range(5000)]
    [price(number) for number in range(20_000)]
    gc.disable()
    worker = os.fork()
    if worker:
        print(worker, flush=True)
        os.waitpid(worker, 0)
    while True:
        time.sleep(0.02); bytes(1000)  # only who allocates can be asked
    """
    program = run(version, source)
    worker = int(program.line())
    peer = listener.peer(worker)
    before = private_dirty(worker)
    answer = peer.ask("census", 3, top=10)["result"]
    after = private_dirty(worker)
    assert sum(cache["kind"] != "lru_cache" for cache in answer["caches"]) == 64
    assert answer["caches"][0]["name"] == "price"
    assert answer["caches"][-1] | {"id": ""} == {
        "id": "", "kind": "__main__.Cache", "name": "", "entries": 20, "bound": 100,
    }  # fmt: skip
    assert after - before <= 1024


@pytest.mark.parametrize("version", interpreters.HOOKED)
def test_attributes_read_at_wrong_places_are_found_out(run, version):
    """With the tables of other versions: the self-test says so, and nothing crashes."""
    source = """
    import importlib.machinery, importlib.util, json, os, shutil, sys
    folder, self_test = sys.argv[1:]
    try:
        libc = "glibc" if os.confstr("CS_GNU_LIBC_VERSION") else "musl"
    except (ValueError, OSError):
        libc = "musl"
    library = os.path.join(folder, "memwarden_hook-linux-%s-%s.so" % (os.uname().machine, libc))
    tests, said = {}, {}
    exec(open(self_test).read(), tests)
    for number, table in enumerate((sys.hexversion, 0x030812F0, 0x030A0DF0, 0x030B07F0, 0x030C01F0)):
        path = "copy_%d.so" % number
        shutil.copy(library, path)
        loader = importlib.machinery.ExtensionFileLoader("memwarden_hook", path)
        spec = importlib.util.spec_from_file_location("memwarden_hook", path, loader=loader)
        hook = importlib.util.module_from_spec(spec)
        loader.exec_module(hook)
        assert hook.prepare(table) is None
        said["own" if table == sys.hexversion else str(table >> 16 & 255)] = tests["find_attribute_mismatch"](
            hook.attributes
        )
    print(json.dumps(said))
    """
    self_test = PROBE / "memwarden_probe" / "self_test.py"
    arguments = ["program.py", str(PROBE / "lib"), str(self_test)]
    said = json.loads(run(version, source, arguments=arguments, MEMWARDEN_DISABLE="1").finish()[0])
    assert said.pop("own") == ""
    minor = int(version.split(".")[1])
    for table, mismatch in said.items():
        # Up to 3.10 nothing changed where attributes are; a patch release changes it never.
        is_alike = int(table) == minor or (minor <= 10 and int(table) <= 10)
        assert bool(mismatch) != is_alike, (table, mismatch)
