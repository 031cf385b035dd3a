"""Copies Debian packages out of the build's system: with what they depend on, and nothing else.

`rootfs.py TARGET PACKAGE…`. The image gets no shell, no package manager and no perl: less to pull, less to patch.
Each package leaves its entry in var/lib/dpkg/status.d, where scanners look in images of this kind.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

# What a program that is started by its path never needs, though packages depend on it.
LEFT_OUT = {
    "bash", "coreutils", "dash", "debconf", "debconf-2.0", "debianutils", "dpkg", "gcc-14-base", "install-info",
    "libreadline8t64", "media-types", "openssl", "perl-base", "readline-common", "sensible-utils", "tar",
}  # fmt: skip
# Only people read these; copyright stays.
WASTE = re.compile(
    r"/usr/share/(man|info|locale|lintian|bug|doc-base|doc/[^/]+/(?!copyright))|/usr/lib/.*/gconv/"
)


def closure(wanted: list[str]) -> list[str]:
    """The packages and all that they depend on, as they are installed here."""
    found: list[str] = []
    waiting = list(wanted)
    while waiting:
        name = waiting.pop()
        if name in found or name in LEFT_OUT or not is_installed(name):
            continue
        found.append(name)
        fields = "${Pre-Depends}, ${Depends}"
        for part in query(name, fields).split(","):
            # Of alternatives, the ones that are installed here.
            waiting += [re.split(r"[ (:]", choice.strip())[0] for choice in part.split("|") if choice.strip()]
    return sorted(found)


def query(name: str, fields: str) -> str:
    return subprocess.run(
        ["dpkg-query", "--show", f"--showformat={fields}", name], check=True, capture_output=True, text=True
    ).stdout


def is_installed(name: str) -> bool:
    asked = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Status}", name],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.returncode == 0 and asked.stdout == "installed"


def copy(name: str, target: Path) -> None:
    listed = subprocess.run(["dpkg", "--listfiles", name], check=True, capture_output=True, text=True).stdout
    for line in listed.splitlines():
        source = Path(line)
        if line == "/." or WASTE.match(line) or not (source.is_symlink() or source.exists()):
            continue
        place = target / line.lstrip("/")
        if source.is_dir() and not source.is_symlink():
            place.mkdir(parents=True, exist_ok=True)
        elif not place.is_symlink() and not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, place, follow_symlinks=False)
    status = target / "var" / "lib" / "dpkg" / "status.d"
    status.mkdir(parents=True, exist_ok=True)
    text = subprocess.run(["dpkg", "--status", name], check=True, capture_output=True, text=True).stdout
    (status / name).write_text(text)


def main(target: Path, *wanted: str) -> None:
    # base-files first: it has the links /bin, /lib and /lib64 that the others' files lie behind.
    for name in ["base-files", *(package for package in closure(list(wanted)) if package != "base-files")]:
        copy(name, target)
    # Made when these packages were installed, so that no package lists them.
    for made in ("etc/ssl/certs/ca-certificates.crt", "etc/ld.so.cache"):
        if Path("/", made).exists():
            (target / made).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(Path("/", made), target / made)
    (target / "tmp").mkdir(mode=0o1777, exist_ok=True)
    (target / "tmp").chmod(0o1777)
    (target / "etc" / "passwd").write_text("root:x:0:0::/:/none\nmemwarden:x:65532:65532::/:/none\n")
    (target / "etc" / "group").write_text("root:x:0:\nmemwarden:x:65532:\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
