"""Hold the native objects of the wheels to their platform tags: ``native_objects.py build/native``.

An object that needs a newer symbol than its tag promises would install and then fail to load on older machines.
"""

import re
import sys
from pathlib import Path

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection
from elftools.elf.sections import SymbolTableSection

OLDEST_GLIBC = (2, 17)  # manylinux_2_17 (PEP 600)
MACHINES = {"x86_64": "x64", "aarch64": "AArch64"}
LIBRARIES = {
    "glibc": re.compile(r"lib(c|dl|pthread)\.so\.\d|ld-linux-.*"),
    "musl": re.compile(r"libc\.so|ld-musl-.*"),
}
ENTRY = "PyInit_memwarden_hook"


def too_new(elf: ELFFile) -> list[str]:
    """Return the versions of glibc's symbols that a machine with the oldest glibc doesn't have."""
    found = set()
    for section in elf.iter_sections():
        if isinstance(section, GNUVerNeedSection):
            for _, auxiliaries in section.iter_versions():
                found |= {auxiliary.name for auxiliary in auxiliaries}
    allowed = re.compile(r"GLIBC_(\d+)\.(\d+)(\.\d+)?")
    matches = {name: allowed.fullmatch(name) for name in found}
    return sorted(n for n, m in matches.items() if m is None or (int(m[1]), int(m[2])) > OLDEST_GLIBC)


def faults(path: Path) -> list[str]:
    """Return what is wrong with this object, in words."""
    machine, libc = path.stem.removeprefix("memwarden_hook-linux-").split("-")
    with path.open("rb") as file:
        elf = ELFFile(file)
        symbols = elf.get_section_by_name(".dynsym")
        dynamic = elf.get_section_by_name(".dynamic")
        assert isinstance(symbols, SymbolTableSection)
        assert isinstance(dynamic, DynamicSection)
        exported = [s.name for s in symbols.iter_symbols() if s["st_shndx"] != "SHN_UNDEF" and s.name]
        needed = [tag.needed for tag in dynamic.iter_tags() if tag.entry.d_tag == "DT_NEEDED"]
        found = [f"needs {name}" for name in too_new(elf)]
        found += [f"needs the library {name}" for name in needed if not LIBRARIES[libc].fullmatch(name)]
        if elf.get_machine_arch() != MACHINES[machine]:
            found.append(f"is for {elf.get_machine_arch()}")
        if exported != [ENTRY]:
            found.append(f"exports {', '.join(exported)}, not {ENTRY} alone")
    return found


def main(folder: Path) -> int:
    objects = sorted(folder.glob("*.so"))
    wrong = [f"{path.name}: {fault}" for path in objects for fault in faults(path)]
    if not objects:
        wrong = [f"{folder} holds no native object: build them with probes/python/build.py --all"]
    print("\n".join(wrong), end="\n" if wrong else "", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
