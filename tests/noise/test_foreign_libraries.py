"""Live handshakes with noiseprotocol and dissononce, ours on either side, and bytes both ways afterwards."""

import os
import warnings
from itertools import product

import pytest

from p2pnoise.noise import HandshakeState, KeyPair, Protocol

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # theirs, not ours
    from dissononce.dh.x25519.private import PrivateKey
    from dissononce.dh.x25519.public import PublicKey
    from dissononce.dh.x25519.x25519 import X25519DH
    from dissononce.extras.meta.protocol.factory import NoiseProtocolFactory
    from noise.connection import Keypair, NoiseConnection

NAMES = [
    f"Noise_{pattern}_25519_{cipher}_{hash_name}"
    for pattern, cipher, hash_name in product(
        ("XX", "IK"), ("ChaChaPoly", "AESGCM"), ("SHA256", "SHA512", "BLAKE2s", "BLAKE2b")
    )
]
OURS, THEIRS = KeyPair.generate(os.urandom), KeyPair.generate(os.urandom)
PROLOGUE = b"a live one"


class Noiseprotocol:
    """One side as PyPI noiseprotocol plays it."""

    def __init__(self, name, *, initiator):
        self._noise = NoiseConnection.from_name(name.encode())
        self._noise.set_prologue(PROLOGUE)
        self._noise.set_keypair_from_private_bytes(Keypair.STATIC, THEIRS.private)
        if initiator:
            self._noise.set_as_initiator()
            if "_IK_" in name:
                self._noise.set_keypair_from_public_bytes(Keypair.REMOTE_STATIC, OURS.public)
        else:
            self._noise.set_as_responder()
        self._noise.start_handshake()

    def write(self, payload):
        return bytes(self._noise.write_message(payload))

    def read(self, message):
        return bytes(self._noise.read_message(message))

    def encrypt(self, body):
        return bytes(self._noise.encrypt(body))

    def decrypt(self, message):
        return bytes(self._noise.decrypt(message))

    def handshake_hash(self):
        return bytes(self._noise.get_handshake_hash())


class Dissononce:
    """One side as PyPI dissononce plays it."""

    def __init__(self, name, *, initiator):
        protocol = NoiseProtocolFactory().get_noise_protocol(name)
        self._initiator = initiator
        self._ciphers = None
        self._noise = protocol.create_handshakestate()
        self._noise.initialize(
            protocol.pattern,
            initiator,
            PROLOGUE,
            s=X25519DH().generate_keypair(PrivateKey(THEIRS.private)),
            rs=PublicKey(OURS.public) if initiator and "_IK_" in name else None,
        )

    def write(self, payload):
        buffer = bytearray()
        self._ciphers = self._noise.write_message(payload, buffer)
        return bytes(buffer)

    def read(self, message):
        buffer = bytearray()
        self._ciphers = self._noise.read_message(message, buffer)
        return bytes(buffer)

    def encrypt(self, body):
        return bytes(self._ciphers[0 if self._initiator else 1].encrypt_with_ad(b"", body))

    def decrypt(self, message):
        return bytes(self._ciphers[1 if self._initiator else 0].decrypt_with_ad(b"", message))

    def handshake_hash(self):
        return bytes(self._noise.symmetricstate.get_handshake_hash())


@pytest.mark.parametrize("initiator", [True, False], ids=["we-dial", "they-dial"])
@pytest.mark.parametrize("library", [Noiseprotocol, Dissononce])
@pytest.mark.parametrize("name", NAMES)
def test_a_handshake_and_a_conversation_succeed(name, library, initiator):
    ours = HandshakeState(
        Protocol.parse(name),
        initiator=initiator,
        prologue=PROLOGUE,
        s=OURS,
        rs=THEIRS.public if initiator and "_IK_" in name else None,
        entropy=os.urandom,
    )
    theirs = library(name, initiator=not initiator)
    while not ours.finished:
        if ours.my_turn:
            assert theirs.read(ours.write_message(b"from us")) == b"from us"
        else:
            assert ours.read_message(theirs.write(b"from them")) == b"from them"
    assert ours.handshake_hash == theirs.handshake_hash()
    assert ours.rs == THEIRS.public
    send, receive = ours.split()
    for body in (b"", b"short", bytes(1000), b"again"):
        assert theirs.decrypt(send.encrypt_with_ad(b"", body)) == body
        assert receive.decrypt_with_ad(b"", theirs.encrypt(body)) == body
