"""Makes noise-oracles.json with two other readings of the Noise spec, noiseprotocol and dissononce, which must agree.

    python tests/vectors/make_noise_vectors.py

The keys are fixed, so the file comes out the same each time. Its form is that of the cacophony vectors.
"""

import json
import sys
import warnings
from itertools import product
from pathlib import Path

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from dissononce.dh.x25519.private import PrivateKey
    from dissononce.dh.x25519.public import PublicKey
    from dissononce.dh.x25519.x25519 import X25519DH
    from dissononce.extras.meta.protocol.factory import NoiseProtocolFactory
    from noise.connection import Keypair, NoiseConnection

SUITES = [
    f"25519_{cipher}_{hash_name}"
    for cipher, hash_name in product(("ChaChaPoly", "AESGCM"), ("SHA256", "SHA512", "BLAKE2s", "BLAKE2b"))
]
PROLOGUE = b"p2pnoise oracle"
KEYS = {
    "init_static": bytes(range(0x20)),
    "init_ephemeral": bytes(range(0x20, 0x40)),
    "resp_static": bytes(range(0x40, 0x60)),
    "resp_ephemeral": bytes(range(0x60, 0x80)),
}
PAYLOADS = [b"", b"one", bytes(range(256)), b"", b"transport", b"x" * 1000, b"\0"]


def static_public(role: str) -> bytes:
    return X25519DH().generate_keypair(PrivateKey(KEYS[f"{role}_static"])).public.data


def with_noiseprotocol(name: str) -> tuple[list[bytes], bytes]:
    """The messages and the handshake hash as noiseprotocol sees them."""
    sides = []
    for role in ("init", "resp"):
        side = NoiseConnection.from_name(name.encode())
        side.set_prologue(PROLOGUE)
        side.set_keypair_from_private_bytes(Keypair.STATIC, KEYS[f"{role}_static"])
        side.set_keypair_from_private_bytes(Keypair.EPHEMERAL, KEYS[f"{role}_ephemeral"])
        if role == "init":
            side.set_as_initiator()
            if "_IK_" in name:
                side.set_keypair_from_public_bytes(Keypair.REMOTE_STATIC, static_public("resp"))
        else:
            side.set_as_responder()
        side.start_handshake()
        sides.append(side)
    messages = []
    for number, payload in enumerate(PAYLOADS):
        writer, reader = sides[number % 2], sides[1 - number % 2]
        if writer.handshake_finished:
            message = bytes(writer.encrypt(payload))
            assert reader.decrypt(message) == payload
        else:
            message = bytes(writer.write_message(payload))
            reader.read_message(message)
        messages.append(message)
    return messages, bytes(sides[0].get_handshake_hash())


def with_dissononce(name: str) -> tuple[list[bytes], bytes]:
    """The messages and the handshake hash as dissononce sees them."""
    dh = X25519DH()
    sides = []
    for role in ("init", "resp"):
        protocol = NoiseProtocolFactory().get_noise_protocol(name)
        side = protocol.create_handshakestate()
        e = dh.generate_keypair(PrivateKey(KEYS[f"{role}_ephemeral"]))
        side._dh.generate_keypair = lambda e=e: e
        side.initialize(
            protocol.pattern,
            initiator=role == "init",
            prologue=PROLOGUE,
            s=dh.generate_keypair(PrivateKey(KEYS[f"{role}_static"])),
            rs=PublicKey(static_public("resp")) if role == "init" and "_IK_" in name else None,
        )
        sides.append(side)
    messages, ciphers = [], None
    for number, payload in enumerate(PAYLOADS):
        if ciphers is None:
            buffer = bytearray()
            ciphers = sides[number % 2].write_message(payload, buffer)
            sides[1 - number % 2].read_message(bytes(buffer), bytearray())
            messages.append(bytes(buffer))
        else:
            messages.append(bytes(ciphers[number % 2].encrypt_with_ad(b"", payload)))
    return messages, bytes(sides[0].symmetricstate.get_handshake_hash())


def main() -> None:
    vectors = []
    for pattern, suite in product(("XX", "IK"), SUITES):
        name = f"Noise_{pattern}_{suite}"
        messages, handshake_hash = with_noiseprotocol(name)
        if (messages, handshake_hash) != with_dissononce(name):
            sys.exit(f"noiseprotocol and dissononce disagree about {name}")
        vector = {"protocol_name": name, "init_prologue": PROLOGUE.hex(), "resp_prologue": PROLOGUE.hex()}
        vector |= {name: key.hex() for name, key in KEYS.items()}
        if pattern == "IK":
            vector["init_remote_static"] = static_public("resp").hex()
        vector["handshake_hash"] = handshake_hash.hex()
        vector["messages"] = [
            {"payload": payload.hex(), "ciphertext": message.hex()}
            for payload, message in zip(PAYLOADS, messages, strict=True)
        ]
        vectors.append(vector)
    path = Path(__file__).with_name("noise-oracles.json")
    path.write_text(json.dumps({"vectors": vectors}, indent=1) + "\n")


if __name__ == "__main__":
    main()
