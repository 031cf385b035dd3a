"""The local cluster: what `up`, `down` and `status` do, step by step.

Every step looks at what is there and adds what lacks. So the first `up`, a second one, and one after
something was killed are the same code; and whoever is killed between two steps has lost nothing but time.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cluster.commands import answers, run
from cluster.errors import ClusterError, CommandFailed, NotReady
from cluster.lock import alone
from cluster.settings import Settings
from cluster.ways import Progress, Status

from . import archives, binaries, files, packages, requirements
from .components import Component, Stage, components
from .node import ADDRESS, HOSTNAME, Node

RUNTIME_SECONDS = 20.0
API_SECONDS = 90.0
NODE_SECONDS = 90.0
IMPORT_SECONDS = 300.0

_GET = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=2)"


@dataclass(frozen=True, slots=True)
class LocalCluster:
    """A node of our own. Needs root and Linux; takes about 1 GB of memory."""

    settings: Settings

    @property
    def node(self) -> Node:
        return Node(self.settings.name, self.settings.state)

    @property
    def kubeconfig(self) -> Path:
        return self._on_machine(files.ADMIN)

    @property
    def prefix(self) -> list[str]:
        return self.node.in_network

    @property
    def network(self) -> Path | None:
        return self.node.network

    @property
    def kubectl(self) -> list[str]:
        return [*self.prefix, str(self._binaries.kubectl), f"--kubeconfig={self.kubeconfig}"]

    @property
    def helm(self) -> list[str]:
        with alone(self.settings.cache, print):
            helm = binaries.build_helm(self.settings, print)
        return [*self.prefix, str(helm), f"--kubeconfig={self.kubeconfig}"]

    @property
    def _binaries(self) -> binaries.Binaries:
        return binaries.locate(self.settings)

    def _on_machine(self, path: Path) -> Path:
        """Translate a path below the node's /var/lib or /var/log."""
        return self.node.root / path.relative_to("/")

    # ---------------------------------------------------------------- up

    def check(self) -> None:
        requirements.check(self.settings, self._binaries)
        packages.check(packages.FOR_CLUSTER)

    def up(self, say: Progress) -> None:
        self.check()
        with alone(self.settings.cache, say):
            # 1. What it is made of: packages, programs.
            packages.install(packages.FOR_CLUSTER, say)
            built = binaries.build(self.settings, say)
            # 2. The node, empty.
            self._refuse_another_version()
            if self.node.find() is None:
                say("making the node")
                self.node.create(built.init)
            self.node.configure_network(files.SERVICE_RANGE)
            # 3. Configuration and credentials.
            self._write_files()
            self._make_credentials(built)
            # 4. Containers' runtime, and the one image that every pod needs.
            wanted = components(built)
            self._start(wanted, say, Stage.NODE_MADE)
            self._until(
                "containerd's answer", RUNTIME_SECONDS, "containerd", lambda: answers(*self._ctr, "version")
            )
            self._load_pause(built)
            # 5. The API server, then those that need it.
            self._until("the API server's readiness", API_SECONDS, "kube-apiserver", self._api_ready)
            self._allow_exec_and_logs()
            since = 0.0 if "kubelet" in self.node.programs() else time.time()
            self._start(wanted, say, Stage.API_ANSWERS)
            # 6. Until pods can run, Services are reached and names resolve.
            self._until("the node's readiness", NODE_SECONDS, "kubelet", lambda: self._node_ready(since))
            self._until("the readiness of Services", NODE_SECONDS, "kube-proxy", self._services_ready)
            self._until("the name server's readiness", NODE_SECONDS, "coredns", self._names_ready)
        say(f"Kubernetes {self.settings.kubernetes} is up: `make kubectl ARGS='get pods -A'`")

    def _refuse_another_version(self) -> None:
        written = self._on_machine(files.NODE_FOLDER) / "kubeadm.yaml"
        if (
            self.node.find()
            and written.exists()
            and f"v{self.settings.kubernetes}\n" not in written.read_text()
        ):
            raise ClusterError(
                f"the cluster that is up is not {self.settings.kubernetes}: `make cluster-down` first"
            )

    def _write_files(self) -> None:
        for name, text in files.all_files(
            self.settings.kubernetes, self.settings.name, packages.cni_folder()
        ).items():
            file = self._on_machine(files.NODE_FOLDER) / name
            # kube-proxy ends itself when its file is written to, be it with the same text.
            if not file.exists() or file.read_text() != text:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)

    def _make_credentials(self, built: binaries.Binaries) -> None:
        if self.kubeconfig.exists():
            return
        kubeadm = [*self.node.inside, str(built.kubernetes / "kubeadm"), "init", "phase"]
        configuration = f"--config={files.NODE_FOLDER}/kubeadm.yaml"
        # A half-written key would be taken for a whole one: kubeadm begins anew, and super-admin.conf, which
        # is written last, says that all are there.
        run("rm", "-rf", self._on_machine(files.CREDENTIALS))
        run(*kubeadm, "certs", "all", configuration)
        for name in ("controller-manager", "scheduler", "kubelet", "super-admin"):
            run(*kubeadm, "kubeconfig", name, configuration, f"--kubeconfig-dir={files.CREDENTIALS}")

    def _start(self, wanted: tuple[Component, ...], say: Progress, stage: Stage) -> None:
        there = self.node.programs()
        missing = [
            component for component in wanted if component.after is stage and component.name not in there
        ]
        if missing:
            say(f"starting {', '.join(component.name for component in missing)}")
        for component in missing:
            self.node.start(*component.command)

    def _load_pause(self, built: binaries.Binaries) -> None:
        archive = self.settings.state / "pause.tar"
        archives.write_single_file_image(archive, files.PAUSE_IMAGE, built.init)
        self.load(files.PAUSE_IMAGE, archive)

    def _allow_exec_and_logs(self) -> None:
        # kubeadm's own start does this; without it the API server may not ask the kubelet for exec and logs.
        binding = run(
            *self.kubectl,
            *(
                "create",
                "clusterrolebinding",
                "api-server-to-kubelet",
                "--clusterrole=system:kubelet-api-admin",
            ),
            *("--user=kube-apiserver-kubelet-client", "--dry-run=client", "--output=yaml"),
        )
        # The roles that a new API server makes for itself come a moment after its readiness.
        self._until(
            "the grant of exec and logs", API_SECONDS, "kube-apiserver", lambda: self._applies(binding)
        )

    def _applies(self, manifest: str) -> bool:
        try:
            run(*self.kubectl, "apply", "--filename=-", stdin=manifest)
        except CommandFailed:
            return False
        return True

    # ---------------------------------------------------------------- readiness

    def _until(self, what: str, seconds: float, program: str, happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + seconds
        while not happened():
            if time.monotonic() > deadline:
                raise NotReady(what, seconds, self.node.logs / f"{program}.log")
            time.sleep(0.2)

    def _api_ready(self) -> bool:
        return answers(*self.kubectl, "get", "--raw=/readyz")

    def _node_ready(self, since: float) -> bool:
        """Say whether the kubelet has reported readiness; what an earlier one had reported does not count."""
        try:
            node = json.loads(run(*self.kubectl, "get", "node", HOSTNAME, "--output=json"))
        except CommandFailed:
            return False
        ready = next((c for c in node["status"].get("conditions", []) if c["type"] == "Ready"), None)
        if ready is None or ready["status"] != "True":
            return False
        return datetime.fromisoformat(ready["lastHeartbeatTime"]).timestamp() >= int(since)

    def _services_ready(self) -> bool:
        return self._answers(f"http://{ADDRESS}:{files.PROXY_HEALTH_PORT}/healthz")

    def _names_ready(self) -> bool:
        return self._answers(f"http://{ADDRESS}:{files.DNS_READY_PORT}/ready")

    def _answers(self, url: str) -> bool:
        return answers(*self.prefix, sys.executable, "-c", _GET, url)

    # ---------------------------------------------------------------- down, status, images

    def down(self, say: Progress) -> None:
        requirements.check_privilege()
        with alone(self.settings.cache, say):
            self.node.destroy()
        say("the cluster is gone")

    def status(self) -> Status:
        if self.node.find() is None:
            left = self.node.leftovers() if self.node.network.exists() else []
            return Status(
                up=False, details=f"there is no cluster{'; left over: ' if left else ''}{', '.join(left)}"
            )
        dead = {component.name for component in components(self._binaries)} - self.node.programs()
        if dead:
            return Status(
                up=False,
                details=f"{', '.join(sorted(dead))} ended, see {self.node.logs}: `make cluster` repairs it",
            )
        if not (self._api_ready() and self._node_ready(since=0)):
            return Status(up=False, details=f"the cluster is not ready, see {self.node.logs}")
        return Status(up=True, details=run(*self.kubectl, "get", "nodes", "-o", "wide"))

    def load(self, image: str, archive: Path) -> None:
        if image not in run(*self._ctr, "images", "list", "--quiet").splitlines():
            run(*self._ctr, "images", "import", archive, timeout=IMPORT_SECONDS)

    @property
    def _ctr(self) -> list[str]:
        return [*self.node.inside, "ctr", f"--address={files.RUNTIME_SOCKET}", "--namespace=k8s.io"]
