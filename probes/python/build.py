#!/usr/bin/env python3
"""Builds the probe's shared object, one for each machine and C library, for all Python versions at once.

    build.py                         for this machine, by the system's compiler, else by zig
    build.py --zig                   by zig (pip install ziglang), which links against glibc 2.17
    build.py --target aarch64-musl   for another machine (implies --zig)
    build.py --sanitize --into …     with AddressSanitizer and UBSan, by the system's compiler
    build.py --all --into build/native   for all of them, as wheels hold them (implies --zig)

Nothing is built when the sources and the way of building are unchanged.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
NATIVE = HERE / "native"
LIBRARIES = HERE / "lib"

TARGETS = ("x86_64-glibc", "aarch64-glibc", "x86_64-musl", "aarch64-musl")
OLDEST_GLIBC = "2.17"

FLAGS = (
    "-std=gnu11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-fno-strict-aliasing",
    "-fomit-frame-pointer", "-Wall", "-Wextra", "-Werror=implicit-function-declaration",
)  # fmt: skip

# The program must preload the sanitizers' runtime, since it is not built with them itself.
SANITIZERS = (
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-fno-omit-frame-pointer",
    "-g",
    "-O1",
)


class BuildError(Exception):
    """No shared object could be made; the message names the next step."""


def this_target() -> str:
    libc = "glibc" if platform.libc_ver()[0] == "glibc" else "musl"
    return f"{platform.machine()}-{libc}"


def library_path(target: str, folder: Path = LIBRARIES) -> Path:
    return folder / f"memwarden_hook-linux-{target}.so"


def system_compiler() -> list[str] | None:
    """``cc``, if it can really compile and link: slim images ship one without the C library's headers."""
    path = shutil.which("cc")
    if path is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "trial.c")
        source.write_text("#include <pthread.h>\nvoid trial(void) { pthread_atfork(0, 0, 0); }\n")
        command = [path, "-shared", "-fPIC", str(source), "-o", str(Path(folder, "trial.so"))]
        works = subprocess.run(command, capture_output=True, check=False).returncode == 0
    return [path] if works else None


def zig_compiler(target: str) -> list[str]:
    if importlib.util.find_spec("ziglang") is None:
        raise BuildError(
            "No C compiler can build the Python probe: install a C toolchain (gcc or clang with the C "
            "library's headers), or run "
            f"'{Path(sys.executable).name} -m pip install ziglang', then build again."
        )
    machine, libc = target.split("-")
    abi = f"gnu.{OLDEST_GLIBC}" if libc == "glibc" else libc
    return [sys.executable, "-m", "ziglang", "cc", "-target", f"{machine}-linux-{abi}"]


def choose_compiler(target: str, zig: bool) -> list[str]:
    if not zig and target == this_target():
        found = system_compiler()
        if found is not None:
            return found
    return zig_compiler(target)


def fingerprint(command: list[str], folder: Path) -> str:
    digest = hashlib.sha256("\0".join(command).encode())
    for path in sorted(folder.glob("*.[ch]")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def build(
    target: str | None = None, zig: bool = False, into: Path = LIBRARIES, more: tuple[str, ...] = ()
) -> Path:
    """Return the shared object for ``target`` (default: this machine), building it if something changed."""
    target = target or this_target()
    if target not in TARGETS:
        choices = ", ".join(TARGETS)
        raise BuildError(f"The Python probe cannot be built for '{target}': choose one of {choices}.")
    compile_and_link = [*choose_compiler(target, zig), *FLAGS, *(more or ("-s",))]
    libraries = ["-lpthread", "-ldl", "-Wl,-z,relro,-z,now"]
    return make(library_path(target, into), compile_and_link, NATIVE, libraries)


def make(library: Path, compile_and_link: list[str], folder: Path, libraries: list[str]) -> Path:
    """Make an object from all C files of a folder, unless it is made from just these, just so."""
    stamp = library.with_suffix(".sha256")
    wanted = fingerprint([*compile_and_link, *libraries], folder)
    if library.exists() and stamp.exists() and stamp.read_text() == wanted:
        return library
    library.parent.mkdir(parents=True, exist_ok=True)
    # Written beside and renamed: a process that starts meanwhile maps the old file or the new one, never
    # half.
    partial = library.with_suffix(f".{os.getpid()}.partial")
    sources = [str(path) for path in sorted(folder.glob("*.c"))]
    command = [*compile_and_link, *sources, "-o", str(partial), *libraries]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        partial.unlink(missing_ok=True)
        raise BuildError(
            f"{library.name} did not compile with {' '.join(compile_and_link)}:\n{result.stderr}"
        )
    partial.replace(library)
    stamp.write_text(wanted)
    return library


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--zig", action="store_true", help="build with zig even if there is a compiler")
    parser.add_argument("--target", choices=TARGETS, help="build for another machine or C library, with zig")
    parser.add_argument("--all", action="store_true", help="build for all machines and C libraries, with zig")
    parser.add_argument("--sanitize", action="store_true", help="with AddressSanitizer and UBSan")
    parser.add_argument("--into", type=Path, default=LIBRARIES, metavar="FOLDER", help="where the objects go")
    options = parser.parse_args()
    zig = options.zig or options.all or options.target is not None
    try:
        for target in TARGETS if options.all else [options.target]:
            print(build(target, zig, options.into, SANITIZERS if options.sanitize else ()))
    except BuildError as error:
        print(f"build.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
