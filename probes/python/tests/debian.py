"""CPython of other Debian releases and machines: unpacked from Debian's packages into a cache, started in a chroot.

``launcher`` returns a command that behaves like the interpreter itself: same process id, working folder, arguments,
environment and exit code, with /tmp and this repository where they are. It needs root, debootstrap and Debian's
mirror; the chroots (250 MB each) stay in ``$MEMWARDEN_TEST_CACHE`` (default ~/.cache/memwarden-tests). A changed entry
of RELEASES makes a new chroot; to follow a release that moves (forky), remove the old one.
"""

import fcntl
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

MIRROR = "http://deb.debian.org/debian"
SCRIPT = "/usr/share/debootstrap/scripts/sid"  # serves every release, also those younger than debootstrap
REPOSITORY = Path(__file__).resolve().parents[3]
SHARED = ("/proc", "/sys", "/dev", "/tmp", str(REPOSITORY))


@dataclass(frozen=True)
class Release:
    suite: str
    packages: tuple
    machine: str = "x86_64"

    @property
    def name(self):
        return f"{self.suite}-{self.machine}"


RELEASES = {
    release.name: release
    for release in (
        Release("bullseye", ("python3.9", "python3.9-venv")),
        Release("trixie", ("python3.13", "python3.13-venv")),
        Release("forky", ("python3.14", "python3.14-venv", "python3.14-dbg", "python3.15")),
        Release("bookworm", ("python3.11",), "aarch64"),
        Release("trixie", ("python3.13",), "aarch64"),
        Release("forky", ("python3.14",), "aarch64"),
    )
}
DEBIAN_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}


def cache():
    return Path(os.environ.get("MEMWARDEN_TEST_CACHE") or Path.home() / ".cache" / "memwarden-tests")


def require_tools(release):
    """Skip, with what is missing, where no chroot can be made or entered."""
    if os.geteuid() != 0:
        pytest.skip("a chroot needs root")
    tools = ["debootstrap", "dpkg-deb", "unshare"]
    if release.machine != platform.machine():
        tools.append(emulator(release.machine))
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (apt-get install debootstrap qemu-user-static)")


def emulator(machine):
    return f"qemu-{machine}-static"


def unpack(release, root):
    """The release's packages into ``root``, without their maintainer scripts: nothing foreign is run as root."""
    make = ["debootstrap", "--foreign", "--variant=minbase", f"--arch={DEBIAN_NAMES[release.machine]}"]
    make += [f"--include={','.join(release.packages)}", release.suite, str(root), MIRROR, SCRIPT]
    made = subprocess.run(make, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert made.returncode == 0, made.stdout[-3000:]
    (root / "proc").unlink()  # a link to /proc, where a container's own is in the way
    archives = root / "var/cache/apt/archives"
    for package in sorted(archives.glob("*.deb")):
        content = subprocess.run(
            ["dpkg-deb", "--fsys-tarfile", str(package)], capture_output=True, check=True
        )
        extract = ["tar", "-x", "-C", str(root), "--keep-directory-symlink", "--skip-old-files"]
        subprocess.run(extract, input=content.stdout, check=True)
    for unneeded in ("var/cache/apt", "var/lib/apt", "debootstrap", "usr/share/doc", "usr/share/locale"):
        shutil.rmtree(root / unneeded, ignore_errors=True)


def chroot(release):
    """The folder of the unpacked release, made at the first use."""
    require_tools(release)
    content = hashlib.sha256(repr(release).encode()).hexdigest()[:8]
    root = cache() / "debian" / f"{release.name}-{content}"
    root.parent.mkdir(parents=True, exist_ok=True)
    with root.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if root.exists():
            return root
        partial = root.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        unpack(release, partial)
        if release.machine != platform.machine():
            shutil.copy2(shutil.which(emulator(release.machine)), partial / emulator(release.machine))
        partial.rename(root)
    return root


def launcher(release, executable, folder, name=None):
    """A script in ``folder`` that is this release's ``executable``; the mounts die with the process."""
    root = chroot(release)
    command = [f"/usr/bin/{executable}"]
    if release.machine != platform.machine():
        command.insert(0, f"/{emulator(release.machine)}")
    lines = ["set -e"]
    for shared in SHARED:
        inside = root / shared.lstrip("/")
        inside.mkdir(parents=True, exist_ok=True)
        lines.append(f"mount --rbind {shlex.quote(shared)} {shlex.quote(str(inside))}")
    enter = 'cd "$0" && exec "$@"'
    lines.append(f'exec chroot {shlex.quote(str(root))} /bin/sh -c {shlex.quote(enter)} "$PWD" "$@"')
    inner = "\n".join(lines)
    if release.machine != platform.machine():
        # The shell inside is the other machine's, too, and only the emulator can start it.
        inner = inner.replace(" /bin/sh -c", f" /{emulator(release.machine)} /bin/sh -c")
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / (name or executable)
    script.write_text(
        "#!/bin/sh\nexec unshare --mount --propagation private /bin/sh -c "
        f'{shlex.quote(inner)} sh {shlex.join(command)} "$@"\n'
    )
    script.chmod(0o755)
    return str(script)
