#!/usr/bin/env python3
"""Builds the loader that LD_PRELOAD names in pods: one object a machine, for every C library and for none.

    build_preload.py                     for this machine, by the system's compiler, else by zig
    build_preload.py --all --into …      for all machines, by zig (pip install ziglang)

Nothing is built when the sources and the way of building are unchanged.
"""

from __future__ import annotations

import argparse
import platform
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "python"))
import build  # noqa: E402  (the probe's: the same compilers, the same way)

SOURCES = HERE / "preload"
LIBRARIES = HERE / "lib"
MACHINES = ("x86_64", "aarch64")

# No library behind it: so nothing that calls into one, which is what stack protectors and sanitizers do.
FLAGS = (
    "-std=gnu11", "-Os", "-fPIC", "-shared", "-nostdlib", "-ffreestanding", "-fvisibility=hidden",
    "-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-fomit-frame-pointer", "-Wall", "-Wextra", "-s",
)  # fmt: skip
BRANCH_PROTECTION = {"x86_64": ("-fcf-protection=full",), "aarch64": ("-mbranch-protection=standard",)}
# `initfirst` must not be set: the C library's environment would not be there yet.
LINKING = ["-Wl,--hash-style=both", "-Wl,-z,relro,-z,now,-z,noexecstack", "-Wl,--build-id=none"]
# Kernels of this machine may have pages of 64 KiB.
PAGES = {"x86_64": (), "aarch64": ("-Wl,-z,max-page-size=65536",)}


def library_path(machine: str, folder: Path = LIBRARIES) -> Path:
    return folder / f"memwarden-preload-linux-{machine}.so"


def choose_compiler(machine: str, zig: bool) -> list[str]:
    if not zig and machine == platform.machine():
        found = build.system_compiler()
        if found is not None:
            return found
    # No C library is named, so that zig can't link one. It would link its own sanitizer's calls in.
    return [*build.zig_compiler(f"{machine}-none"), "-fno-sanitize=all"]


def build_preload(machine: str | None = None, zig: bool = False, into: Path = LIBRARIES) -> Path:
    """Return the loader for a machine (default: this one), building it if something changed."""
    machine = machine or platform.machine()
    if machine not in MACHINES:
        choices = " and ".join(MACHINES)
        raise build.BuildError(f"The loader cannot be built for '{machine}': it is written for {choices}.")
    compile_and_link = [*choose_compiler(machine, zig), *FLAGS, *BRANCH_PROTECTION[machine]]
    return build.make(library_path(machine, into), compile_and_link, SOURCES, [*LINKING, *PAGES[machine]])


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--zig", action="store_true", help="build with zig even if there is a compiler")
    parser.add_argument("--all", action="store_true", help="build for all machines, with zig")
    parser.add_argument("--into", type=Path, default=LIBRARIES, metavar="FOLDER", help="where the objects go")
    options = parser.parse_args()
    try:
        for machine in MACHINES if options.all else [None]:
            print(build_preload(machine, options.zig or options.all, options.into))
    except build.BuildError as error:
        print(f"build_preload.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
