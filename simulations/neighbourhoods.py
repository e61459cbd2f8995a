"""Neighbourhoods: in which networks of the Internet the nodes of a world live, and which issuers vouch for them."""

from dataclasses import dataclass

from cards import Address
from p2pnoise.gossip.table import MAX_PEERS

from .oracle import Citizen, Oracle

ROGUE = "accepted-rogue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """The honest live in `honest` networks, in turn, and have cards of so many `issuers`; the others in `hostile` ones.

    Theirs are of one rogue issuer, whom all accept. Without honest networks all live in one private network.
    """

    honest: int = 0
    hostile: int = 5
    issuers: int = 1
    rows: int = MAX_PEERS
    """That each table may have."""

    def found(self, oracle: Oracle) -> None:
        """Have these issuers, before there is anybody."""
        for number in range(2, self.issuers + 1):
            oracle.rogue(f"sim-{number}", accepted=True)
        if self.honest:
            oracle.rogue(ROGUE, accepted=True)

    def address(self, number: int, kind: str) -> Address | None:
        """Where this node lives; None for its private address."""
        if not self.honest:
            return None
        first, network = (20, number % self.honest) if kind == "honest" else (60, number % self.hostile)
        return Address(f"{first + network // 256}.{network % 256}.{number >> 8 & 255}.{number & 255}", 7060)

    def enrol(self, oracle: Oracle, citizen: Citizen, kind: str) -> None:
        """Give this newcomer the card of its issuer."""
        if kind != "honest":
            oracle.defect(citizen, ROGUE)
        elif citizen.cards and citizen.number % self.issuers:
            oracle.defect(citizen, f"sim-{citizen.number % self.issuers + 1}")
