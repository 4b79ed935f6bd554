"""Network interfaces of a node: one with an address for everything, the others for EFA alone."""

from muster.catalog import InstanceType
from muster.plan.aws.parts import Nic


def layout(kind: InstanceType, *, efa: bool) -> tuple[Nic, ...]:
    """Interfaces of a launch template for a type; empty where EC2's own single one will do.

    The first is card 0, device 0, and may not be `efa-only`; each card has at most one EFA; a card without EFA is the
    first, as on p6-b300. Interfaces of kind `efa-only` use no address.
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/efa-acc-inst-types.html
    """
    if not efa or not kind.efa_interfaces:
        return ()
    cards = len(kind.network_cards)
    fabric = range(cards - kind.efa_interfaces, cards)
    return (Nic(0, 0, "interface"), *(Nic(card, 1 if card == 0 else 0, "efa-only") for card in fabric))


def max_pods(kind: InstanceType, nics: tuple[Nic, ...]) -> int:
    """Pods that a node has addresses for: the network plugin uses card 0 alone, less what EFA takes of it.

    https://github.com/awslabs/amazon-eks-ami/issues/1392 and, for the bounds,
    https://docs.aws.amazon.com/eks/latest/userguide/choosing-instance-type.html
    """
    usable = kind.network_cards[0] - sum(1 for nic in nics if nic.card == 0 and nic.kind == "efa-only")
    bound = 110 if kind.vcpu <= 30 else 250  # noqa: PLR2004 - AWS's own step
    return min(bound, usable * (kind.ipv4_per_interface - 1) + 2)
