"""IPv4 networks in CIDR notation."""

from ipaddress import IPv4Network

PATTERN = r"^[0-9]{1,3}(\.[0-9]{1,3}){3}/[0-9]{1,2}$"
RESERVED = 5
"""Addresses of a subnet that AWS keeps: https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html"""


def valid(text: str) -> bool:
    """Whether `text` is a network, with no bit set behind its prefix."""
    try:
        IPv4Network(text)
    except ValueError:
        return False
    return True


def usable(cidr: str) -> int:
    """Addresses of a subnet that interfaces and pods can have."""
    return IPv4Network(cidr).num_addresses - RESERVED


def part(cidr: str, prefix: int, index: int) -> str:
    """The subnet number `index` among those of that prefix length. Raises IndexError where there are fewer."""
    network = IPv4Network(cidr)
    if index >= 1 << (prefix - network.prefixlen):
        raise IndexError(f"{cidr} has no subnet {index} of /{prefix}")
    size = 1 << (32 - prefix)
    return f"{network.network_address + index * size}/{prefix}"
