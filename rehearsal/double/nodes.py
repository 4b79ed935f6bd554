"""Node groups as nodes: what EC2 boots, kubelets report and device plugins advertise, played on the embedded cluster.

The simulated nodes carry exactly what their launch template, image and instance type give. GPUs appear when a pod of
the GPU Operator's device plugin runs on the node, EFA interfaces when one of the EFA plugin does: a toleration that is
missing leaves a node without, as it would on AWS.
"""

import base64
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from muster import catalog
from muster.plan.aws import nics
from muster.plan.parts import EFA, GPU
from urllib3.exceptions import HTTPError

from rehearsal.double.world import Thing, World, values

SIMULATED = {"kwok.x-k8s.io/node": "fake"}
"""https://kwok.sigs.k8s.io/docs/user/kwok-manage-nodes-and-pods/"""
GROUP_LABEL = "eks.amazonaws.com/nodegroup"
EFFECTS = {"NO_SCHEDULE": "NoSchedule", "PREFER_NO_SCHEDULE": "PreferNoSchedule", "NO_EXECUTE": "NoExecute"}
CAPACITY = "muster.dev/allocatable"
"""What the simulator's stages read: see local/stages.yaml."""
GPU_PLUGIN, EFA_PLUGIN = ("app", "nvidia-device-plugin-daemonset"), ("name", "aws-efa-k8s-device-plugin")
POLICIES = ("nvidia.com", "v1", "clusterpolicies")
POLL_S, BOOT_S = 0.3, 60.0
NOT_FOUND, CONFLICT = 404, 409


def zone_name(region: str, zone_id: str) -> str:
    """Name of a zone in the double's account: in an order of its own, as AWS shuffles them for each account."""
    return region + "bacdefg"[int(zone_id.rpartition("az")[2]) - 1]


def allocatable(kind: catalog.InstanceType, pods: int) -> dict[str, str]:
    """What pods can have of a node, devices aside: the machine less the kubelet's and the system's share.

    https://github.com/awslabs/amazon-eks-ami/blob/main/nodeadm/internal/kubelet/config.go
    """
    millis = 60 + 10 * (kind.vcpu > 1) + 5 * min(2, max(0, kind.vcpu - 2)) + 2.5 * max(0, kind.vcpu - 4)
    reserved_mib = 255 + 11 * pods + 100
    return {
        "cpu": f"{kind.vcpu * 1000 - int(millis)}m",
        "memory": f"{kind.memory_gib * 1024 - reserved_mib}Mi",
        "pods": str(pods),
        "ephemeral-storage": f"{max(kind.nvme_gb, 100)}G",
    }


def _max_pods(template: Mapping[str, Any]) -> int | None:
    """What a launch template's user data tells the kubelet."""
    text = base64.b64decode(template.get("userData") or "").decode()
    found = re.search(r'"maxPods": (\d+)|max-pods = (\d+)', text)
    return int(found[1] or found[2]) if found else None


class Nodes:
    """The nodes of one cluster."""

    def __init__(self, world: World) -> None:
        self._world = world
        api = config.new_client_from_config(config_file=world.ground.kubeconfig)
        self._core: Any = client.CoreV1Api(api)
        self._custom: Any = client.CustomObjectsApi(api)
        self._types = catalog.load().types

    def watch(self) -> None:
        """Play kubelets and device plugins from now on, until this process ends."""
        threading.Thread(target=self._play, daemon=True).start()

    def boot(self, group: Thing, template: Mapping[str, Any]) -> None:
        """Make the nodes of a group as many as it wants, and wait until they are ready. Raises TimeoutError."""
        wanted = int(group.get("scalingConfig.desiredSize") or 0)
        have = self._names(group)
        for name in have[wanted:]:
            self._end(name)
        free = (f"{group.outputs['nodeGroupName']}-{index}" for index in range(wanted + len(have)))
        for name in [name for name in free if name not in have][: max(0, wanted - len(have))]:
            self._core.create_node(self._node(name, group, template))
        deadline = time.monotonic() + BOOT_S
        while self._ready(group) < wanted:
            if time.monotonic() > deadline:
                raise TimeoutError("Instances failed to join the kubernetes cluster")
            time.sleep(POLL_S)

    def replace(self, group: Thing, template: Mapping[str, Any]) -> None:
        """Replace the nodes of a group one after another, the old one first, as MINIMAL does."""
        for name in self._names(group):
            self._end(name)
            self._core.create_node(self._node(name, group, template))
        self.boot(group, template)

    def end(self, group: Thing) -> None:
        """Drain and delete the nodes of a group."""
        for name in self._names(group):
            self._end(name)

    def _names(self, group: Thing) -> list[str]:
        listed = self._core.list_node(label_selector=f"{GROUP_LABEL}={group.outputs['nodeGroupName']}")
        return sorted((node.metadata.name for node in listed.items), key=lambda name: int(name.rpartition("-")[2]))

    def _ready(self, group: Thing) -> int:
        listed = self._core.list_node(label_selector=f"{GROUP_LABEL}={group.outputs['nodeGroupName']}").items
        return sum(
            any(c.type == "Ready" and c.status == "True" for c in node.status.conditions or ()) for node in listed
        )

    def _node(self, name: str, group: Thing, template: Mapping[str, Any]) -> dict[str, Any]:
        types = values(group.inputs, "instanceTypes") or [template["instanceType"]]
        kind = self._types[str(types[0])]
        subnets = [self._world.find("aws:ec2/subnet:Subnet", str(id_)) for id_ in values(group.inputs, "subnetIds")]
        zones = sorted(str(subnet.get("availabilityZoneId")) for subnet in subnets if subnet is not None)
        zone = zones[int(name.rpartition("-")[2]) % len(zones)]
        fabric = sum(n.get("interfaceType") in ("efa", "efa-only") for n in values(template, "networkInterfaces"))
        ami = str(group.get("amiType"))
        taints = [
            {"key": t["key"], "value": t.get("value") or "", "effect": EFFECTS[t["effect"]]}
            for t in values(group.inputs, "taints")
        ]
        if not taints:
            # The embedded node plays the system nodes: what must really run would not run on a simulated one.
            taints = [{"key": key, "value": value, "effect": "NoSchedule"} for key, value in SIMULATED.items()]
        have = allocatable(kind, _max_pods(template) or nics.max_pods(kind, ()))
        if ami.startswith("BOTTLEROCKET") and kind.gpus:
            have[GPU] = str(kind.gpus)
        return {
            "metadata": {
                "name": name,
                "labels": {
                    **(group.get("labels") or {}),
                    GROUP_LABEL: group.outputs["nodeGroupName"],
                    "eks.amazonaws.com/capacityType": group.get("capacityType"),
                    "kubernetes.io/arch": "arm64" if kind.architecture == "arm64" else "amd64",
                    "kubernetes.io/hostname": name,
                    "kubernetes.io/os": "linux",
                    "node.kubernetes.io/instance-type": kind.name,
                    "topology.k8s.aws/zone-id": zone,
                    "topology.kubernetes.io/zone": zone_name(self._world.ground.region, zone),
                    **({"nvidia.com/gpu.present": "true"} if kind.gpus and "NVIDIA" in ami else {}),
                },
                "annotations": {
                    **SIMULATED,
                    CAPACITY: json.dumps(have),
                    "muster.dev/gpus": str(kind.gpus),
                    "muster.dev/efa": str(fabric),
                },
            },
            "spec": {"taints": taints},
        }

    def _end(self, name: str) -> None:
        """Drain, then delete; what is gone already is fine."""
        self._core.patch_node(name, {"spec": {"unschedulable": True}})
        for pod in self._core.list_pod_for_all_namespaces(field_selector=f"spec.nodeName={name}").items:
            try:
                self._core.delete_namespaced_pod(pod.metadata.name, pod.metadata.namespace, grace_period_seconds=0)
            except ApiException as error:
                if error.status != NOT_FOUND:
                    raise
        self._core.delete_node(name)

    def _play(self) -> None:
        while True:
            try:
                nodes = self._core.list_node(label_selector=GROUP_LABEL).items
                self._advertise(nodes, GPU_PLUGIN, GPU, "muster.dev/gpus")
                self._advertise(nodes, EFA_PLUGIN, EFA, "muster.dev/efa")
                self._operate(nodes)
            except (ApiException, HTTPError):
                # The cluster is starting, stopping or busy; the next round finds out.
                pass
            time.sleep(POLL_S)

    def _advertise(self, nodes: list[Any], plugin: tuple[str, str], resource: str, annotation: str) -> None:
        """Give nodes with a running plugin their devices."""
        lacking = {
            node.metadata.name: node.metadata.annotations[annotation]
            for node in nodes
            if node.metadata.annotations.get(annotation, "0") != "0" and resource not in (node.status.allocatable or {})
        }
        if not lacking:
            return
        for name in self._with_pod(plugin):
            if name in lacking:
                devices = {resource: lacking[name]}
                self._core.patch_node_status(name, {"status": {"allocatable": devices, "capacity": devices}})

    def _with_pod(self, label: tuple[str, str]) -> Iterator[str]:
        for pod in self._core.list_pod_for_all_namespaces(label_selector="=".join(label)).items:
            if pod.status.phase == "Running" and pod.spec.node_name:
                yield pod.spec.node_name

    def _operate(self, nodes: list[Any]) -> None:
        """Play the GPU Operator: make its policy where its kind is there, and say how it stands.

        https://github.com/NVIDIA/gpu-operator/blob/main/controllers/clusterpolicy_controller.go
        """
        try:
            listed = self._custom.list_cluster_custom_object(*POLICIES)["items"]
        except ApiException as error:
            if error.status == NOT_FOUND:
                return
            raise
        gpus = [node for node in nodes if node.metadata.annotations.get("muster.dev/gpus", "0") != "0"]
        done = all(GPU in (node.status.allocatable or {}) for node in gpus)
        reason = "NoGPUNodes" if not gpus else "Reconciled" if done else "OperandNotReady"
        state = "ready" if reason != "OperandNotReady" else "notReady"
        name = "cluster-policy"
        if not listed:
            body = {"apiVersion": "nvidia.com/v1", "kind": "ClusterPolicy", "metadata": {"name": name}, "spec": {}}
            self._custom.create_cluster_custom_object(*POLICIES, body)
        elif listed[0].get("status", {}).get("conditions", [{}])[0].get("reason") != reason:
            ready = {"type": "Ready", "status": "True" if state == "ready" else "False", "reason": reason}
            status = {"status": {"state": state, "conditions": [ready]}}
            self._custom.patch_cluster_custom_object_status(*POLICIES, name, status)
