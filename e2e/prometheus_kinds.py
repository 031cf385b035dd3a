"""The kinds of the Prometheus operator in a cluster, without the operator."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cluster.ways import Cluster


@contextmanager
def prometheus_kinds(cluster: "Cluster", programs: Path) -> Iterator[None]:
    """For as long as it lasts; `programs` is where they have been built."""

    def kubectl(*words: str) -> None:
        subprocess.run([*cluster.kubectl, *words, f"--filename={programs / 'kinds'}"], check=True)

    try:
        kubectl("create")
        kubectl("wait", "--for=condition=Established", "--timeout=120s")
        yield
    finally:
        kubectl("delete", "--ignore-not-found", "--timeout=120s")
