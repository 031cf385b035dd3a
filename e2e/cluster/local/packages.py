"""The programs that come as Debian packages, installed when root asks for a cluster."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster.commands import run
from cluster.errors import CommandFailed, Unsuitable

CNI_FOLDERS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"), Path("/usr/libexec/cni"))
# Programs of root's are not on everybody's PATH.
SEARCHED = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])
INSTALL_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Need:
    """A program, and the Debian package that has it."""

    program: str
    package: str

    @property
    def met(self) -> bool:
        if self.package == "containernetworking-plugins":
            return any((folder / self.program).exists() for folder in CNI_FOLDERS)
        return shutil.which(self.program, path=SEARCHED) is not None


FOR_CLUSTER = (
    Need("containerd", "containerd"),
    Need("ctr", "containerd"),
    Need("runc", "runc"),
    Need("bridge", "containernetworking-plugins"),
    Need("etcd", "etcd-server"),
    Need("iptables", "iptables"),
    Need("ip", "iproute2"),
    Need("nsenter", "util-linux"),
    Need("mount", "mount"),
)
FOR_IMAGES = (
    Need("buildah", "buildah"),
    Need("debootstrap", "debootstrap"),
)


def check(needs: tuple[Need, ...]) -> list[str]:
    """Return the command that installs what lacks, empty where nothing does; raise Unsuitable where it can't run."""
    packages = sorted({need.package for need in needs if not need.met})
    if not packages:
        return []
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    if not shutil.which("apt-get"):
        programs = ", ".join(need.program for need in needs if not need.met)
        raise Unsuitable(
            f"{programs} must be on PATH: install what your system has of Debian's {', '.join(packages)}"
        )
    if os.geteuid() != 0:
        raise Unsuitable(f"packages are missing: `sudo {' '.join(command)}`")
    return command


def install(needs: tuple[Need, ...], say: Callable[[str], None]) -> None:
    """Install what lacks; raise Unsuitable with the command where that is not possible."""
    command = check(needs)
    if not command:
        return
    say(f"installing {', '.join(command[4:])}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    with _services_stay_off():
        try:
            run("apt-get", "update", "--quiet", environment=quiet, timeout=INSTALL_SECONDS)
            run(*command, environment=quiet, timeout=INSTALL_SECONDS)
        except CommandFailed as failed:
            raise Unsuitable(
                f"packages are missing: `{' '.join(command)}`, which said here: {failed}"
            ) from failed


def cni_folder() -> Path:
    """Return where the CNI plugins are."""
    return next(folder for folder in CNI_FOLDERS if (folder / "bridge").exists())


@contextmanager
def _services_stay_off() -> Iterator[None]:
    # The packages of containerd and etcd start services of the machine; policy-rc.d is Debian's way to say no
    # (invoke-rc.d(8)).
    policy = Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink(missing_ok=True)
