"""Networks: which part of the Internet an address is in: whoever has one address there has many, and cheaply.

A node that draws its peers by their networks meets the owner of many addresses in few networks seldom.
"""

import ipaddress
from functools import lru_cache

from cards import Address, AddressRecord
from cards.statements import digest

Network = str
"""`20.4` for 20.4.0.0/16, `2001:db8` for 2001:db8::/32, `example.org` for whatever names end in that."""

LOTTERY = 8
"""Of so many networks one may come to a node that has enough neighbours; see `admits`."""


@lru_cache(maxsize=16_384)
def network_of(address: Address) -> Network | None:
    """The network of an address; None of one that means something to its neighbours alone: private, loopback (P21).

    IPv4 /16 and IPv6 /32, as Bitcoin has them: about what a provider is given. Whoever owns a name can make any number
    below it, so names count by their last two labels.
    """
    try:
        ip = ipaddress.ip_address(address.host)
    except ValueError:
        return ".".join(address.host.split(".")[-2:]) if "." in address.host else None
    if not ip.is_global:
        return None
    if ip.version == 4:
        return ".".join(address.host.split(".")[:2])
    high = int(ip) >> 96
    return f"{high >> 16:x}:{high & 0xFFFF:x}"


def home_of(record: AddressRecord) -> Network | None:
    """The network of the first address in a record."""
    return network_of(record.addresses[0]) if record.addresses else None


@lru_cache(maxsize=65_536)
def admits(node_id: bytes, network: Network) -> bool:
    """Whether the lot fell on this network at this node: for ever, the same in the eyes of everybody.

    An honest network comes to a node seldom, by chance; that of somebody who means no good comes to all of them at
    once, as often as it likes. No rule that lets a node choose among those who come can help that, but one that lets
    few come does. Who dials knows the lot of its own network, and dials where it is welcome.
    """
    return not digest("p2pnoise/v1/lot", node_id, network.encode())[0] % LOTTERY
