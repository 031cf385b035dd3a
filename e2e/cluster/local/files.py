"""The configuration files of the node, as it sees them: below /var/lib/node, whatever machine it is on."""

import json
from pathlib import Path

from .node import ADDRESS, HOSTNAME

NODE_FOLDER = Path("/var/lib/node")
CREDENTIALS = NODE_FOLDER / "credentials"
ADMIN = CREDENTIALS / "super-admin.conf"
"""The one identity that may do things before RBAC is set up."""
RUNTIME_SOCKET = "/run/containerd/containerd.sock"
RUNTIME_ENDPOINT = f"unix://{RUNTIME_SOCKET}"
AUDIT_LOG = Path("/var/log/audit.log")
PAUSE_IMAGE = "memwarden.test/pause:1"

API_PORT = 6443
DNS_READY_PORT = 8181
PROXY_HEALTH_PORT = 10256
POD_RANGE = "10.244.0.0/24"
SERVICE_RANGE = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"
DOMAIN = "cluster.local"

# Who asked for what, of the namespace that Memwarden is installed in and of nobody else; no bodies.
AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - {level: Metadata, userGroups: ["system:serviceaccounts:memwarden-system"]}
  - level: None
"""


def all_files(kubernetes: str, cgroup: str, cni_plugins: Path) -> dict[str, str]:
    """Return every file by its name below `NODE_FOLDER`."""
    return {
        "kubeadm.yaml": _kubeadm(kubernetes),
        "containerd.toml": _containerd(cni_plugins),
        "cni/10-bridge.conflist": _cni(),
        "kubelet.yaml": _kubelet(cgroup),
        "proxy.yaml": _proxy(),
        "Corefile": _coredns(),
        "audit.yaml": AUDIT_POLICY,
        # Pods with dnsPolicy Default: there is nothing outside to resolve.
        "resolv.conf": "nameserver 127.0.0.1\n",
    }


def _kubeadm(kubernetes: str) -> str:
    # Only the phases that make certificates and kubeconfigs are run.
    return f"""\
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {{advertiseAddress: {ADDRESS}, bindPort: {API_PORT}}}
nodeRegistration: {{name: {HOSTNAME}, criSocket: "{RUNTIME_ENDPOINT}"}}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v{kubernetes}
certificatesDir: {CREDENTIALS}
controlPlaneEndpoint: {ADDRESS}:{API_PORT}
networking: {{podSubnet: {POD_RANGE}, serviceSubnet: {SERVICE_RANGE}, dnsDomain: {DOMAIN}}}
apiServer: {{certSANs: [127.0.0.1]}}
# Elliptic curves: making the keys takes no time.
encryptionAlgorithm: ECDSA-P256
"""


def _containerd(cni_plugins: Path) -> str:
    # restrict_oom_score_adj: where root lacks CAP_SYS_RESOURCE, a lower score than one's own can't be set.
    return f"""\
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni_plugins}"
    conf_dir = "{NODE_FOLDER}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
"""


def _cni() -> str:
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": True,
        # A pod may reach itself through its Service.
        "hairpinMode": True,
        "ipam": {"type": "host-local", "ranges": [[{"subnet": POD_RANGE}]], "routes": [{"dst": "0.0.0.0/0"}]},
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return json.dumps({"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge, ports]}, indent=2)


def _kubelet(cgroup: str) -> str:
    return f"""\
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: cgroupfs
cgroupRoot: /{cgroup}
failCgroupV1: false
failSwapOn: false
clusterDNS: [{ADDRESS}]
clusterDomain: {DOMAIN}
containerRuntimeEndpoint: {RUNTIME_ENDPOINT}
resolvConf: {NODE_FOLDER}/resolv.conf
authentication:
  anonymous: {{enabled: false}}
  webhook: {{enabled: true}}
  x509: {{clientCAFile: {CREDENTIALS}/ca.crt}}
authorization: {{mode: Webhook}}
# The disk is the developer's: the kubelet shall neither evict pods for it nor remove images that can't be
# pulled again.
evictionHard: {{memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%}}
imageGCHighThresholdPercent: 100
# `up` waits for a report that is newer than its kubelet.
nodeStatusUpdateFrequency: 3s
nodeStatusReportFrequency: 3s
"""


def _proxy() -> str:
    # maxPerCore 0: the limit of tracked connections belongs to the machine and is left alone.
    return f"""\
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clusterCIDR: {POD_RANGE}
hostnameOverride: {HOSTNAME}
healthzBindAddress: {ADDRESS}:{PROXY_HEALTH_PORT}
metricsBindAddress: 127.0.0.1:10249
clientConnection: {{kubeconfig: {ADMIN}}}
conntrack: {{maxPerCore: 0}}
# A Service's new address is there at once.
iptables: {{minSyncPeriod: 0s}}
"""


def _coredns() -> str:
    return f"""\
.:53 {{
  bind {ADDRESS}
  errors
  ready {ADDRESS}:{DNS_READY_PORT}
  kubernetes {DOMAIN} in-addr.arpa {{
    kubeconfig {ADMIN}
    pods insecure
  }}
  cache 5
}}
"""
