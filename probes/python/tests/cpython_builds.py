"""CPython built from Debian's source package as nobody packages it: free-threaded, for musl, or in one static file.

A build takes some minutes, once: it stays in the cache of debian.py. Needs apt-get, a C compiler and make; the builds
for musl also musl-tools.
"""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import debian
import pytest

SUITE, SOURCE = "trixie", "python3.13"
COMMON = ("--without-ensurepip", "--disable-test-modules", "OPT=-O1 -g0")
# What lies in /usr/include belongs to glibc's world: no library from there.
MUSL = ("ac_cv_lib_z_gzread=no", "py_cv_module_zlib=n/a", "py_cv_module__ssl=n/a")
STATIC = ("LDFLAGS=-static", "LINKFORSHARED= ", "MODULE_BUILDTYPE=static")
VARIANTS = {"free-threaded": ("--disable-gil",), "musl": MUSL, "static": (*MUSL, *STATIC)}
NAMES = {"free-threaded": "python3.13t"}


def say(command, **options):
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout[-3000:]}"


def download(folder):
    """The source, its signature checked by apt, which keeps its lists here and nowhere else."""
    lists = folder / "lists"
    lists.mkdir(parents=True)
    sources = folder / "sources.list"
    sources.write_text(f"deb-src {debian.MIRROR} {SUITE} main\n")
    options = {
        "Dir::Etc::SourceList": sources, "Dir::Etc::SourceParts": "/dev/null", "Dir::State::Lists": lists,
        "Dir::Cache": folder / "cache", "APT::Sandbox::User": "root",
    }  # fmt: skip
    apt = ["apt-get", "-q", *(f"-o{name}={value}" for name, value in options.items())]
    (folder / "cache" / "archives" / "partial").mkdir(parents=True)
    say([*apt, "update"])
    say([*apt, "source", "--download-only", SOURCE], cwd=folder)
    (archive,) = folder.glob("*.orig.tar.xz")
    say(["tar", "-xf", str(archive), "--strip-components=1", "--one-top-level=source"], cwd=folder)
    return folder / "source"


def musl_compiler(folder):
    """musl-gcc, which names gcc's own platform when CPython's configure asks for it."""
    script = folder / "cc"
    script.write_text(
        '#!/bin/sh\n[ "$1" = --print-multiarch ] && { echo x86_64-linux-musl; exit; }\nexec musl-gcc "$@"\n'
    )
    script.chmod(0o755)
    return script


def make(variant, prefix, folder):
    source = download(folder)
    options = [*COMMON, *VARIANTS[variant], f"--prefix={prefix}"]
    if variant in ("musl", "static"):
        options.append(f"CC={musl_compiler(folder)}")
    work = folder / "work"
    work.mkdir()
    without_libraries = {**os.environ, "PKG_CONFIG": "false"}
    say([str(source / "configure"), *options], cwd=work, env=without_libraries)
    say(["make", "-j2"], cwd=work)
    say(["make", "install"], cwd=work)


def interpreter(variant):
    """The path of this build's interpreter, made at the first use."""
    tools = ["apt-get", "cc", "make", *(["musl-gcc"] if variant != "free-threaded" else [])]
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (apt-get install gcc make musl-tools)")
    prefix = debian.cache() / "cpython" / f"{SOURCE}-{variant}"
    prefix.parent.mkdir(parents=True, exist_ok=True)
    found = prefix / "bin" / NAMES.get(variant, "python3.13")
    with Path(f"{prefix}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (prefix / "done").exists():
            folder = Path(f"{prefix}.partial")
            for old in (prefix, folder):
                shutil.rmtree(old, ignore_errors=True)
            folder.mkdir()
            make(variant, prefix, folder)
            shutil.rmtree(folder)
            (prefix / "done").touch()
    return Path(found)
