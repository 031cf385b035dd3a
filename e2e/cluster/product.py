"""Memwarden's own images: what they are made from, and how the context of their build is put together.

Python packages come from uv.lock, checked against its hashes, for the interpreter of the image and not for the one
that runs here; ours are wheels of the working tree. Needs `make setup`.
"""

import os
import platform
import re
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from .commands import run
from .errors import ClusterError, Unsuitable

ROOT = Path(__file__).resolve().parents[2]
SUITE = "trixie"
PYTHON = "3.13"
"""The interpreter of that release of Debian."""
INSTALL_SECONDS = 1200.0
PROBE_PARTS = ("inject", "memwarden_probe", "lib")
MACHINES = ("x86_64", "aarch64")


def version() -> str:
    """Said once, by the probe."""
    bootstrap = (ROOT / "probes" / "python" / "memwarden_probe" / "bootstrap.py").read_text()
    found = re.search(r'^PROBE_VERSION = "([^"]+)"', bootstrap, re.MULTILINE)
    if found is None:
        raise ClusterError("the probe's bootstrap.py has no PROBE_VERSION")
    return found.group(1)


def python_site(package: str, ours: tuple[str, ...], pruned: tuple[str, ...], context: Path) -> None:
    """Put `site/` into a context: a distribution with all that it needs, and the requirements it came from."""
    requirements = context / "requirements.txt"
    prune = [word for name in pruned for word in ("--prune", name)]
    exported = ("export", "--frozen", "--no-dev", "--no-header", "--no-emit-workspace", "--quiet")
    requirements.write_text(_uv(*exported, "--package", package, *prune, "--format", "requirements-txt"))
    target = ("pip", "install", "--quiet", "--no-compile-bytecode", "--target", context / "site")
    built_for = ("--python-version", PYTHON, "--python-platform", f"{platform.machine()}-manylinux_2_28")
    _uv(*target, *built_for, "--only-binary", ":all:", "--require-hashes", "-r", requirements)
    with tempfile.TemporaryDirectory(prefix="wheels-", dir=context.parent) as wheels:
        for name in ours:
            _uv("build", "--quiet", "--wheel", "--package", name, "--out-dir", wheels)
        built = sorted(Path(wheels).glob("*.whl"))
        _uv(*target, "--python-version", PYTHON, "--no-deps", "--no-index", *built)
    shutil.rmtree(context / "site" / "bin", ignore_errors=True)


def probe_files(context: Path) -> None:
    """Put `probes/` into a context: the folder that goes into the volume, as `memwarden run` has it."""
    for part in PROBE_PARTS:
        shutil.copytree(
            ROOT / "probes" / "python" / part,
            context / "probes" / "python" / part,
            ignore=shutil.ignore_patterns("__pycache__", "*.sha256", "*.partial"),
        )

    loaders = ROOT / "probes" / "native" / "lib"
    for machine in MACHINES:
        # The build takes the one of its own machine; a loader for another would end every program of a container.
        built = loaders / f"memwarden-preload-linux-{machine}.so"
        if built.exists():
            (context / "loaders").mkdir(exist_ok=True)
            shutil.copy(built, context / "loaders" / built.name)
    if not (context / "loaders").exists():
        raise Unsuitable(f"there is no loader in {loaders}: `make setup`")


def _uv(*words: str | Path) -> str:
    python = ROOT / ".uv" / "bin" / "python"
    if not python.exists():
        raise Unsuitable("the images of Memwarden are made with uv, which is not there yet: `make setup`")
    authority = "/etc/ssl/certs/ca-certificates.crt"
    environment = {"UV_SYSTEM_CERTS": "true"} if os.path.exists(authority) else {}
    return run(python, "-m", "uv", *words, environment=environment, folder=ROOT, timeout=INSTALL_SECONDS)


def sidecar_and_probes(context: Path) -> None:
    # The names of memwarden-api are all that a sidecar imports: they need no pydantic.
    python_site("memwarden-sidecar", ("memwarden-api", "memwarden-sidecar"), ("pydantic",), context)
    probe_files(context)


BUILT_BY = ("images/python_image.py", "images/rootfs.py", "images/sbom.py")
# name: (what the build sees, what else it is made from, what puts the rest of the context together)
Recipe = tuple[tuple[str, ...], tuple[str, ...], Callable[[Path], None]]
IMAGES: dict[str, Recipe] = {
    "memwarden-sidecar": (
        ("images/sidecar", *BUILT_BY),
        (
            *("sidecar/src", "sidecar/pyproject.toml", "crds/src", "crds/pyproject.toml", "uv.lock"),
            *(*(f"probes/python/{part}" for part in PROBE_PARTS), "probes/native/lib"),
        ),
        sidecar_and_probes,
    ),
    "memwarden-collector": (
        ("images/collector", *BUILT_BY),
        (
            *("collector/src", "collector/pyproject.toml", "core/src", "core/pyproject.toml"),
            *("kube/src", "kube/pyproject.toml", "crds/src", "crds/pyproject.toml", "uv.lock"),
        ),
        partial(
            python_site,
            "memwarden-collector",
            ("memwarden-api", "memwarden-core", "memwarden-kube", "memwarden-collector"),
            (),
        ),
    ),
    "memwarden-operator": (
        ("images/operator", *BUILT_BY),
        (
            *("operator/src", "operator/pyproject.toml", "kube/src", "kube/pyproject.toml"),
            *("crds/src", "crds/pyproject.toml", "uv.lock"),
        ),
        # It asks the collector for judgements and makes none: the judge and numpy would be 60 MB for nothing.
        partial(
            python_site,
            "memwarden-operator",
            ("memwarden-api", "memwarden-kube", "memwarden-operator"),
            ("memwarden-core",),
        ),
    ),
}
