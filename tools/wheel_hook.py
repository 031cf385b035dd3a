"""What hatchling can't know by itself about our wheels: that they belong together, and the probe inside `memwarden`.

Settings in a distribution's pyproject.toml: `same_version`, our own distributions that it needs in exactly its
version; `probe` and `native`, the folders of the Python probe that it carries and of its native objects.

The wheel of `memwarden` holds the native object for every machine and C library that there is one for, since the
programs that it watches need not run in the interpreter that it is installed in; so its tag names all of them, and
pip refuses it elsewhere by itself. An editable installation gets none of this: the source tree has it all.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

INSIDE = "memwarden/probes/python"
PLATFORMS = (
    "manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux_2_17_aarch64", "manylinux2014_aarch64",
    "musllinux_1_2_x86_64", "musllinux_1_2_aarch64",
)  # fmt: skip


TARGETS = ("x86_64-glibc", "aarch64-glibc", "x86_64-musl", "aarch64-musl")


def probe_files(probe: Path, native: Path) -> dict[str, str]:
    """Return source → place in the wheel of all that a watched interpreter loads."""
    files = {}
    for folder in ("inject", "memwarden_probe"):
        files |= {str(path): f"{INSIDE}/{folder}/{path.name}" for path in (probe / folder).glob("*.py")}
    for target in TARGETS:
        path = native / f"memwarden_hook-linux-{target}.so"
        if not path.is_file():
            raise FileNotFoundError(
                f"{path} is not built: make dist builds the native objects, then the wheels"
            )
        files[str(path)] = f"{INSIDE}/lib/{path.name}"
    return files


class WheelHook(BuildHookInterface[Any]):
    """Called by hatchling before it writes a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        ours = self.metadata.version
        build_data["dependencies"] = [f"{name}=={ours}" for name in self.config.get("same_version", [])]
        if "probe" in self.config:
            folders = (Path(self.root, self.config[name]).resolve() for name in ("probe", "native"))
            build_data["force_include"] |= probe_files(*folders)
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{'.'.join(PLATFORMS)}"
