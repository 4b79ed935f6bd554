"""What runs in the embedded cluster: arguments and configuration files of every component, as plain data."""

import ipaddress
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from local.pki import Pki
from local.places import ROOT
from local.settings import ClusterSettings

NODE = "local"
LABELS = {"muster.dev/pool": "cpu", "muster.dev/node": "system"}
PAUSE = "registry.k8s.io/pause:3.10"
API_QPS = ["--kube-api-qps=300", "--kube-api-burst=600"]


@dataclass(frozen=True)
class Component:
    """One process of the node's supervisor."""

    name: str
    argv: Sequence[str]
    after: Literal["start", "api"] = "start"
    """Started at once, or when the API server is ready."""
    ready: str = ""
    """`tcp:ADDRESS:PORT` or `unix:PATH` that answers when the component works; empty: no check."""


@dataclass(frozen=True)
class Node:
    """Everything the supervisor needs; written as JSON so that it reads nothing else."""

    state: str
    images: str
    volumes: str
    address: str
    prefix: int
    gateway: str
    bridge: str
    bridge_prefix: int
    api: str
    kubeconfig: str
    components: Sequence[Component]

    def json(self) -> str:
        """The node as its supervisor reads it."""
        return json.dumps(asdict(self), indent=1)


def node(settings: ClusterSettings, state: Path, image_store: Path, pki: Pki, binaries: Mapping[str, Path]) -> Node:
    """Resolve addresses and write the components' configuration files into `state`/etc."""
    link = ipaddress.ip_network(settings.link)
    gateway, address = (str(host) for host in list(link.hosts())[:2])
    pods = ipaddress.ip_network(settings.pods)
    bridge = str(pods[1])
    server = f"https://{address}:{settings.api_server_port}"
    etc = state / "etc"
    kubeconfig = state / "kubeconfig"
    run = Files(etc)
    socket = state / "containerd.sock"

    run.yaml("kubelet.yaml", _kubelet(settings, etc, pki, bridge, socket))
    run.yaml("kube-proxy.yaml", _kube_proxy(kubeconfig, settings.pods))
    run.text("resolv.conf", "")
    run.text("containerd.toml", _containerd(state, image_store, socket, etc / "cni"))
    run.text("cni/10-bridge.conflist", json.dumps(_bridge(settings.pods)))
    run.text("Corefile", _corefile(bridge, kubeconfig))

    def tool(name: str) -> str:
        return str(binaries[name])

    components = [
        Component(
            "etcd",
            [
                tool("etcd"),
                f"--data-dir={state / 'etcd'}",
                "--listen-client-urls=http://127.0.0.1:2379",
                "--advertise-client-urls=http://127.0.0.1:2379",
                "--listen-peer-urls=http://127.0.0.1:2380",
                "--unsafe-no-fsync",
                "--log-level=warn",
            ],
            ready="tcp:127.0.0.1:2379",
        ),
        Component(
            "kube-apiserver",
            [
                tool("kube-apiserver"),
                "--etcd-servers=http://127.0.0.1:2379",
                f"--advertise-address={address}",
                f"--secure-port={settings.api_server_port}",
                f"--client-ca-file={pki.ca}",
                f"--tls-cert-file={pki.cert('server')}",
                f"--tls-private-key-file={pki.key('server')}",
                f"--kubelet-client-certificate={pki.cert('admin')}",
                f"--kubelet-client-key={pki.key('admin')}",
                f"--kubelet-certificate-authority={pki.ca}",
                "--kubelet-preferred-address-types=InternalIP",
                "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
                f"--service-account-key-file={pki.key('tokens')}",
                f"--service-account-signing-key-file={pki.key('tokens')}",
                f"--service-cluster-ip-range={settings.services}",
                "--authorization-mode=Node,RBAC",
                "--allow-privileged=true",
                "--enable-aggregator-routing=false",
                "--anonymous-auth=false",
            ],
        ),
        Component(
            "kube-controller-manager",
            [
                tool("kube-controller-manager"),
                f"--kubeconfig={kubeconfig}",
                f"--service-account-private-key-file={pki.key('tokens')}",
                f"--root-ca-file={pki.ca}",
                "--bind-address=127.0.0.1",
                "--leader-elect=false",
                "--authentication-skip-lookup",
                f"--flex-volume-plugin-dir={etc / 'volume-plugins'}",
                *API_QPS,
            ],
            after="api",
        ),
        Component(
            "kube-scheduler",
            [
                tool("kube-scheduler"),
                f"--kubeconfig={kubeconfig}",
                "--bind-address=127.0.0.1",
                "--leader-elect=false",
                "--authentication-skip-lookup",
                *API_QPS,
            ],
            after="api",
        ),
        Component("containerd", ["containerd", "--config", str(etc / "containerd.toml")], ready=f"unix:{socket}"),
        Component(
            "kubelet",
            [
                tool("kubelet"),
                f"--config={etc / 'kubelet.yaml'}",
                f"--kubeconfig={kubeconfig}",
                f"--root-dir={state / 'kubelet'}",
                f"--hostname-override={NODE}",
                f"--node-ip={address}",
                "--node-labels=" + ",".join(f"{key}={value}" for key, value in LABELS.items()),
            ],
            after="api",
            ready=f"tcp:{address}:10250",
        ),
        Component(
            "kube-proxy",
            [tool("kube-proxy"), f"--config={etc / 'kube-proxy.yaml'}", f"--hostname-override={NODE}"],
            after="api",
        ),
        Component("coredns", [tool("coredns"), "-conf", str(etc / "Corefile")], after="api", ready=f"tcp:{bridge}:53"),
        Component(
            "kwok",
            [
                tool("kwok"),
                f"--kubeconfig={kubeconfig}",
                "--manage-all-nodes=false",
                "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
                "--cidr=10.0.0.0/24",
                f"--node-ip={address}",
                f"--config={ROOT / 'local' / 'stages.yaml'}",
            ],
            after="api",
        ),
    ]
    return Node(
        state=str(state),
        images=str(image_store),
        volumes=str(state / "volumes"),
        address=address,
        prefix=link.prefixlen,
        gateway=gateway,
        bridge=bridge,
        bridge_prefix=pods.prefixlen,
        api=server,
        kubeconfig=str(kubeconfig),
        components=components,
    )


def control_group(settings: ClusterSettings) -> str:
    """Name of the folder that holds the cluster's control groups: an interface name is one of a kind on its machine."""
    return settings.interface


class Files:
    """Writes configuration files below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def text(self, name: str, text: str) -> None:
        """Write `text`."""
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def yaml(self, name: str, *documents: Mapping[str, Any]) -> None:
        """Write one or several YAML documents."""
        self.text(name, yaml.safe_dump_all(documents))


def _kubelet(settings: ClusterSettings, etc: Path, pki: Pki, dns: str, socket: Path) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{control_group(settings)}",
        # Kubernetes 1.35 refuses cgroup v1 unless told so: https://kubernetes.io/docs/concepts/architecture/cgroups/
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDomain": "cluster.local",
        "clusterDNS": [dns],
        "resolvConf": str(etc / "resolv.conf"),
        # kubelet creates this folder; its default lies in /usr/libexec.
        "volumePluginDir": str(etc / "volume-plugins"),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": str(pki.ca)},
        },
        "authorization": {"mode": "AlwaysAllow"},
        "tlsCertFile": str(pki.cert("server")),
        "tlsPrivateKeyFile": str(pki.key("server")),
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "maxPods": 200,
        # Secrets that a controller writes for itself (webhook certificates) reach its pod at the next sync.
        "syncFrequency": "3s",
        "kubeAPIQPS": 200,
        "kubeAPIBurst": 400,
        "eventRecordQPS": 0,
        "registryPullQPS": 0,
        "shutdownGracePeriod": "0s",
    }


def _kube_proxy(kubeconfig: Path, pods: str) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "clusterCIDR": pods,
        "mode": "iptables",
        # Pods share one bridge: without this an answer would go past the translation unless br_netfilter is loaded.
        # https://kubernetes.io/docs/reference/config-api/kube-proxy-config.v1alpha1/
        "iptables": {"masqueradeAll": True, "minSyncPeriod": "0s"},
        # Connection-tracking limits belong to the machine's first network namespace.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }


def _containerd(state: Path, image_store: Path, socket: Path, cni: Path) -> str:
    return f"""version = 2
root = "{image_store}"
state = "/run/containerd-state"
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  # Without CAP_SYS_RESOURCE runc may not lower a score: https://github.com/containerd/containerd/pull/1633
  restrict_oom_score_adj = true
  sandbox_image = "{PAUSE}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{cni}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.internal.v1.opt"]
  path = "{state / "opt"}"
"""


def _bridge(pods: str) -> dict[str, Any]:
    ipam = {
        "type": "host-local",
        "dataDir": "/run/cni-addresses",
        "ranges": [[{"subnet": pods}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": True, "hairpinMode": True, "ipam": ipam}
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": "muster", "plugins": [bridge, portmap]}


def _corefile(bind: str, kubeconfig: Path) -> str:
    return f""".:53 {{
  bind {bind}
  errors
  kubernetes cluster.local in-addr.arpa ip6.arpa {{
    kubeconfig {kubeconfig}
    pods insecure
    ttl 1
  }}
  cache 1 {{
    denial 16 1 1
  }}
}}
"""
