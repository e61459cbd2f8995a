"""HandshakeKeys: the key pairs, public keys and psks that one side of a handshake has, and what is missing.

It knows which key a token needs (spec, sections 5.3, 7.2 and 9); what is done with it is the handshake's
affair.
"""

from collections.abc import Mapping

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise.dh import Entropy, KeyPair, PublicKey, dh
from p2pnoise.noise.patterns import Token
from p2pnoise.noise.protocol import Protocol

__all__ = ["HandshakeKeys", "KeysCheckpoint"]

_PSKLEN = 32
"""Spec, section 9.1: "A 32-byte secret value"."""

KeysCheckpoint = tuple[Mapping[str, KeyPair], Mapping[str, PublicKey]]

# Whose key of which kind a DH token names, ours first. For "es": DH(e, rs) if initiator, DH(s, re) if responder.
_DH_OF_INITIATOR = {"ee": ("e", "e"), "es": ("e", "s"), "se": ("s", "e"), "ss": ("s", "s")}
_DH_OF_RESPONDER = _DH_OF_INITIATOR | {"es": ("s", "e"), "se": ("e", "s")}


class HandshakeKeys:
    """Ours by s and e, the peer's by s and e, the psks by their tokens."""

    __slots__ = ("_dh_keys", "_initiator", "_protocol", "_psks", "local", "remote")

    def __init__(self, protocol: Protocol, *, initiator: bool) -> None:
        self._protocol = protocol
        self._initiator = initiator
        self._psks: dict[Token, bytes] = {}
        self._dh_keys = _DH_OF_INITIATOR if initiator else _DH_OF_RESPONDER
        # Replaced and never changed, so that a checkpoint is no copy.
        self.local: Mapping[str, KeyPair] = {}
        self.remote: Mapping[str, PublicKey] = {}

    def give(
        self,
        *,
        s: KeyPair | None,
        e: KeyPair | None,
        rs: bytes | None,
        re: bytes | None,
        psks: Mapping[int, bytes] | None,
    ) -> None:
        """What is known at the start. Raises LocalProtocolError as the others here do."""
        if s is not None:
            self.give_local("s", s)
        if e is not None:
            self.give_local("e", e)
        if rs is not None:
            self.give_remote("s", rs)
        if re is not None:
            self.give_remote("e", re)
        for number, psk in (psks or {}).items():
            self.give_psk(number, psk)

    def give_local(self, token: Token, pair: KeyPair) -> None:
        """Our key pair s or e. Raises LocalProtocolError if it is of another DH or already there."""
        if pair.dh is not self._protocol.dh:
            raise LocalProtocolError(
                f"{token} of DH {pair.dh.name}, {self._protocol.name} needs {self._protocol.dh.name}"
            )
        if token in self.local:
            raise LocalProtocolError(f"{token} is there already, a handshake has one")
        self.local = {**self.local, token: pair}

    def give_remote(self, token: Token, public_key: bytes) -> None:
        """The peer's public key s or e. Raises LocalProtocolError if it has not the DH's length."""
        dh_len = self._protocol.dh.dh_len
        if len(public_key) != dh_len:
            raise LocalProtocolError(f"r{token} of {len(public_key)} bytes, {dh_len} needed")
        self.read_remote(token, public_key)

    def give_psk(self, number: int, psk: bytes) -> None:
        """The psk of this modifier, also in place of another. Raises LocalProtocolError if it does not fit."""
        pattern = self._protocol.pattern
        if number not in pattern.psks:
            raise LocalProtocolError(f"{pattern.name} takes no psk{number}")
        if len(psk) != _PSKLEN:
            raise LocalProtocolError(f"psk{number} of {len(psk)} bytes, {_PSKLEN} needed")
        self._psks[f"psk{number}"] = psk

    def pre_messages(self) -> list[tuple[Token, bytes]]:
        """The public keys known beforehand in the order in which they are hashed, with their tokens.

        Raises LocalProtocolError if one is missing, or a key is given that the messages bring.
        """
        pattern = self._protocol.pattern
        ours, theirs = pattern.pre_messages if self._initiator else reversed(pattern.pre_messages)
        for token in theirs:
            if token not in self.remote:
                raise LocalProtocolError(f"{pattern.name} needs the peer's {_THEIRS[token]} beforehand")
        if "e" in self.local and "e" not in ours:
            raise LocalProtocolError(f"{pattern.name} takes no e: it makes its own")
        # A key that is given and silently replaced by the one of a message would be a pin that holds nothing.
        for token in self.remote:
            if token not in theirs:
                raise LocalProtocolError(f"{pattern.name} takes no r{token}: the peer sends its key, compare it then")
        own = [(token, self.own(token).public) for token in ours]
        peers = [(token, self.remote[token].public_bytes_raw()) for token in theirs]
        # 5.3: if both initiator and responder have pre-messages, the initiator's public keys are hashed first.
        return own + peers if self._initiator else peers + own

    def generate_e(self, entropy: Entropy) -> bytes:
        """Our ephemeral key pair, made now; its public key."""
        e = KeyPair.generate(entropy, self._protocol.dh)
        self.local = {**self.local, "e": e}
        return e.public

    def own(self, token: Token) -> KeyPair:
        """Our key pair s or e. Raises LocalProtocolError if it is missing."""
        if token not in self.local:
            raise LocalProtocolError(f"{self._protocol.pattern.name} needs our {_OURS[token]}")
        return self.local[token]

    def psk(self, token: Token) -> bytes:
        """The psk of this token. Raises LocalProtocolError if it is missing."""
        if token not in self._psks:
            raise LocalProtocolError(f"{self._protocol.pattern.name} needs {token}; give it with set_psk")
        return self._psks[token]

    def read_remote(self, token: Token, public_key: bytes) -> None:
        """The peer's public key s or e, as long as the DH asks."""
        dh = self._protocol.dh
        match token:
            case "s":
                parsed = dh.static_public_key(public_key)
            case _:
                parsed = dh.public_key(public_key)
        self.remote = {**self.remote, token: parsed}

    def dh(self, token: Token) -> bytes:
        """DH() of the token. Raises InvalidPublicKey, LocalProtocolError if our s is missing."""
        ours, theirs = self._dh_keys[token]
        return dh(self.local.get(ours) or self.own(ours), self.remote[theirs])

    def checkpoint(self) -> KeysCheckpoint:
        """All that a message may change, to hand to `rollback`."""
        return self.local, self.remote

    def rollback(self, checkpoint: KeysCheckpoint) -> None:
        """Be again as when `checkpoint` was taken."""
        self.local, self.remote = checkpoint


_OURS = {"s": "static key pair s; give it with set_s", "e": "ephemeral key pair e beforehand"}
_THEIRS = {"s": "static public key rs", "e": "ephemeral public key re"}
