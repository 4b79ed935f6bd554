"""What a node does when it boots: local disks as one fast volume, locked memory without bound, pods it has room for."""

import json

from muster.plan.aws.parts import GroupPlan

BOUNDARY = "muster"
UNLIMITED = 2**64 - 1


def build(group: GroupPlan) -> str:
    """User data of a node group: a MIME document with a NodeConfig, or settings of Bottlerocket."""
    return _bottlerocket(group) if group.ami.startswith("bottlerocket") else _node_config(group)


def _node_config(group: GroupPlan) -> str:
    """https://awslabs.github.io/amazon-eks-ami/nodeadm/doc/api/."""
    instance = {"instance": {"localStorage": {"strategy": "RAID0"}}} if group.type.nvme_disks else {}
    # EFA registers memory, which the default limit of 8 MiB ends. The list replaces nodeadm's own: NOFILE is repeated.
    # https://awslabs.github.io/amazon-eks-ami/nodeadm/doc/examples/
    limits = [
        {"type": "RLIMIT_NOFILE", "soft": 65536, "hard": 1048576},
        {"type": "RLIMIT_MEMLOCK", "soft": UNLIMITED, "hard": UNLIMITED},
    ]
    config = {
        "apiVersion": "node.eks.aws/v1alpha1",
        "kind": "NodeConfig",
        "spec": {
            **instance,
            "kubelet": {"config": {"maxPods": group.max_pods}},
            **({"containerd": {"baseRuntimeSpec": {"process": {"rlimits": limits}}}} if group.type.gpus else {}),
        },
    }
    return "\n".join(
        (
            "MIME-Version: 1.0",
            f'Content-Type: multipart/mixed; boundary="{BOUNDARY}"',
            "",
            f"--{BOUNDARY}",
            "Content-Type: application/node.eks.aws",
            "",
            json.dumps(config, indent=1),
            f"--{BOUNDARY}--",
            "",
        )
    )


def _bottlerocket(group: GroupPlan) -> str:
    """https://bottlerocket.dev/en/os/latest/api/settings/."""
    lines = ["[settings.kubernetes]", f"max-pods = {group.max_pods}"]
    if group.type.gpus:
        lines += [
            "[settings.oci-defaults.resource-limits.max-locked-memory]",
            'soft-limit = "unlimited"',
            'hard-limit = "unlimited"',
        ]
    return "\n".join([*lines, ""])
