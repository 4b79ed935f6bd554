"""Values of the GPU Operator and the EFA device plugin that the pools decide."""

from collections.abc import Iterable, Mapping
from typing import Any

from muster.catalog.services import Services
from muster.plan.aws.parts import AwsPlan, GroupPlan
from muster.plan.taints import toleration
from muster.settings import Platform


def wanted(aws: AwsPlan | None) -> dict[str, tuple[GroupPlan, ...]]:
    """Releases that only some pools need, each with those pools."""
    groups = aws.groups if aws is not None else ()
    found = {
        "gpus": tuple(group for group in groups if group.type.gpus),
        "efa": tuple(group for group in groups if group.efa),
    }
    return {need: groups for need, groups in found.items() if groups}


def values(release: str, groups: Iterable[GroupPlan], platform: Platform, services: Services) -> Mapping[str, Any]:
    """What the pools add to a release's locked values; empty for releases that no pool decides."""
    groups = tuple(groups)
    match release:
        case "gpu-operator":
            # Bottlerocket's images advertise GPUs by themselves: two plugins on a node give none, or each twice.
            # https://github.com/bottlerocket-os/bottlerocket/blob/develop/QUICKSTART-EKS.md
            plugin = not any(services.amis[group.ami].device_plugin for group in groups)
            return {
                "devicePlugin": {"enabled": plugin},
                "daemonsets": {"tolerations": tolerations(groups)},
                "dcgmExporter": {"serviceMonitor": {"enabled": platform.gpu_operator.monitoring}},
            }
        case "efa-device-plugin":
            return {
                "tolerations": tolerations(groups),
                # The chart's own list is of types it knows: on a newer one EFA is absent, and nothing says so.
                # https://github.com/aws-samples/aws-do-eks/pull/56
                "supportedInstanceLabels": {
                    "keys": ["node.kubernetes.io/instance-type"],
                    "values": sorted({group.type.name for group in groups}),
                },
            }
        case _:
            return {}


def tolerations(groups: Iterable[GroupPlan]) -> list[dict[str, str]]:
    """Tolerations of every taint of the pools, in a fixed order.

    Neither chart tolerates all of them by itself: on a tainted node without, EFA is silently absent.
    https://github.com/aws/eks-charts/blob/master/stable/aws-efa-k8s-device-plugin/values.yaml
    """
    taints = {taint for group in groups for taint in group.taints}
    return [
        toleration(taint) for taint in sorted(taints, key=lambda taint: (taint.key, taint.value or "", taint.effect))
    ]
