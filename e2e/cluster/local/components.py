"""The programs of the node, in the order in which they start."""

from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from .binaries import Binaries
from .files import API_PORT, AUDIT_LOG, CREDENTIALS, NODE_FOLDER, POD_RANGE, RUNTIME_SOCKET, SERVICE_RANGE
from .node import ADDRESS, HOSTNAME

ETCD = "http://127.0.0.1:2379"
ETCD_PEER = "http://127.0.0.1:2380"


class Stage(Enum):
    """What must be there before a component is started."""

    NODE_MADE = auto()
    API_ANSWERS = auto()
    """For those that end themselves where they can't reach the API server."""


@dataclass(frozen=True, slots=True)
class Component:
    """A program that runs as long as the node does."""

    command: tuple[str, ...]
    after: Stage

    @property
    def name(self) -> str:
        return Path(self.command[0]).name


def components(binaries: Binaries) -> tuple[Component, ...]:
    """Return what runs on a node."""
    kubernetes = binaries.kubernetes
    return (
        Component(
            ("containerd", f"--config={NODE_FOLDER}/containerd.toml", f"--address={RUNTIME_SOCKET}"),
            Stage.NODE_MADE,
        ),
        Component(_etcd(), Stage.NODE_MADE),
        Component((str(kubernetes / "kube-apiserver"), *_api_server()), Stage.NODE_MADE),
        Component((str(kubernetes / "kube-controller-manager"), *_controllers()), Stage.API_ANSWERS),
        Component((str(kubernetes / "kube-scheduler"), *_identity("scheduler")), Stage.API_ANSWERS),
        Component((str(kubernetes / "kubelet"), *_kubelet()), Stage.API_ANSWERS),
        Component((str(kubernetes / "kube-proxy"), f"--config={NODE_FOLDER}/proxy.yaml"), Stage.API_ANSWERS),
        Component((str(binaries.coredns), "-conf", f"{NODE_FOLDER}/Corefile"), Stage.API_ANSWERS),
    )


def _etcd() -> tuple[str, ...]:
    return (
        "etcd",
        "--data-dir=/var/lib/etcd",
        # The data lives as long as the cluster: nothing has to survive a crash of the machine.
        "--unsafe-no-fsync",
        f"--listen-client-urls={ETCD}",
        f"--advertise-client-urls={ETCD}",
        f"--listen-peer-urls={ETCD_PEER}",
        "--log-level=error",
    )


def _api_server() -> tuple[str, ...]:
    return (
        f"--etcd-servers={ETCD}",
        "--bind-address=0.0.0.0",
        f"--advertise-address={ADDRESS}",
        f"--secure-port={API_PORT}",
        f"--client-ca-file={CREDENTIALS}/ca.crt",
        f"--tls-cert-file={CREDENTIALS}/apiserver.crt",
        f"--tls-private-key-file={CREDENTIALS}/apiserver.key",
        f"--kubelet-client-certificate={CREDENTIALS}/apiserver-kubelet-client.crt",
        f"--kubelet-client-key={CREDENTIALS}/apiserver-kubelet-client.key",
        # The node's name is known to nobody: exec and logs go to its address.
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-account-key-file={CREDENTIALS}/sa.pub",
        f"--service-account-signing-key-file={CREDENTIALS}/sa.key",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged",
        # Which rights Memwarden's own accounts use: a test compares them with those that the chart grants.
        f"--audit-policy-file={NODE_FOLDER}/audit.yaml",
        f"--audit-log-path={AUDIT_LOG}",
        # The aggregation layer, as every real cluster has it.
        f"--requestheader-client-ca-file={CREDENTIALS}/front-proxy-ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={CREDENTIALS}/front-proxy-client.crt",
        f"--proxy-client-key-file={CREDENTIALS}/front-proxy-client.key",
    )


def _identity(component: str) -> tuple[str, ...]:
    own = CREDENTIALS / f"{component}.conf"
    return (
        f"--kubeconfig={own}",
        f"--authentication-kubeconfig={own}",
        f"--authorization-kubeconfig={own}",
        # There is one of each: nobody to elect, and a restart need not wait for a lease to end.
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
    )


def _controllers() -> tuple[str, ...]:
    return (
        *_identity("controller-manager"),
        f"--root-ca-file={CREDENTIALS}/ca.crt",
        f"--service-account-private-key-file={CREDENTIALS}/sa.key",
        f"--cluster-signing-cert-file={CREDENTIALS}/ca.crt",
        f"--cluster-signing-key-file={CREDENTIALS}/ca.key",
        "--use-service-account-credentials",
        f"--cluster-cidr={POD_RANGE}",
        "--allocate-node-cidrs=false",
    )


def _kubelet() -> tuple[str, ...]:
    return (
        f"--config={NODE_FOLDER}/kubelet.yaml",
        f"--kubeconfig={CREDENTIALS}/kubelet.conf",
        f"--hostname-override={HOSTNAME}",
        f"--node-ip={ADDRESS}",
    )
