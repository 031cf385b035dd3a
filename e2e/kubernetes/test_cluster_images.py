"""The test images do in a pod what they are for, without root and on a read-only root file system."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from cluster.testing.waiting import eventually

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace

pytestmark = pytest.mark.cluster

POD = """
apiVersion: v1
kind: Pod
metadata: {name: pod}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  securityContext: {runAsNonRoot: true, fsGroup: 10001, seccompProfile: {type: RuntimeDefault}}
  volumes: [{name: data, emptyDir: {}}]
  containers:
    - name: main
      image: $image
      $what
      env: [{name: POSTGRES_PASSWORD, value: secret}]
      resources: {limits: {memory: 256Mi}}
      volumeMounts: [{name: data, mountPath: /data}]
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
"""


@pytest.fixture
def namespace(namespace: "Namespace") -> "Namespace":
    """A namespace that admits `restricted` pods only."""
    level = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace.core.patch_namespace(namespace.name, {"metadata": {"labels": level}})
    return namespace


@pytest.mark.parametrize("version", ["3.11", "3.13"])
def test_the_python_image_has_its_version_and_the_programs(
    namespace: "Namespace", image: Callable[[str], str], version: str
) -> None:
    script = "import os, sys; print(sys.version_info[:2], 'batches.py' in os.listdir('/apps'))"
    namespace.apply(POD, image=image(f"python-{version}"), what=f'command: [python3, -c, "{script}"]')

    namespace.wait("Pod", "pod", lambda pod: pod["status"]["phase"] == "Succeeded")

    assert namespace.logs("pod") == f"({version.replace('.', ', ')}) True\n"


def test_the_native_image_keeps_memory_until_it_is_killed(
    namespace: "Namespace", image: Callable[[str], str]
) -> None:
    from cluster.testing.namespace import container_status

    namespace.apply(POD, image=image("native"), what='args: ["4194304", "100"]')

    pod = namespace.wait(
        "Pod", "pod", lambda pod: container_status(pod, "main").get("state", {}).get("terminated")
    )

    assert container_status(pod, "main")["state"]["terminated"]["reason"] == "OOMKilled"


def test_the_database_image_has_hypertables_under_the_apache_licence(
    namespace: "Namespace", image: Callable[[str], str]
) -> None:
    namespace.apply(POD, image=image("postgresql-17"), what="ports: [{containerPort: 5432}]")
    namespace.wait_ready("pod")
    statements = (
        "create extension timescaledb",
        "create table measured (at timestamptz not null, bytes bigint)",
        "select create_hypertable('measured', 'at')",
        "show timescaledb.license",
    )
    command = [word for statement in statements for word in ("-c", statement)]

    def made() -> str:
        asked = ("psql", "-h", "127.0.0.1", "-U", "postgres", "-qAtv", "ON_ERROR_STOP=1")
        executed = namespace.execute("pod", "env", "PGPASSWORD=secret", *asked, *command)
        assert executed.exit_code == 0, executed.stderr
        return executed.stdout

    assert eventually("a database that takes statements", made).splitlines()[-1] == "apache"
