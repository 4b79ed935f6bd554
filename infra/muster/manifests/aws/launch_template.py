"""Launch templates of node groups.

What EKS forbids in them can't be said here: subnet, instance profile, image, spot options.
https://docs.aws.amazon.com/eks/latest/userguide/launch-templates.html
"""

import base64
from collections.abc import Sequence
from typing import Any

from muster.manifests.aws import user_data
from muster.plan.aws.parts import STACK_TAG, CapacityPlan, GroupPlan, Nic

ROOT_DEVICE = "/dev/xvda"
TAGGED = ("instance", "volume", "network-interface")


def build(
    group: GroupPlan, security_groups: Sequence[Any], tags: dict[str, str], placement_group: Any
) -> dict[str, Any]:
    """The template's inputs. Every interface carries every security group, which EKS attaches only without a list.

    `security_groups` and `placement_group` may be outputs of other resources; the latter is None without one.
    """
    made: dict[str, Any] = {
        "update_default_version": True,
        "metadata_options": {"http_tokens": "required", "http_put_response_hop_limit": 1, "http_endpoint": "enabled"},
        "block_device_mappings": [
            {
                "device_name": ROOT_DEVICE,
                "ebs": {
                    "volume_size": group.disk_gib,
                    "volume_type": "gp3",
                    "encrypted": "true",
                    "delete_on_termination": "true",
                },
            }
        ],
        "user_data": base64.b64encode(user_data.build(group).encode()).decode(),
        "tag_specifications": [
            {"resource_type": kind, "tags": {**tags, "Name": f"{tags[STACK_TAG]}-{group.pool}"}} for kind in TAGGED
        ],
    }
    made |= _capacity(group.capacity, group.type.name)
    if group.nics:
        made["network_interfaces"] = [_interface(nic, security_groups) for nic in group.nics]
    else:
        made["vpc_security_group_ids"] = list(security_groups)
    if placement_group is not None:
        made["placement"] = {"group_name": placement_group}
    return made


def _interface(nic: Nic, security_groups: Sequence[Any]) -> dict[str, Any]:
    return {
        "network_card_index": nic.card,
        "device_index": nic.device,
        "interface_type": nic.kind,
        "security_groups": list(security_groups),
        "delete_on_termination": "true",
    }


def _capacity(capacity: CapacityPlan, instance_type: str) -> dict[str, Any]:
    """Reservation and market; the instance type stands here for a capacity block and in the node group otherwise."""
    if capacity.reservation is None:
        return {}
    target = {"capacity_reservation_target": {"capacity_reservation_id": capacity.reservation}}
    if capacity.mode == "capacity-block":
        return {
            "instance_type": instance_type,
            "instance_market_options": {"market_type": "capacity-block"},
            "capacity_reservation_specification": target,
        }
    # Without the preference a full reservation would overflow into on-demand machines.
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CapacityReservationSpecification.html
    return {
        "capacity_reservation_specification": {
            "capacity_reservation_preference": "capacity-reservations-only",
            **target,
        }
    }
