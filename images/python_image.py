"""Puts the root file system of a Python image together: `python_image.py IMAGE VERSION SITE TARGET PACKAGE…`.

Debian's packages (rootfs.py); SITE, the locked Python packages and ours, below usr/lib/memwarden, compiled; and the
list of what is in it (sbom.py). What no program of ours ever loads is left out; its package stays in the list.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import rootfs
import sbom

# Help and teaching of the interactive interpreter.
INTERPRETER = ("pydoc_data", "ensurepip", "idlelib", "turtledemo", "lib2to3")
DEVELOPMENT = (".pyi", ".h", ".a", ".pxd")
# Parts of other people's packages, by image.
UNUSED = {
    "memwarden-collector": ("numpy/f2py", "numpy/_pyinstaller", "numpy/doc"),
    # The controller sends JSON over the official client's connections: of its generated models and methods, which
    # are 75 MB and as much again compiled, only the list of names in each __init__ is loaded.
    "memwarden-operator": tuple(
        f"kubernetes/{client}/{part}/[!_]*.py"
        for client in ("client", "aio/client")
        for part in ("api", "models")
    ),
}


def waste(image: str, python: Path, site: Path) -> Iterator[Path]:
    """What is left out, files and folders."""
    yield from (python / name for name in INTERPRETER)
    yield from (path for path in site.rglob("tests") if path.is_dir())
    yield from (path for path in site.rglob("*") if path.suffix in DEVELOPMENT and path.is_file())
    for pattern in UNUSED.get(image, ()):
        found = list(site.glob(pattern))
        # A release that has moved them: the image would grow, and nobody would see it.
        if not found:
            raise SystemExit(f"{image}: there is no {pattern} any more; see UNUSED in images/python_image.py")
        yield from found


def main(image: str, version: str, site: Path, target: Path, *packages: str) -> None:
    target.mkdir()
    rootfs.main(target, *packages)
    ours = target / "usr/lib/memwarden"
    shutil.copytree(site, ours)
    (python,) = (path for path in (target / "usr/lib").glob("python3.*") if path.is_dir())
    for path in list(waste(image, python, ours)):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)  # it may have gone with the folder around it
        else:
            path.unlink(missing_ok=True)
    compiling = ("-m", "compileall", "-q", "-o", "0", "--invalidation-mode", "unchecked-hash", "-s", target)
    subprocess.run([sys.executable, *compiling, python, ours], check=True)
    contents = target / "usr/share/memwarden" / "sbom.cdx.json"
    contents.parent.mkdir(parents=True)
    contents.write_text(json.dumps(sbom.document(image, version, target), indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]), *sys.argv[5:])
