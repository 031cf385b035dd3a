"""What is kept of a failed test: all that a person would ask the cluster for, in one folder."""

import shutil
from pathlib import Path

from cluster.commands import run
from cluster.errors import CommandFailed, NotReady
from cluster.ways import Cluster


def collect(cluster: Cluster, namespace: str, folder: Path) -> None:
    """Write events, descriptions, all objects and all logs of a namespace.

    Raises nothing: the test's own failure is what counts.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "events.txt").write_text(
        _ask(cluster, "get", "events", "--sort-by=.lastTimestamp", "-o", "wide", "-n", namespace)
    )
    (folder / "pods.txt").write_text(_ask(cluster, "describe", "pods", "-n", namespace))
    (folder / "node.txt").write_text(_ask(cluster, "describe", "nodes"))
    # Resources of our own groups are among these; Secrets are not.
    kinds = _ask(cluster, "api-resources", "--namespaced", "--verbs=list", "-o", "name").split()
    kept = [
        kind
        for kind in kinds
        if kind not in ("secrets", "events", "events.events.k8s.io", "pods.metrics.k8s.io")
    ]
    objects = _ask(cluster, "get", ",".join(kept), "-n", namespace, "-o", "yaml", "--ignore-not-found")
    (folder / "objects.yaml").write_text(objects)
    _collect_logs(cluster, namespace, folder / "logs")


def _collect_logs(cluster: Cluster, namespace: str, folder: Path) -> None:
    folder.mkdir()
    containers = "{range .spec['initContainers','containers'][*]} {.name}{end}"
    names = "{range .items[*]}{.metadata.name}" + containers + "{'\\n'}{end}"
    for line in _ask(cluster, "get", "pods", "-n", namespace, "-o", f"jsonpath={names}").splitlines():
        pod, *containers = line.split()
        for container in containers:
            for suffix, options in (("", ()), (".previous", ("--previous",))):
                logs = _ask(cluster, "logs", pod, "-c", container, "-n", namespace, "--timestamps", *options)
                if not (suffix and "not found" in logs):
                    (folder / f"{pod}.{container}{suffix}.log").write_text(logs)


def _ask(cluster: Cluster, *words: str) -> str:
    try:
        return run(*cluster.kubectl, *words, timeout=30)
    except (CommandFailed, NotReady) as failed:
        return f"{failed}\n"
