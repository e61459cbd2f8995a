"""Live handshakes with noiseprotocol and dissononce, ours on either side, and bytes both ways afterwards."""

import os
import warnings
from itertools import product

import pytest

from p2pnoise.noise import HandshakeState, KeyPair, Protocol
from p2pnoise.noise.dh import DH_FUNCTIONS
from p2pnoise.noise.functions import CIPHERS, HASHES
from p2pnoise.noise.patterns import PATTERNS

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # theirs, not ours
    from dissononce.dh.x448.private import PrivateKey as PrivateKey448
    from dissononce.dh.x448.public import PublicKey as PublicKey448
    from dissononce.dh.x448.x448 import X448DH
    from dissononce.dh.x25519.private import PrivateKey
    from dissononce.dh.x25519.public import PublicKey
    from dissononce.dh.x25519.x25519 import X25519DH
    from dissononce.extras.meta.protocol.factory import NoiseProtocolFactory
    from noise.connection import Keypair, NoiseConnection

PROLOGUE = b"a live one"
OURS, THEIRS, FALLEN = ({name: KeyPair.generate(os.urandom, dh) for name, dh in DH_FUNCTIONS.items()} for _ in range(3))
PSKS = {number: os.urandom(32) for number in range(5)}

SUITE = "25519_ChaChaPoly_BLAKE2s"
SUITES = ["_".join(parts) for parts in product(DH_FUNCTIONS, CIPHERS, HASHES)]
FUNDAMENTAL = [name for name in PATTERNS if not set(name) & set("1")]
WITH_PSKS = [
    f"{name}psk{number}" for name in FUNDAMENTAL for number in range(len(PATTERNS[name].messages) + 1)
]  # one in every place
WITH_SEVERAL = ["NNpsk0+psk2", "XXpsk0+psk3", "XXpsk1+psk2+psk3", "IKpsk1+psk2", "KXpsk0+psk2"]
FALLBACKS = ["XXfallback", "NNfallback", "NXfallback", "X1X1fallback"]


class Noiseprotocol:
    """One side as PyPI noiseprotocol plays it; it has no deferred patterns and no fallback."""

    names = tuple(f"Noise_{pattern}_{SUITE}" for pattern in [*FUNDAMENTAL, *WITH_PSKS, *WITH_SEVERAL])

    def __init__(self, protocol, *, initiator):
        dh, pattern = protocol.dh.name, protocol.pattern
        self._noise = NoiseConnection.from_name(protocol.name.encode())
        self._noise.set_prologue(PROLOGUE)
        self._noise.set_keypair_from_private_bytes(Keypair.STATIC, THEIRS[dh].private)
        if pattern.psks:
            self._noise.set_psks(psks=[PSKS[number] for number in pattern.psks])
        if "s" in pattern.pre_messages[1 if initiator else 0]:
            self._noise.set_keypair_from_public_bytes(Keypair.REMOTE_STATIC, OURS[dh].public)
        if initiator:
            self._noise.set_as_initiator()
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
    """One side as PyPI dissononce plays it; it knows psk0 to psk3."""

    names = tuple(
        f"Noise_{pattern}_{SUITE}"
        for pattern in [*PATTERNS, *WITH_PSKS, *WITH_SEVERAL, *FALLBACKS]
        if not pattern.endswith("psk4")
    )

    def __init__(self, protocol, *, initiator):
        dh, pattern = protocol.dh.name, protocol.pattern
        theirs = NoiseProtocolFactory().get_noise_protocol(protocol.name)
        functions, private, public = {
            "25519": (X25519DH(), PrivateKey, PublicKey),
            "448": (X448DH(), PrivateKey448, PublicKey448),
        }[dh]
        self._initiator = initiator
        self._ciphers = None
        self._noise = theirs.create_handshakestate()
        # It tells a fallback as the spec does: Alice is the initiator still, and Bob writes first.
        alice = initiator != pattern.fallback
        fallen = functions.generate_keypair(private(FALLEN[dh].private)) if pattern.fallback else None
        self._noise.initialize(
            theirs.pattern,
            alice,
            PROLOGUE,
            s=functions.generate_keypair(private(THEIRS[dh].private)),
            rs=public(OURS[dh].public) if "s" in pattern.pre_messages[1 if initiator else 0] else None,
            e=fallen if alice else None,
            re=None if alice or fallen is None else fallen.public,
            psks=[PSKS[number] for number in pattern.psks],
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


def our_side(protocol, *, initiator):
    dh, pattern = protocol.dh.name, protocol.pattern
    knows = pattern.pre_messages[1 if initiator else 0]
    return HandshakeState(
        protocol,
        initiator=initiator,
        prologue=PROLOGUE,
        s=OURS[dh],
        rs=THEIRS[dh].public if "s" in knows else None,
        e=FALLEN[dh] if pattern.fallback and not initiator else None,
        re=FALLEN[dh].public if "e" in knows else None,
        psks={number: PSKS[number] for number in pattern.psks},
        entropy=os.urandom,
    )


CASES = [
    pytest.param(library, name, id=f"{library.__name__}-{name}")
    for library in (Noiseprotocol, Dissononce)
    for name in dict.fromkeys([*library.names, *(f"Noise_{p}_{suite}" for p in ("XX", "IKpsk2") for suite in SUITES)])
]


@pytest.mark.parametrize("initiator", [True, False], ids=["we-dial", "they-dial"])
@pytest.mark.parametrize(("library", "name"), CASES)
def test_a_handshake_and_a_conversation_succeed(library, name, initiator):
    protocol = Protocol.parse(name)
    ours, theirs = our_side(protocol, initiator=initiator), library(protocol, initiator=not initiator)
    while not ours.finished:
        if ours.my_turn:
            assert theirs.read(ours.write_message(b"from us")) == b"from us"
        else:
            assert ours.read_message(theirs.write(b"from them")) == b"from them"
    assert ours.handshake_hash == theirs.handshake_hash()
    assert ours.rs in (None, THEIRS[protocol.dh.name].public)
    send, receive = ours.split()
    for body in (b"", b"short", bytes(1000), b"again"):
        if initiator or not protocol.pattern.one_way:
            assert theirs.decrypt(send.encrypt_with_ad(b"", body)) == body
        if not (initiator and protocol.pattern.one_way):
            assert receive.decrypt_with_ad(b"", theirs.encrypt(body)) == body
