"""The test cluster runs pods as a real one does: sidecars, Jobs, exec, logs, limits."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from cluster.testing.waiting import eventually

if TYPE_CHECKING:
    from cluster.testing.namespace import Namespace

pytestmark = pytest.mark.cluster

SIDECAR_AND_APP = """
apiVersion: v1
kind: Pod
metadata: {name: pair}
spec:
  restartPolicy: Never
  volumes: [{name: shared, emptyDir: {}}]
  initContainers:
    - name: sidecar
      image: $image
      restartPolicy: Always
      volumeMounts: [{name: shared, mountPath: /shared}]
      startupProbe: {exec: {command: [test, -e, /shared/sidecar-runs]}, periodSeconds: 1}
      command:
        - python3
        - -c
        - |
          import os, signal, sys, time
          def end(*_):
              print("the app had ended:", os.path.exists("/shared/app-ended"))
              sys.exit()
          signal.signal(signal.SIGTERM, end)
          time.sleep(1)
          open("/shared/sidecar-runs", "w").close()
          while True:
              signal.pause()
  containers:
    - name: app
      image: $image
      volumeMounts: [{name: shared, mountPath: /shared}]
      command:
        - python3
        - -c
        - |
          import os, time
          print("the sidecar ran:", os.path.exists("/shared/sidecar-runs"))
          time.sleep(1)
          open("/shared/app-ended", "w").close()
"""

JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: job}
spec:
  template:
    spec:
      restartPolicy: Never
      initContainers:
        - name: sidecar
          image: $image
          restartPolicy: Always
          command: [sh, -c, "trap exit TERM; while :; do sleep 0.1; done"]
      containers:
        - name: work
          image: $image
          command: [python3, -c, "print('done')"]
"""

SLEEPER = """
apiVersion: v1
kind: Pod
metadata: {name: sleeper}
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: sleep
      image: $image
      command: [sh, -c, "echo awake; exec sleep 3600"]
"""

GREEDY = """
apiVersion: v1
kind: Pod
metadata: {name: greedy}
spec:
  restartPolicy: Never
  containers:
    - name: greedy
      image: $image
      command: [python3, -c, "kept = [bytearray(1 << 20) for _ in range(1000)]"]
      resources: {limits: {memory: 64Mi}}
"""


@pytest.mark.smoke
def test_a_native_sidecar_starts_before_its_app_and_ends_after_it(
    namespace: "Namespace", image: Callable[[str], str]
) -> None:
    namespace.apply(SIDECAR_AND_APP, image=image("python-3.11"))

    namespace.wait("Pod", "pair", lambda pod: pod["status"]["phase"] == "Succeeded")

    assert namespace.logs("pair", "app") == "the sidecar ran: True\n"
    assert namespace.logs("pair", "sidecar") == "the app had ended: True\n"


def test_a_job_completes_beside_a_sidecar_that_would_run_for_ever(
    namespace: "Namespace", image: Callable[[str], str]
) -> None:
    namespace.apply(JOB, image=image("python-3.11"))

    job = namespace.wait(
        "Job", "job", lambda job: job["status"].get("completionTime"), api_version="batch/v1"
    )

    assert job["status"]["succeeded"] == 1


@pytest.mark.smoke
def test_commands_run_in_a_container_and_its_output_can_be_read(
    namespace: "Namespace", image: Callable[[str], str]
) -> None:
    namespace.apply(SLEEPER, image=image("python-3.11"))
    namespace.wait_ready("sleeper")

    executed = namespace.execute("sleeper", "sh", "-c", "echo out; echo err >&2; exit 7")

    assert (executed.stdout, executed.stderr, executed.exit_code) == ("out\n", "err\n", 7)
    assert eventually("the container's output", lambda: namespace.logs("sleeper")) == "awake\n"


def test_a_container_over_its_memory_limit_is_seen_as_oomkilled(
    namespace: "Namespace", image: Callable[[str], str]
) -> None:
    from cluster.testing.namespace import container_status

    namespace.apply(GREEDY, image=image("python-3.11"))

    pod = namespace.wait(
        "Pod", "greedy", lambda pod: container_status(pod, "greedy").get("state", {}).get("terminated")
    )

    ended = container_status(pod, "greedy")["state"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)
