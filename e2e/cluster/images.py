"""Images, Memwarden's own and those of the tests: built when one is asked for, kept by what they are made from.

An image is a Containerfile with `ARG BASE`, below images/ or e2e/images. Docker and podman take the base that it
names.
Where neither is, the base is made from Debian's packages (debootstrap) and buildah builds on that, without a
daemon and without a registry.
"""

import hashlib
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from . import product
from .commands import run
from .errors import ClusterError, Unsuitable
from .kind import docker_answers
from .local import packages
from .lock import alone
from .settings import Settings
from .ways import Cluster

E2E = Path(__file__).resolve().parent.parent
REPOSITORY = "memwarden.test"
PRODUCT = "memwarden.dev"
SBOM_PATHS = ("usr/share/memwarden/sbom.cdx.json", "sbom.cdx.json")
BUILD_SECONDS = 1800.0

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Image:
    """One image and all that it is made from; paths are relative to `root`, the build's context."""

    name: str
    suite: str
    """Debian's release that its base is of."""
    folder: str
    sources: tuple[str, ...] = ()
    root: Path = E2E
    made_from: tuple[str, ...] = ()
    """What the rest of the context is put together from by `prepare`."""
    prepare: Callable[[Path], None] | None = None
    version: str = ""
    """Of Memwarden's own images."""

    def reference(self, settings: Settings) -> str:
        """Return the name that pods use.

        The tag ends in a hash of what it is made from: what has changed has another name.
        """
        place = settings.registry or (PRODUCT if self.version else REPOSITORY)
        return f"{place}/{self.name}:{self.version and self.version + '-'}{self._hash()[:12]}"

    def archive(self, settings: Settings) -> Path:
        """Return where it is kept (`docker save`), built or not."""
        return settings.cache / "images" / f"{self.name}-{self.reference(settings).rpartition(':')[2]}.tar"

    def _hash(self) -> str:
        digest = hashlib.sha256(f"{self.suite}{self.version}".encode())
        for file in (*self.files(), *self._below(*self.made_from)):
            digest.update(f"\0{file.relative_to(self.root)}\0{file.stat().st_mode & 0o111}\0".encode())
            digest.update(file.read_bytes())
        return digest.hexdigest()

    def files(self) -> Iterator[Path]:
        """Return the files that the build sees."""
        return self._below(self.folder, *self.sources)

    def _below(self, *sources: str) -> Iterator[Path]:
        for source in sources:
            found = self.root / source
            files = [found] if found.is_file() else found.rglob("*")
            yield from sorted(p for p in files if p.is_file() and "__pycache__" not in p.parts)


CATALOGUE = {
    image.name: image
    for image in (
        Image("python-3.11", "bookworm", "images/python", ("apps/python",)),
        Image("python-3.13", "trixie", "images/python", ("apps/python",)),
        Image("native", "bookworm", "images/native"),
        Image("preloads", "bookworm", "images/preloads"),
        Image("postgresql-17", "trixie", "images/postgresql"),
    )
}
OWN = {
    name: Image(name, product.SUITE, seen[0], seen[1:], product.ROOT, made_from, prepare, product.version())
    for name, (seen, made_from, prepare) in product.IMAGES.items()
}
EVERY = {**CATALOGUE, **OWN}


def provide(cluster: Cluster, settings: Settings, name: str, say: Progress) -> str:
    """Make an image ready for pods of this cluster and return its reference."""
    image = EVERY[name]
    reference = image.reference(settings)
    if not settings.registry:
        cluster.load(reference, build(image, settings, say))
    return reference


def build(image: Image, settings: Settings, say: Progress) -> Path:
    """Return the image's archive (`docker save`), building it where it is not there yet."""
    reference, archive = image.reference(settings), image.archive(settings)
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
            copy = context / file.relative_to(image.root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, copy)
        if image.prepare is not None:
            image.prepare(context)
        written = Path(temporary, "image.tar")
        engine.build(image, reference, context, written)
        # Earlier contents of this image are of no use any more.
        for outdated in archive.parent.glob(f"{image.name}-*.tar"):
            outdated.unlink()
        written.chmod(0o644)
        written.rename(archive)


def hand_out(image: Image, settings: Settings, folder: Path, say: Progress) -> tuple[Path, Path]:
    """Return copies of an own image's archive and of its list of contents (CycloneDX) in a folder."""
    built = build(image, settings, say)
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / built.name
    for outdated in folder.glob(f"{image.name}-*"):
        outdated.unlink()
    shutil.copyfile(built, archive)
    contents = archive.with_suffix(".cdx.json")
    contents.write_bytes(_from_layers(archive, SBOM_PATHS))
    return archive, contents


def _from_layers(archive: Path, paths: tuple[str, ...]) -> bytes:
    """Return the first of these files that a layer of an image has; the last layer counts most."""
    with tarfile.open(archive) as outer:
        listed = outer.extractfile("manifest.json")
        layers = json.load(listed)[0]["Layers"] if listed is not None else []
        for layer in reversed(layers):
            with tarfile.open(fileobj=outer.extractfile(layer)) as inner:
                for path in paths:
                    if path in inner.getnames():
                        found = inner.extractfile(path)
                        if found is not None:
                            return found.read()
    raise ClusterError(f"{archive} has no list of its contents: build it again")


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
        arguments = (
            f"--build-arg=BASE=docker.io/library/debian:{image.suite}-slim",
            f"--build-arg=VERSION={image.version}",
        )
        file = context / image.folder / "Containerfile"
        run(
            self.program,
            "build",
            *arguments,
            "--tag",
            reference,
            "--file",
            file,
            context,
            timeout=BUILD_SECONDS,
        )
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
            *("build", f"--build-arg=BASE={base}", f"--build-arg=VERSION={image.version}", "--pull-never"),
            *("--tag", reference, "--file", file, context),
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
