"""Keys: what one side of a connection brings into its handshake, and whether that is all it will need.

A HandshakeState takes s and psks later, too. To a connection only a psk of a message of ours can be given later: at one
of the peer's nobody could, and whoever is there could make it our fault.
"""

from collections.abc import Mapping
from typing import NamedTuple

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise import KeyPair, Protocol

__all__ = ["Keys"]


class Keys(NamedTuple):
    """Our static key pair, the peer's static key, psks by their modifiers; None for one that is given later."""

    s: KeyPair | None
    rs: bytes | None = None
    psks: Mapping[int, bytes | None] | None = None

    def check_s(self, protocol: Protocol, *, initiator: bool) -> None:
        """Raises LocalProtocolError if a message of ours brings our static key and there is none."""
        ours = protocol.pattern.messages[0 if initiator else 1 :: 2]
        if self.s is None and any("s" in tokens for tokens in ours):
            raise LocalProtocolError(f"{protocol.pattern.name} needs our static key pair s")

    def psks_for(self, protocol: Protocol, *, initiator: bool) -> dict[int, bytes]:
        """The psks that the protocol takes of those we have now.

        Raises LocalProtocolError if one is missing, or is to come later that a message of the peer needs.
        """
        given = self.psks or {}
        theirs = protocol.pattern.messages[1 if initiator else 0 :: 2]
        for number in protocol.pattern.psks:
            if number not in given:
                raise LocalProtocolError(f"{protocol.pattern.name} needs psk{number}")
            if given[number] is None and any(f"psk{number}" in tokens for tokens in theirs):
                raise LocalProtocolError(f"{protocol.pattern.name} needs psk{number} to read a message: give it now")
        return {number: psk for number in protocol.pattern.psks if (psk := given[number]) is not None}

    def __repr__(self) -> str:
        return f"<Keys s={self.s} rs={self.rs and self.rs.hex()} psks={sorted(self.psks or ())} hidden>"
