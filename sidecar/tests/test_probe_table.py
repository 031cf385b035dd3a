"""Does the reader read what a probe writes, and survive whatever else a peer may send?"""

import fcntl
import os
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from memwarden_sidecar.sources.probe_table import AGE_BOUNDS_SECONDS, ProbeTable, ProbeTableError

ENTRIES_AT, NODES_AT, FRAMES_AT, STRINGS_AT, END = 4096, 2101248, 3149824, 3674112, 5771264
SECOND = 1_000_000_000
START = 1000 * SECOND
NOW = START + 400 * SECOND


@dataclass
class Fake:
    """Writes a table as the probe does; any number in it can be changed before it is sealed."""

    strings: bytearray = field(default_factory=lambda: bytearray(4))
    frames: list[tuple[int, int, int, int]] = field(default_factory=lambda: [(0, 0, 0, 0)])
    nodes: list[tuple[int, int]] = field(default_factory=lambda: [(0, 0)])
    entries: list[tuple[int, int, float, int, int]] = field(default_factory=list)
    changes: dict[str, int | bytes] = field(default_factory=dict)

    def text(self, value: str) -> int:
        at, raw = len(self.strings), value.encode()
        self.strings += struct.pack("<I", len(raw)) + raw + bytes(-len(raw) % 4)
        return at

    def frame(self, file: str, function: str, line: int) -> int:
        self.frames.append((self.text(file), self.text(function), line, 1))
        return len(self.frames) - 1

    def node(self, parent: int, frame: int) -> int:
        self.nodes.append((parent, frame))
        return len(self.nodes) - 1

    def sample(self, stack: int, size: int, weight: float, birth_seconds: float) -> None:
        address = 0x1000 + 64 * len(self.entries)
        self.entries.append((address, size, weight, int(birth_seconds * 1000), stack))

    def header(self) -> bytes:
        values: dict[str, int | bytes] = {
            "magic": b"MWTABLE1", "layout": 2, "header": 288, "pid": 41, "ppid": 40, "generation": 2, "sequence": 6,
            "average": 524288, "entry_limit": 65536, "entry_high": len(self.entries), "live": len(self.entries),
            "node_limit": 131072, "node_high": len(self.nodes), "frame_limit": 32768,
            "frame_high": len(self.frames), "string_limit": 2097152, "string_high": len(self.strings),
            "fork_ms": 0,
        }  # fmt: skip
        values.update(self.changes)
        fork_ms = values.pop("fork_ms")
        counters = [
            7,
            START,
            NOW,
            NOW - SECOND,
            fork_ms,
            100,
            200,
            300,
            4000,
            50,
            3,
            2,
            1,
            *range(7),
            524288,
            0,
        ]
        return struct.pack("<8s6IQ10I2d22Q4I", *values.values(), 0, 1.5, 2.5, *counters, 20000, 0, 0, 0)

    def write(self, *, seals: int = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW, size: int = END) -> int:
        fd = os.memfd_create("fake", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
        os.ftruncate(fd, size)
        os.pwrite(fd, self.header(), 0)
        os.pwrite(fd, b"".join(struct.pack("<QQdII", *entry) for entry in self.entries), ENTRIES_AT)
        os.pwrite(fd, b"".join(struct.pack("<II", *node) for node in self.nodes), NODES_AT)
        os.pwrite(fd, b"".join(struct.pack("<4I", *frame) for frame in self.frames), FRAMES_AT)
        os.pwrite(fd, self.strings, STRINGS_AT)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
        return fd


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
def descriptors() -> Iterator[list[int]]:
    kept: list[int] = []
    yield kept
    for fd in kept:
        os.close(fd)


def with_one_stack(fake: Fake) -> int:
    main = fake.node(0, fake.frame("app.py", "main", 10))
    return fake.node(main, fake.frame("app.py", "Größe.hält", 20))


def test_reads_sites_leaf_first_with_ages(fake: Fake, descriptors: list[int]) -> None:
    stack = with_one_stack(fake)
    fake.sample(stack, 100, 2.0, 399.5)
    fake.sample(stack, 300, 4.0, 320)
    fake.sample(0, 50, 1.0, 399.5)
    descriptors.append(fake.write())
    with ProbeTable.from_fd(os.dup(descriptors[0])) as table:
        sites = {site.frames: site for site in table.read_sites(NOW)}
    known = sites[("app.py", "Größe.hält", 20), ("app.py", "main", 10)]
    assert (known.bytes, known.blocks, known.samples) == (1400.0, 6.0, 2)
    assert known.inherited == ()
    assert len(known.own) == len(AGE_BOUNDS_SECONDS) + 1
    assert [bucket.bytes for bucket in known.own] == [200.0, 0, 0, 0, 0, 0, 1200.0, 0, 0, 0]
    assert sites[()].bytes == 50.0


def test_keeps_what_was_born_before_the_fork_apart(fake: Fake, descriptors: list[int]) -> None:
    stack = with_one_stack(fake)
    fake.changes["fork_ms"] = 300_000
    fake.sample(stack, 100, 2.0, 299.999)
    fake.sample(stack, 10, 3.0, 300)
    descriptors.append(fake.write())
    with ProbeTable.from_fd(os.dup(descriptors[0])) as table:
        (site,) = table.read_sites(NOW)
    assert (site.bytes, site.samples) == (30.0, 1)
    assert (site.inherited_bytes, site.inherited_samples) == (200.0, 1)


def test_reads_the_header(fake: Fake, descriptors: list[int]) -> None:
    descriptors.append(fake.write())
    with ProbeTable.from_fd(os.dup(descriptors[0])) as table:
        header = table.read_header()
    assert (header.pid, header.parent_pid, header.generation, header.average_bytes) == (41, 40, 2, 524288)
    assert (header.live_bytes, header.live_blocks) == (1.5, 2.5)
    assert (header.tick_monotonic_ns, header.rss_bytes, header.allocated_bytes) == (NOW, 100, 4000)
    assert header.gc_collections == (3, 2, 1)
    assert (header.own_cost_ns, header.hook_losses) == (5, 6)
    assert (header.wanted_average, header.budget_ppm, header.switched_off) == (524288, 20000, False)


def test_sees_what_was_added_later(fake: Fake, descriptors: list[int]) -> None:
    fake.sample(with_one_stack(fake), 100, 2.0, 1)
    fd = fake.write()
    descriptors.append(fd)
    with ProbeTable.from_fd(os.dup(fd)) as table:
        assert len(table.read_sites(NOW)) == 1
        fake.sample(fake.node(0, fake.frame("late.py", "later", 3)), 100, 2.0, 2)
        os.pwrite(fd, struct.pack("<QQdII", *fake.entries[-1]), ENTRIES_AT + 32)
        os.pwrite(fd, b"".join(struct.pack("<II", *node) for node in fake.nodes), NODES_AT)
        os.pwrite(fd, b"".join(struct.pack("<4I", *frame) for frame in fake.frames), FRAMES_AT)
        os.pwrite(fd, fake.strings, STRINGS_AT)
        os.pwrite(fd, fake.header(), 0)
        assert (("late.py", "later", 3),) in {site.frames for site in table.read_sites(NOW)}


def test_a_process_killed_amid_a_write_stays_readable(fake: Fake, descriptors: list[int]) -> None:
    fake.changes["sequence"] = 7
    fake.sample(with_one_stack(fake), 100, 2.0, 1)
    descriptors.append(fake.write())
    with ProbeTable.from_fd(os.dup(descriptors[0])) as table:
        assert table.read_header().pid == 41
        assert len(table.read_sites(NOW)) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"magic": b"NOTABLE!"}, "MWTABLE1"),
        ({"layout": 1}, "layout 1"),
        ({"entry_high": 65537}, "more entries"),
        ({"node_high": 0xFFFFFFFF}, "more entries"),
        ({"string_high": 2097153}, "more entries"),
        ({"frame_limit": 1}, "limits"),
    ],
)
def test_refuses_headers_that_cannot_be(
    fake: Fake, descriptors: list[int], changes: dict[str, int | bytes], reason: str
) -> None:
    fake.changes.update(changes)
    descriptors.append(fake.write())
    with pytest.raises(ProbeTableError, match=reason):
        ProbeTable.from_fd(descriptors[0])


def test_refuses_what_is_not_sealed_or_cut_short(fake: Fake, descriptors: list[int]) -> None:
    descriptors.extend([fake.write(seals=0), fake.write(size=END - 4096), *os.pipe()])
    for fd, reason in zip(descriptors, ("not sealed", "bytes", "refused", "refused"), strict=True):
        with pytest.raises(ProbeTableError, match=reason):
            ProbeTable.from_fd(fd)


def test_stacks_that_point_nowhere_are_unknown(fake: Fake, descriptors: list[int]) -> None:
    good = with_one_stack(fake)
    fake.nodes += [(len(fake.nodes), 1), (0, 9999), (5000, 1)]
    fake.frames.append((2**31, 5, 7, 1))
    broken_text = fake.node(0, len(fake.frames) - 1)
    for stack in (good, 3, 4, 5, broken_text, 77777):
        fake.sample(stack, 10, 1.0, 1)
    fake.entries += [(1, 2**60, 1.0, 1, good), (1, 10, float("nan"), 1, good), (1, 10, 0.5, 1, good)]
    descriptors.append(fake.write())
    with ProbeTable.from_fd(os.dup(descriptors[0])) as table:
        found = {site.frames: site.samples for site in table.read_sites(NOW)}
    assert found.pop(()) == 4
    assert found.pop((("", "", 7),)) == 1
    assert list(found.values()) == [1]


def test_random_bytes_are_survived(fake: Fake, descriptors: list[int]) -> None:
    chance = random.Random(7)
    fake.changes.update(entry_high=2000, node_high=3000, frame_high=500, string_high=9000)
    for _ in range(20):
        fd = fake.write(seals=0)
        descriptors.append(fd)
        for at, size in ((ENTRIES_AT, 64000), (NODES_AT, 24000), (FRAMES_AT, 8000), (STRINGS_AT, 9000)):
            os.pwrite(fd, chance.randbytes(size), at)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
        with ProbeTable.from_fd(os.dup(fd)) as table:
            table.read_sites()


def test_ten_thousand_samples_of_five_thousand_stacks_are_all_read(
    fake: Fake, descriptors: list[int]
) -> None:
    frames = [fake.frame("app.py", f"function_{i}", i) for i in range(500)]
    node = [0]
    for i in range(5000):
        node.append(fake.node(node[i // 2], frames[i % 500]))
    for i in range(10_000):
        fake.sample(node[1 + i % 5000], 1000, 3.0, 1)
    descriptors.append(fake.write())
    with ProbeTable.from_fd(os.dup(descriptors[0])) as table:
        sites = table.read_sites(NOW)
    assert len(sites) > 1000
    assert sum(site.samples for site in sites) == 10_000


def test_takes_the_descriptor_over_only_when_it_is_a_table(fake: Fake, descriptors: list[int]) -> None:
    descriptors.append(fake.write(seals=0))
    with pytest.raises(ProbeTableError):
        ProbeTable.from_fd(descriptors[0])
    assert os.fstat(descriptors[0]).st_size == END
    fd = fake.write()
    table = ProbeTable.from_fd(fd)
    table.close()
    table.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
