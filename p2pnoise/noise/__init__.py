"""The Noise protocol framework, revision 34, object for object: bytes in, bytes out.

    protocol = Protocol.parse("Noise_XX_25519_ChaChaPoly_BLAKE2s")
    alice = HandshakeState(protocol, initiator=True, s=KeyPair.generate(os.urandom), entropy=os.urandom)
    message = alice.write_message(b"hello")

All one-way, interactive and deferred patterns, with psk and fallback modifiers, over 25519 or 448, with
ChaChaPoly or AESGCM and SHA256, SHA512, BLAKE2s or BLAKE2b.
"""

from p2pnoise.noise.cipher_state import CipherState
from p2pnoise.noise.dh import DH_448, DH_25519, DhFunction, Entropy, KeyPair
from p2pnoise.noise.errors import DecryptError, InvalidPublicKey, MessageSizeError, NoiseError, NonceExhausted
from p2pnoise.noise.handshake_state import HandshakeState
from p2pnoise.noise.patterns import Pattern
from p2pnoise.noise.protocol import Protocol
from p2pnoise.noise.symmetric_state import SymmetricState

__all__ = [
    "DH_448",
    "DH_25519",
    "CipherState",
    "DecryptError",
    "DhFunction",
    "Entropy",
    "HandshakeState",
    "InvalidPublicKey",
    "KeyPair",
    "MessageSizeError",
    "NoiseError",
    "NonceExhausted",
    "Pattern",
    "Protocol",
    "SymmetricState",
]
