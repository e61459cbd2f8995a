"""Citizens that have no card: they take part in gossip, and nobody learns of them."""

import hashlib
from dataclasses import dataclass
from typing import cast

from cards import Address, IdentityKey, NodeId, NodeKey
from simulations.oracle import Citizen, Oracle


@dataclass(frozen=True, slots=True)
class _Name:
    """The public half of a key that there is not."""

    public: NodeId


def listener(oracle: Oracle, number: int) -> Citizen:
    """A newcomer without a card: its Node ID is a name and no key."""
    raw = hashlib.sha256(b"listener %d" % number).digest()
    name = _Name(NodeId(raw[:31] + bytes([raw[31] & 0x7F])))  # as a key of Curve25519 has it
    address = Address(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", 7060)
    citizen = Citizen(number, cast("IdentityKey", name), cast("NodeKey", name), address)
    oracle.citizens.append(citizen)
    return citizen
