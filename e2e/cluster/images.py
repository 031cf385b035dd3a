"""The images of the tests: built when one is asked for, kept by what they are made from.

An image is a Containerfile below e2e/images with `ARG BASE`. Docker and podman take the base that it names.
Where neither is, the base is made from Debian's packages (debootstrap) and buildah builds on that, without a
daemon and without a registry.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .commands import run
from .errors import Unsuitable
from .kind import docker_answers
from .local import packages
from .lock import alone
from .settings import Settings
from .ways import Cluster

E2E = Path(__file__).resolve().parent.parent
REPOSITORY = "memwarden.test"
BUILD_SECONDS = 1800.0

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Image:
    """One image and all that it is made from; paths are relative to e2e/, the build's context."""

    name: str
    suite: str
    """Debian's release that its base is of."""
    folder: str
    sources: tuple[str, ...] = ()

    def reference(self, settings: Settings) -> str:
        """Return the name that pods use.

        The tag is a hash of what it is made from: what has changed has another name.
        """
        return f"{settings.registry or REPOSITORY}/{self.name}:{self._hash()[:12]}"

    def _hash(self) -> str:
        digest = hashlib.sha256(self.suite.encode())
        for file in self.files():
            digest.update(f"\0{file.relative_to(E2E)}\0{file.stat().st_mode & 0o111}\0".encode())
            digest.update(file.read_bytes())
        return digest.hexdigest()

    def files(self) -> Iterator[Path]:
        """Return the files that the build sees."""
        for source in (self.folder, *self.sources):
            found = E2E / source
            yield from sorted(p for p in found.rglob("*") if p.is_file() and "__pycache__" not in p.parts)


CATALOGUE = {
    image.name: image
    for image in (
        Image("python-3.11", "bookworm", "images/python", ("apps/python",)),
        Image("python-3.13", "trixie", "images/python", ("apps/python",)),
        Image("native", "bookworm", "images/native"),
        Image("postgresql-17", "trixie", "images/postgresql"),
    )
}


def provide(cluster: Cluster, settings: Settings, name: str, say: Progress) -> str:
    """Make an image ready for pods of this cluster and return its reference."""
    image = CATALOGUE[name]
    reference = image.reference(settings)
    if not settings.registry:
        cluster.load(reference, build(image, settings, say))
    return reference


def build(image: Image, settings: Settings, say: Progress) -> Path:
    """Return the image's archive (`docker save`), building it where it is not there yet."""
    reference = image.reference(settings)
    archive = settings.cache / "images" / f"{image.name}-{reference.rpartition(':')[2]}.tar"
    if archive.exists():
        return archive
    with alone(settings.cache, say):
        if not archive.exists():
            _build(image, reference, archive, settings, say)
    return archive


def _build(image: Image, reference: str, archive: Path, settings: Settings, say: Progress) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    for abandoned in archive.parent.glob(".build-*"):
        shutil.rmtree(abandoned)
    engine = _engine(settings, say)
    say(f"building the image {image.name}")
    with tempfile.TemporaryDirectory(prefix=".build-", dir=archive.parent) as temporary:
        context = Path(temporary, "context")
        for file in image.files():
            copy = context / file.relative_to(E2E)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, copy)
        written = Path(temporary, "image.tar")
        engine.build(image, reference, context, written)
        # Earlier contents of this image are of no use any more.
        for outdated in archive.parent.glob(f"{image.name}-*.tar"):
            outdated.unlink()
        written.rename(archive)


def _engine(settings: Settings, say: Progress) -> "Daemon | Buildah":
    if docker_answers():
        return Daemon("docker", say)
    if shutil.which("podman"):
        return Daemon("podman", say)
    return Buildah(settings.cache / "buildah", say)


@dataclass(frozen=True, slots=True)
class Daemon:
    """Docker or podman, with bases from the registries that they know."""

    program: str
    say: Progress

    def build(self, image: Image, reference: str, context: Path, archive: Path) -> None:
        base = f"--build-arg=BASE=docker.io/library/debian:{image.suite}-slim"
        file = context / image.folder / "Containerfile"
        run(self.program, "build", base, "--tag", reference, "--file", file, context, timeout=BUILD_SECONDS)
        run(self.program, "save", "--output", archive, reference, timeout=BUILD_SECONDS)


@dataclass(frozen=True, slots=True)
class Buildah:
    """Builds as root with nothing but Debian's packages."""

    storage: Path
    say: Progress

    def build(self, image: Image, reference: str, context: Path, archive: Path) -> None:
        if os.geteuid() != 0:
            raise Unsuitable(
                "bases of images are made by debootstrap, which takes root: use sudo, or start Docker"
            )
        packages.install(packages.FOR_IMAGES, self.say)
        base = self._base(image.suite)
        file = context / image.folder / "Containerfile"
        self._buildah(
            "build", f"--build-arg=BASE={base}", "--pull-never", "--tag", reference, "--file", file, context
        )
        self._buildah("push", reference, f"docker-archive:{archive}:{reference}")
        # The archive is what is kept; vfs keeps every layer as a whole copy.
        self._buildah("rmi", "--force", reference)

    def _base(self, suite: str) -> str:
        """Return the local base image of a Debian release, made by the first who asks (a minute)."""
        name = f"localhost/debian:{suite}"
        if name in self._buildah("images", "--format", "{{.Name}}:{{.Tag}}").split():
            return name
        for abandoned in self.storage.glob(".base-*"):
            shutil.rmtree(abandoned)
        self.say(f"making a base from Debian's packages ({suite})")
        with tempfile.TemporaryDirectory(prefix=".base-", dir=self.storage) as temporary:
            root = Path(temporary, "root")
            # It mounts /proc in there: in a mount namespace of its own, so that no mount outlives it.
            run("unshare", "--mount", "debootstrap", "--variant=minbase", suite, root, timeout=BUILD_SECONDS)
            # What only a person would read, and lists that the next apt-get update gets anew.
            for waste in (
                "usr/share/doc",
                "usr/share/man",
                "usr/share/info",
                "usr/share/locale",
                "var/lib/apt/lists",
                "var/cache/apt",
            ):
                shutil.rmtree(root / waste, ignore_errors=True)
            container = self._buildah("from", "scratch").strip()
            try:
                self._buildah("copy", container, root, "/")
                self._buildah("config", "--cmd", "/bin/sh", container)
                self._buildah("commit", container, name)
            finally:
                self._buildah("rm", container)
        return name

    def _buildah(self, verb: str, *words: str | Path) -> str:
        self.storage.mkdir(parents=True, exist_ok=True)
        # vfs and chroot need neither fuse nor a user namespace, so they work inside of containers and small
        # machines too.
        environment = {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs"}
        places = ("--root", self.storage / "storage", "--runroot", self.storage / "run")
        return run("buildah", *places, verb, *words, environment=environment, timeout=BUILD_SECONDS)
