"""The verbs of the cluster on the command line: `PYTHONPATH=e2e python3 -m cluster up`."""

import argparse
import os
import sys
import time
from pathlib import Path

from .errors import ClusterError, Unsuitable
from .images import CATALOGUE, EVERY, OWN, build, hand_out
from .settings import WAYS, Settings, load
from .ways import Cluster, choose


def main() -> int:
    arguments = _parser().parse_args()
    try:
        settings = load(arguments.via, arguments.kubernetes)
        if arguments.verb == "images":
            return _images(settings, arguments.words, arguments.into)
        return _VERBS[arguments.verb](choose(settings), arguments)
    except (ClusterError, ValueError) as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cluster", description="A real Kubernetes cluster for tests.")
    parser.add_argument("--via", choices=WAYS, help="how; else the first of these that can be gone")
    parser.add_argument("--kubernetes", metavar="VERSION", help="of the cluster that is made")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("up", help="bring the cluster up, or repair it")
    verbs.add_parser("down", help="remove the cluster and everything that was made for it")
    verbs.add_parser(
        "check", help="tell whether a cluster can be made here; exit code 3 and the reason where not"
    )
    verbs.add_parser("status", help="tell what is there; exit code 3 where it is not all well")
    images = verbs.add_parser("images", help="build images and say where their archives are")
    images.add_argument(
        "words", nargs="*", metavar="NAME", help=f"some of {', '.join(EVERY)}; else the tests'"
    )
    images.add_argument(
        "--into", type=Path, metavar="DIR", help="all of Memwarden's own, with their contents, here"
    )
    for verb, told in (
        ("kubectl", "kubectl with this cluster"),
        ("run", "a command in the cluster's network, with KUBECONFIG set"),
    ):
        verbs.add_parser(verb, help=told, add_help=False, prefix_chars="\0").add_argument("words", nargs="*")
    return parser


def _up(cluster: Cluster, _: argparse.Namespace) -> int:
    began = time.monotonic()
    cluster.up(lambda told: print(f"[{time.monotonic() - began:5.1f} s] {told}", flush=True))
    return 0


def _down(cluster: Cluster, _: argparse.Namespace) -> int:
    cluster.down(print)
    return 0


def _check(cluster: Cluster, _: argparse.Namespace) -> int:
    try:
        cluster.check()
    except Unsuitable as reason:
        print(reason)
        return 3
    return 0


def _status(cluster: Cluster, _: argparse.Namespace) -> int:
    status = cluster.status()
    print(status.details)
    # 3 is what init scripts' `status` says of a program that is not running (LSB).
    return 0 if status.up else 3


def _images(settings: Settings, names: list[str], into: Path | None) -> int:
    if into is not None:
        values = [
            "# The images of this build, for charts/memwarden: --values THIS --set images.registry=YOURS",
            "images:",
        ]
        for name, image in OWN.items():
            archive, contents = hand_out(image, settings, into, print)
            size = archive.stat().st_size / 1e6
            print(f"{name}: {image.reference(settings)}\n  {archive} ({size:.0f} MB)\n  {contents}")
            tag = image.reference(settings).rpartition(":")[2]
            values.append(f'  {name.removeprefix("memwarden-")}: {{repository: {name}, tag: "{tag}"}}')
        (into / "values.yaml").write_text("\n".join(values) + "\n")
        return 0
    for name in names or CATALOGUE:
        if name not in EVERY:
            raise ValueError(f"there is no image {name}; there are {', '.join(EVERY)}")
        print(build(EVERY[name], settings, print))
    return 0


def _kubectl(cluster: Cluster, arguments: argparse.Namespace) -> int:
    return _become([*cluster.kubectl, *arguments.words], cluster)


def _run(cluster: Cluster, arguments: argparse.Namespace) -> int:
    return _become([*cluster.prefix, *arguments.words], cluster)


def _become(command: list[str], cluster: Cluster) -> int:
    if not cluster.kubeconfig.exists():
        raise ClusterError("the cluster is not up: `make cluster`")
    os.execvpe(command[0], command, {**os.environ, "KUBECONFIG": str(cluster.kubeconfig)})


_VERBS = {"up": _up, "down": _down, "check": _check, "status": _status, "kubectl": _kubectl, "run": _run}

if __name__ == "__main__":
    sys.exit(main())
