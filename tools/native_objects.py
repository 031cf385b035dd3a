"""Hold the native objects to what they promise: ``native_objects.py build/native``.

An object that needs a newer symbol than its tag promises would install and then fail to load on older machines. A
loader for LD_PRELOAD that needed any library, or named one symbol, would reach into every program of a container.
"""

import re
import sys
from pathlib import Path

from elftools.elf.constants import P_FLAGS
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.enums import ENUM_DT_FLAGS_1
from elftools.elf.gnuversions import GNUVerNeedSection
from elftools.elf.sections import Symbol, SymbolTableSection

OLDEST_GLIBC = (2, 17)  # manylinux_2_17 (PEP 600)
MACHINES = {"x86_64": "x64", "aarch64": "AArch64"}
LIBRARIES = {
    "glibc": re.compile(r"lib(c|dl|pthread)\.so\.\d|ld-linux-.*"),
    "musl": re.compile(r"libc\.so|ld-musl-.*"),
}
ENTRY = "PyInit_memwarden_hook"
LOADER = "memwarden-preload-linux-"
LOADER_MAY_ASK_FOR = {"__environ", "Py_BytesMain"}  # weak: where nobody has them, they are null


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
    with path.open("rb") as file:
        elf = ELFFile(file)
        return loader_faults(elf, path) if path.name.startswith(LOADER) else hook_faults(elf, path)


def exported_by(elf: ELFFile) -> list[str]:
    return [symbol.name for symbol in dynamic_symbols(elf) if symbol["st_shndx"] != "SHN_UNDEF"]


def dynamic_symbols(elf: ELFFile) -> list[Symbol]:
    section = elf.get_section_by_name(".dynsym")
    assert isinstance(section, SymbolTableSection)
    return [symbol for symbol in section.iter_symbols() if symbol.name]


def needed_by(elf: ELFFile) -> list[str]:
    section = elf.get_section_by_name(".dynamic")
    assert isinstance(section, DynamicSection)
    return [tag.needed for tag in section.iter_tags() if tag.entry.d_tag == "DT_NEEDED"]


def wrong_machine(elf: ELFFile, machine: str) -> list[str]:
    return [] if elf.get_machine_arch() == MACHINES[machine] else [f"is for {elf.get_machine_arch()}"]


def hook_faults(elf: ELFFile, path: Path) -> list[str]:
    machine, libc = path.stem.removeprefix("memwarden_hook-linux-").split("-")
    found = [f"needs {name}" for name in too_new(elf)]
    found += [f"needs the library {name}" for name in needed_by(elf) if not LIBRARIES[libc].fullmatch(name)]
    exported = exported_by(elf)
    if exported != [ENTRY]:
        found.append(f"exports {', '.join(exported)}, not {ENTRY} alone")
    return found + wrong_machine(elf, machine)


def loader_faults(elf: ELFFile, path: Path) -> list[str]:
    found = [f"needs the library {name}" for name in needed_by(elf)]
    found += [f"exports {name}" for name in exported_by(elf)]
    for symbol in dynamic_symbols(elf):
        if symbol.name not in LOADER_MAY_ASK_FOR or symbol["st_info"]["bind"] != "STB_WEAK":
            found.append(f"asks for {symbol.name}")
    section = elf.get_section_by_name(".dynamic")
    assert isinstance(section, DynamicSection)
    tags = {tag.entry.d_tag: tag.entry.d_val for tag in section.iter_tags()}
    if "DT_TEXTREL" in tags:
        found.append("changes its own code when it is loaded (DT_TEXTREL)")
    if tags.get("DT_FLAGS_1", 0) & ENUM_DT_FLAGS_1["DF_1_INITFIRST"]:
        found.append("is started before the C library (DF_1_INITFIRST)")
    stacks = [part["p_flags"] for part in elf.iter_segments() if part["p_type"] == "PT_GNU_STACK"]
    if stacks != [P_FLAGS.PF_R | P_FLAGS.PF_W]:
        found.append("does not say that its stack holds no code (PT_GNU_STACK)")
    return found + wrong_machine(elf, path.stem.removeprefix(LOADER))


def main(folder: Path) -> int:
    objects = sorted(folder.glob("*.so"))
    wrong = [f"{path.name}: {fault}" for path in objects for fault in faults(path)]
    if not objects:
        wrong = [f"{folder} holds no native object: build them with probes/python/build.py --all"]
    print("\n".join(wrong), end="\n" if wrong else "", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
