"""What the machine must offer, checked before anything is changed.

Whatever lacks is said with the command that mends it.
"""

import os
import platform
import shutil
from pathlib import Path

from cluster.commands import answers
from cluster.errors import Unsuitable
from cluster.settings import Settings

from .binaries import Binaries
from .cgroups import CONTROLLERS, Hierarchies

# Go's build cache, modules and binaries of one Kubernetes version; images and the state of one cluster.
BUILD_BYTES = 6 << 30
RUN_BYTES = 2 << 30
# Folders of which the node has its own, so that nothing in them can be reached from inside.
HIDDEN = (Path("/run"), Path("/var/lib"), Path("/var/log"), Path("/proc"), Path("/sys"), Path("/dev"))
LAST_WITH_CGROUP_V1 = 34


def check(settings: Settings, binaries: Binaries) -> None:
    """Raise Unsuitable with the first reason why no local cluster can be made here."""
    check_privilege()
    check_cache(settings, binaries)
    if binaries.missing and not shutil.which("go"):
        raise Unsuitable(
            f"there is no Go to build {', '.join(binaries.missing)} with: "
            "install Go 1.24 or newer and put its `go` on PATH"
        )
    _check_kernel()
    _check_cgroups(settings.kubernetes)


def check_privilege() -> None:
    """Raise Unsuitable where no local cluster can be made or removed at all."""
    if platform.system() != "Linux":
        raise Unsuitable(
            f"a local cluster needs Linux and this is {platform.system()}: `make cluster VIA=kind`"
        )
    if os.geteuid() != 0:
        raise Unsuitable(
            "a local cluster makes namespaces and mounts, which takes root: "
            "`sudo make cluster`, or `make cluster VIA=kind`"
        )


def check_cache(settings: Settings, binaries: Binaries) -> None:
    """Raise Unsuitable where the cache's folder is too small or can't be seen by the node."""
    cache = settings.cache.resolve()
    for folder in HIDDEN:
        if cache.is_relative_to(folder):
            raise Unsuitable(
                f"the cache can't be in {folder}, of which the node has its own: "
                "`MEMWARDEN_E2E_CACHE=/tmp/e2e make cluster`"
            )
    existing = next(folder for folder in (cache, *cache.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    wanted = BUILD_BYTES if binaries.missing else RUN_BYTES
    if free < wanted:
        raise Unsuitable(
            f"{existing} has {free >> 20} MiB free and {wanted >> 20} MiB are needed: free some, "
            "or take another disk by `MEMWARDEN_E2E_CACHE=/folder make cluster`"
        )


def _check_kernel() -> None:
    if "overlay" not in Path("/proc/filesystems").read_text().split() and not _module("overlay"):
        raise Unsuitable("the kernel has no overlayfs, which containers' images need: `modprobe overlay`")
    if not Path("/proc/sys/net/bridge").exists() and not _module("br_netfilter"):
        raise Unsuitable(
            "the kernel hides bridged packets from iptables, where Services are made: `modprobe br_netfilter`"
        )
    for kind in ("net", "mnt", "pid", "uts"):
        if not Path("/proc/self/ns", kind).exists():
            raise Unsuitable(
                f"the kernel has no {kind} namespaces: `make cluster VIA=kind`, or another kernel"
            )


def _module(name: str) -> bool:
    """Say whether a kernel module that is not built in could be loaded."""
    return answers("modprobe", name)


def _check_cgroups(kubernetes: str) -> None:
    hierarchies = Hierarchies.read()
    missing = [controller for controller in CONTROLLERS if controller not in hierarchies.by_controller]
    if missing:
        raise Unsuitable(
            f"the kernel offers no cgroup controller {', '.join(missing)}: mount it "
            f"(`mount -t cgroup -o {missing[0]} cgroup /sys/fs/cgroup/{missing[0]}`), "
            "or enable it on the kernel's command line"
        )
    minor = int(kubernetes.split(".")[1])
    if hierarchies.version == 1 and minor > LAST_WITH_CGROUP_V1:
        raise Unsuitable(
            f"Kubernetes {kubernetes} does not run on cgroup v1, which this machine has: "
            f"`make cluster KUBERNETES=1.{LAST_WITH_CGROUP_V1}.4`"
        )
