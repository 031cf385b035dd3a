"""Limits of control groups: both versions, hierarchies, containers, and this machine's own."""

import os
from pathlib import Path

import pytest

from memwarden_sidecar.sources.cgroup import MemoryCgroup, find
from memwarden_sidecar.sources.memory_limit import MemoryLimit
from memwarden_sidecar.sources.proc_files import ProcFolder

MIB = 1 << 20


class Machine:
    """A /proc and a cgroup hierarchy in a folder."""

    def __init__(self, root: Path, cgroup: str, mounts: list[str], available=8192 * MIB, total=16384 * MIB):
        self.groups = root / "cgroup"
        self.proc = root / "proc"
        for folder in (self.groups, self.proc / "7", self.proc / "self"):
            folder.mkdir(parents=True)
        (self.proc / "7" / "cgroup").write_text(cgroup)
        lines = [line.replace("MOUNT", str(self.groups)) for line in mounts]
        (self.proc / "self" / "mountinfo").write_text("\n".join(lines) + "\n")
        self.set_available(available, total)

    def set_available(self, available, total=16384 * MIB):
        text = f"MemTotal:  {total >> 10} kB\nMemAvailable: {available >> 10} kB\n"
        (self.proc / "meminfo").write_text(text)

    def write(self, path: str, **values) -> None:
        folder = self.groups / path
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in values.items():
            (folder / name.replace("memory_", "memory.", 1)).write_text(f"{value}\n")


V2_MOUNT = "30 20 0:26 / MOUNT rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"
V1_MOUNT = "35 31 0:32 / MOUNT rw,relatime - cgroup cgroup rw,memory"
OTHER = "33 31 0:30 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu"


def version_2(root: Path) -> Machine:
    machine = Machine(root, "0::/user.slice/app.scope\n", [OTHER, V2_MOUNT])
    machine.write("user.slice", memory_current=700 * MIB, memory_max=1024 * MIB)
    machine.write("user.slice/app.scope", memory_current=300 * MIB, memory_max="max")
    (machine.groups / "user.slice" / "memory.stat").write_text(
        f"anon 1\ninactive_file {100 * MIB}\nactive_file {50 * MIB}\n"
    )
    return machine


def test_version_2_takes_the_lowest_limit_above(tmp_path):
    machine = version_2(tmp_path)
    found = find(ProcFolder(machine.proc), 7)
    assert found.version == 2
    memory = found.read()
    assert memory.usage == 300 * MIB
    assert memory.limit == 1024 * MIB
    assert memory.available == (1024 - 700 + 150) * MIB


def test_version_1_of_a_hybrid_machine(tmp_path):
    cgroup = "5:devices:/x\n4:memory,other:/jobs/one\n0::/\n"
    machine = Machine(tmp_path, cgroup, [OTHER, V1_MOUNT, V2_MOUNT.replace("MOUNT", "/nowhere")])
    machine.write(".", memory_usage_in_bytes=9, memory_limit_in_bytes=9223372036854771712)
    machine.write("jobs", memory_usage_in_bytes=100 * MIB, memory_limit_in_bytes=9223372036854771712)
    machine.write("jobs/one", memory_usage_in_bytes=64 * MIB, memory_limit_in_bytes=256 * MIB)
    found = find(ProcFolder(machine.proc), 7)
    assert found.version == 1
    assert (found.read().usage, found.read().limit) == (64 * MIB, 256 * MIB)
    assert found.read().available == 192 * MIB


def test_anonymous_and_shared_memory_of_a_group_in_both_versions(tmp_path):
    recorded = {  # of a process with 40 MiB of its own and 3 MiB in a memfd
        1: "cache 3145728\nrss 41943040\nshmem 3145728\ntotal_cache 3145728\ntotal_rss 41943040\n"
        "total_shmem 3145728\ntotal_inactive_file 0\n",
        2: "anon 41943040\nfile 3145728\nkernel 524288\nshmem 3145728\ninactive_file 0\n",
    }
    for version, text in recorded.items():
        folder = tmp_path / str(version)
        folder.mkdir()
        group = MemoryCgroup(folder, folder, version)
        assert group.anon() is None
        (folder / "memory.stat").write_text(text)
        assert group.anon() == 43 * MIB


def test_in_a_container_the_mount_shows_only_its_own_group(tmp_path):
    mount = "30 20 0:26 /kubepods/pod1 MOUNT ro - cgroup2 cgroup ro"
    machine = Machine(tmp_path, "0::/kubepods/pod1/app\n", [mount])
    machine.write(".", memory_current=10 * MIB, memory_max=500 * MIB)
    machine.write("app", memory_current=5 * MIB, memory_max=200 * MIB)
    assert find(ProcFolder(machine.proc), 7).read().limit == 200 * MIB


@pytest.mark.parametrize("cgroup", ["0::/../other\n", "0::/gone\n"])
def test_a_group_that_is_not_below_the_mount_is_read_at_the_mount(tmp_path, cgroup):
    machine = Machine(tmp_path, cgroup, [V2_MOUNT])
    machine.write(".", memory_current=10 * MIB, memory_max=77 * MIB)
    assert find(ProcFolder(machine.proc), 7).read().limit == 77 * MIB


def test_without_a_memory_group_there_is_none(tmp_path):
    machine = Machine(tmp_path, "1:cpu:/\n", [OTHER])
    assert find(ProcFolder(machine.proc), 7) is None
    assert find(ProcFolder(machine.proc), 8) is None


def test_the_limit_is_the_option_then_the_groups_then_what_is_left(tmp_path):
    machine = version_2(tmp_path)
    proc = ProcFolder(machine.proc)
    option, group = MemoryLimit(proc, 5 * MIB), MemoryLimit(proc, None)
    for limit in (option, group):
        limit.follow(7)
    assert (option.look(MIB).limit, option.look(MIB).source) == (5 * MIB, "option")
    assert (group.look(MIB).limit, group.look(MIB).source) == (1024 * MIB, "cgroup")
    assert group.look(MIB).available == 474 * MIB
    nothing = MemoryLimit(proc, None)
    first = nothing.look(300 * MIB)
    machine.set_available(1 * MIB)
    assert (first.limit, first.source) == (8492 * MIB, "available")
    assert nothing.look(9000 * MIB).limit == first.limit
    assert nothing.look(9000 * MIB).available == 1 * MIB


def test_a_limit_above_the_machines_memory_is_none(tmp_path):
    machine = version_2(tmp_path)
    machine.set_available(300 * MIB, total=512 * MIB)
    limit = MemoryLimit(ProcFolder(machine.proc), None)
    limit.follow(7)
    assert limit.look(MIB).source == "available"


def test_a_limit_that_is_changed_is_seen(tmp_path):
    machine = version_2(tmp_path)
    limit = MemoryLimit(ProcFolder(machine.proc), None)
    limit.follow(7)
    machine.write("user.slice/app.scope", memory_max=400 * MIB)
    assert limit.look(MIB).limit == 400 * MIB


def test_this_machine():
    found = find(ProcFolder(), os.getpid())
    if found is None:
        pytest.skip("no memory cgroup is visible here")
    memory = found.read()
    assert memory.limit is None or memory.limit > 0
    root_of_version_2 = found.version == 2 and found.folder == found.mount
    assert root_of_version_2 or memory.usage > 0
