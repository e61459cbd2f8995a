"""Keys: what one side of a connection brings into its handshake, and whether that is all it will need.

A HandshakeState takes s and psks later, too. Nobody could give them to a connection then, and whoever is there at the
message that needs one could make it our fault.
"""

from collections.abc import Mapping
from typing import NamedTuple

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise import KeyPair, Protocol

__all__ = ["Keys"]


class Keys(NamedTuple):
    """Our static key pair, the peer's static key, psks by their modifiers."""

    s: KeyPair | None
    rs: bytes | None = None
    psks: Mapping[int, bytes] | None = None

    def check_s(self, protocol: Protocol, *, initiator: bool) -> None:
        """Raises LocalProtocolError if a message of ours brings our static key and there is none."""
        ours = protocol.pattern.messages[0 if initiator else 1 :: 2]
        if self.s is None and any("s" in tokens for tokens in ours):
            raise LocalProtocolError(f"{protocol.pattern.name} needs our static key pair s")

    def psks_for(self, protocol: Protocol) -> dict[int, bytes]:
        """The psks that the protocol takes of those we have. Raises LocalProtocolError if one is missing."""
        given = self.psks or {}
        for number in protocol.pattern.psks:
            if number not in given:
                raise LocalProtocolError(f"{protocol.pattern.name} needs psk{number}")
        return {number: given[number] for number in protocol.pattern.psks}

    def __repr__(self) -> str:
        return f"<Keys s={self.s} rs={self.rs and self.rs.hex()} psks={sorted(self.psks or ())} hidden>"
