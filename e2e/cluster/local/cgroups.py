"""The cluster's own cgroup. The kubelet keeps all pods below it, so that ours can be told from others'."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cluster.errors import NotReady

# What the kubelet refuses to start without.
CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "pids")
REMOVE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Hierarchies:
    """Where the kernel shows its cgroups."""

    version: int
    by_controller: dict[str, Path]
    roots: list[Path]
    """All trees. Beside v1's there is often one of v2 without controllers, in which runc makes cgroups too."""

    @classmethod
    def read(cls, mountinfo: Path = Path("/proc/self/mountinfo")) -> "Hierarchies":
        """Read the mounts. On v2 one tree has all controllers; cpuacct is part of cpu there."""
        version1: dict[str, Path] = {}
        version2: dict[str, Path] = {}
        roots = set()
        for line in mountinfo.read_text().splitlines():
            before, _, after = line.partition(" - ")
            mounted = Path(before.split()[4])
            kind, _source, options = after.split(maxsplit=2)
            if kind == "cgroup":
                version1 |= {option.removeprefix("name="): mounted for option in options.split(",")}
            elif kind == "cgroup2":
                offered = (mounted / "cgroup.controllers").read_text().split()
                version2 |= dict.fromkeys([*offered, *(["cpuacct"] if "cpu" in offered else [])], mounted)
            else:
                continue
            roots.add(mounted)
        version, found = (1, version1) if "memory" in version1 else (2, version2)
        return cls(version, {name: found[name] for name in CONTROLLERS if name in found}, sorted(roots))


def create(name: str) -> None:
    """Make the cluster's cgroup in every hierarchy; one that is there is kept."""
    hierarchies = Hierarchies.read()
    for root in hierarchies.roots:
        group = root / name
        group.mkdir(exist_ok=True)
        if hierarchies.version == 1:
            # In cpuset a new group has no cores and no memory nodes until it is given some.
            for file in ("cpuset.cpus", "cpuset.mems"):
                if (root / file).exists():
                    (group / file).write_text((root / file).read_text())
        else:
            wanted = set((root / "cgroup.controllers").read_text().split()) - {"rdma", "misc", "dmem"}
            for folder in (root, group):
                (folder / "cgroup.subtree_control").write_text(
                    " ".join(f"+{controller}" for controller in sorted(wanted))
                )


def remove(name: str) -> None:
    """Remove the cluster's cgroups; processes that are just ending hold them for a moment."""
    deadline = time.monotonic() + REMOVE_SECONDS
    while left := [group for root in Hierarchies.read().roots for group in _deepest_first(root / name)]:
        for group in left:
            try:
                group.rmdir()
            except OSError:
                if time.monotonic() > deadline:
                    raise NotReady(f"the removal of {group}", REMOVE_SECONDS) from None
        time.sleep(0.02)


def existing(name: str) -> list[Path]:
    """Return the cluster's cgroups that are there, in all hierarchies."""
    return [root / name for root in Hierarchies.read().roots if (root / name).exists()]


def _deepest_first(group: Path) -> Iterator[Path]:
    for folder, _folders, _files in os.walk(group, topdown=False):
        yield Path(folder)
