"""The programs that no Debian package has, built from Go modules and kept by version.

Guarantee: what is in the cache is whole. A build happens in a folder beside it that gets its final name in
one step at the end.
"""

import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster.commands import run
from cluster.errors import CommandFailed, Unsuitable
from cluster.settings import COREDNS, HELM, Settings

HERE = Path(__file__).parent
COMPONENTS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
    "kubelet",
    "kubeadm",
    "kubectl",
)
PROMETHEUS_OPERATOR = "github.com/prometheus-operator/prometheus-operator"
# 20 minutes on 2 cores that are shared with others.
BUILD_SECONDS = 3600.0

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Binaries:
    """Where the programs are, once they are there."""

    kubernetes: Path
    """A folder with one entry for each of `COMPONENTS`."""
    coredns: Path
    helm: Path
    init: Path

    @property
    def kubectl(self) -> Path:
        return self.kubernetes / "kubectl"

    @property
    def missing(self) -> list[str]:
        """The ones that `build` would make; Helm is built for whoever asks for it."""
        parts = {"Kubernetes": self.kubernetes, "CoreDNS": self.coredns, "init": self.init}
        return [name for name, path in parts.items() if not path.exists()]


def locate(settings: Settings) -> Binaries:
    """Return where the programs of this version belong, whether or not they are there."""
    base = settings.cache / "binaries"
    return Binaries(
        kubernetes=base / f"kubernetes-{settings.kubernetes}",
        coredns=base / f"coredns-{COREDNS}" / "coredns",
        helm=base / f"helm-{HELM}" / "helm",
        init=base / "init-1" / "init",
    )


def build(settings: Settings, say: Progress) -> Binaries:
    """Build what is missing; on 2 cores 10 minutes and 3 GB of Go's build cache at the first time."""
    binaries = locate(settings)
    if not binaries.init.exists():
        with _appearing(binaries.init.parent) as folder:
            main = str(HERE / "init" / "main.go")
            _go(settings, folder, "build", *_FLAGS, "-o", folder / "init", main)
    if not binaries.coredns.exists():
        say(f"building CoreDNS {COREDNS}")
        _install(settings, f"github.com/coredns/coredns@v{COREDNS}", binaries.coredns.parent)
    if not binaries.kubernetes.exists():
        say(f"building Kubernetes {settings.kubernetes} (10 minutes on 2 cores; kept for the next time)")
        _build_kubernetes(settings, binaries.kubernetes)
    return binaries


def build_helm(settings: Settings, say: Progress) -> Path:
    """Return Helm, built where it is missing: few tests need it. The caller holds the cache's lock."""
    helm = locate(settings).helm
    if not helm.exists():
        say(f"building Helm {HELM}")
        _install(settings, f"helm.sh/helm/v3/cmd/helm@v{HELM}", helm.parent)
    return helm


def build_prometheus_operator(settings: Settings, say: Progress) -> Path:
    """Return a folder with `operator`, `prometheus-config-reloader` and `kinds`, built where it is missing.

    The caller holds the cache's lock.
    """
    source = HERE.parents[1] / "prometheus_operator"
    [version] = re.findall(rf"^require {PROMETHEUS_OPERATOR} v(\S+)$", (source / "go.mod").read_text(), re.M)
    target = settings.cache / "binaries" / f"prometheus-operator-{version}"
    if not target.exists():
        say(f"building the Prometheus operator {version}")
        with _appearing(target) as folder:
            module = folder / "source"
            shutil.copytree(source, module)
            _go(settings, module, "mod", "tidy")
            _go(settings, module, "build", *_FLAGS, "-ldflags=-s -w", "-o", f"{folder}/", "tool")
            upstream = _go(settings, module, "list", "-m", "-f={{.Dir}}", PROMETHEUS_OPERATOR).strip()
            shutil.copytree(Path(upstream, "example", "prometheus-operator-crd"), folder / "kinds")
    return target


_FLAGS = ("-trimpath", "-buildvcs=false")


def _go(
    settings: Settings, folder: Path, verb: str, *arguments: str | Path, install_into: Path | None = None
) -> str:
    # GOWORK and GOFLAGS=-mod=… of the caller's own project would change what is built here.
    environment = {"CGO_ENABLED": "0", "GOWORK": "off", "GO111MODULE": "on"}
    if settings.keeps_go:
        # So that a run with a cache of its own is a first one in earnest, and leaves nothing elsewhere.
        environment |= {
            "GOMODCACHE": str(settings.cache / "go" / "mod"),
            "GOCACHE": str(settings.cache / "go" / "build"),
            "GOFLAGS": "-modcacherw",
        }
    if install_into:
        environment["GOBIN"] = str(install_into)
    return run("go", verb, *arguments, folder=folder, environment=environment, timeout=BUILD_SECONDS)


def _install(settings: Settings, package: str, target: Path) -> None:
    with _appearing(target) as folder:
        _go(settings, folder, "install", *_FLAGS, "-ldflags=-s -w", package, install_into=folder)


def _build_kubernetes(settings: Settings, target: Path) -> None:
    version = settings.kubernetes
    with _appearing(target) as folder:
        source = folder / "source"
        shutil.copytree(HERE / "kube", source)
        try:
            found = json.loads(
                _go(settings, source, "mod", "download", "-json", f"k8s.io/kubernetes@v{version}")
            )
        except CommandFailed as failed:
            raise Unsuitable(
                f"Kubernetes {version} can't be downloaded; `go list -m -versions k8s.io/kubernetes` shows "
                f"what there is: {failed}"
            ) from failed
        (source / "go.mod").write_text(module_file(version, Path(found["GoMod"]).read_text()))
        _go(settings, source, "mod", "tidy")
        major, minor, _patch = version.split(".", 2)
        stamp = "-X k8s.io/component-base/version."
        flags = f"-s -w {stamp}gitVersion=v{version} {stamp}gitMajor={major} {stamp}gitMinor={minor}"
        _go(settings, source, "build", *_FLAGS, f"-ldflags={flags}", "-o", folder / "kube", ".")
        for component in COMPONENTS:
            (folder / component).symlink_to("kube")


def module_file(version: str, upstream: str) -> str:
    """Write the go.mod that builds Kubernetes from outside its own repository.

    Kubernetes replaces its libraries by folders of its repository (`=> ./staging/…`), and a module's
    replacements count only where it is the main one: each is replaced here by its published version, which is
    v0.MINOR.PATCH. `go` and `godebug` are taken over, since they too count only in the main module and decide
    how the standard library behaves.
    """
    staging = f"v0.{version.split('.', 1)[1]}"
    replaced = re.findall(r"^\s*(k8s\.io/[\w.-]+) => \./staging/", upstream, re.MULTILINE)
    go = re.search(r"^go \S+$", upstream, re.MULTILINE)
    godebug = re.search(r"^godebug (?:\([^)]*\)|\S+)$", upstream, re.MULTILINE)
    needed = {"k8s.io/kubernetes": f"v{version}", "k8s.io/component-base": staging, "k8s.io/kubectl": staging}
    return "\n".join(
        [
            "module memwarden.dev/e2e/kube",
            go.group() if go else "go 1.24.0",
            godebug.group() if godebug else "",
            *(f"require {module} {wanted}" for module, wanted in needed.items()),
            *(f"replace {module} => {module} {staging}" for module in replaced),
            "",
        ]
    )


@contextmanager
def _appearing(target: Path) -> Iterator[Path]:
    """Lend a folder that becomes `target` if nothing goes wrong, and is removed otherwise."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # Builds that were killed; who builds holds the cache's lock, so that none of them goes on.
    for abandoned in target.parent.glob(f".{target.name}-*"):
        shutil.rmtree(abandoned)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield folder
        folder.chmod(0o755)
        folder.rename(target)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
