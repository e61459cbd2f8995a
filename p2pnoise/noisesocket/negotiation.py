"""Negotiation data: which Noise protocol the first message speaks, and the explicit reject that names those we accept.

NoiseSocket leaves the contents to the application; this is the six-byte form of the Go reference: version
0001, DH, cipher, hash, pattern. The numbers are those of noise-c.
"""

from collections.abc import Iterable

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise import DH_25519, Protocol
from p2pnoise.noise.functions import CIPHERS, HASHES
from p2pnoise.noise.patterns import PATTERNS
from p2pnoise.noisesocket.errors import NegotiationError
from p2pnoise.noisesocket.framing import encode_field

__all__ = [
    "NEGOTIATION_DATA_LEN",
    "encode_negotiation_data",
    "encode_reject",
    "initial_prologue",
    "parse_negotiation_data",
    "parse_reject",
]

_VERSION = bytes.fromhex("0001")
_REJECT = _VERSION + b"\xff"
_DH_25519 = 1
_CIPHER_CODES = {"ChaChaPoly": 1, "AESGCM": 2}
_HASH_CODES = {"BLAKE2s": 1, "BLAKE2b": 2, "SHA256": 3, "SHA512": 4}
_PATTERN_CODES = {"XX": 9, "IK": 14}
_CIPHERS = {code: CIPHERS[name] for name, code in _CIPHER_CODES.items()}
_HASHES = {code: HASHES[name] for name, code in _HASH_CODES.items()}
_PATTERNS = {code: PATTERNS[name] for name, code in _PATTERN_CODES.items()}
_SUITE_LEN = 4
NEGOTIATION_DATA_LEN = len(_VERSION) + _SUITE_LEN


def encode_negotiation_data(protocol: Protocol) -> bytes:
    """The six bytes by which an initiator names its protocol. Raises LocalProtocolError if they cannot."""
    return _VERSION + _suite(protocol)


def parse_negotiation_data(data: bytes) -> Protocol:
    """The protocol that six bytes name. Raises NegotiationError saying which of them we do not know."""
    if len(data) != NEGOTIATION_DATA_LEN:
        raise NegotiationError(f"negotiation data of {len(data)} bytes, {NEGOTIATION_DATA_LEN} needed")
    if not data.startswith(_VERSION):
        raise NegotiationError(f"negotiation data of version {data[:2].hex()}, we speak {_VERSION.hex()}")
    return _protocol(data[len(_VERSION) :])


def encode_reject(accepts: Iterable[Protocol]) -> bytes:
    """The whole packet of an explicit reject: 0001ff and four bytes for each protocol, and no noise_message."""
    # A non-empty negotiation_data with an empty noise_message is an explicit reject.
    return encode_field(_REJECT + b"".join(map(_suite, accepts))) + encode_field(b"")


def parse_reject(data: bytes) -> tuple[Protocol, ...]:
    """The protocols that an explicit reject names, without those that this version does not know.

    Raises NegotiationError if the data is no explicit reject; a switch and a retry request are none.
    """
    suites = data[len(_REJECT) :]
    if not data.startswith(_REJECT) or len(suites) % _SUITE_LEN:
        raise NegotiationError(f"{len(data)} bytes of negotiation data in the answer, neither accept nor reject")
    speaks = []
    for start in range(0, len(suites), _SUITE_LEN):
        try:
            speaks.append(_protocol(suites[start : start + _SUITE_LEN]))
        except NegotiationError:
            continue  # of a newer peer; the others are still worth knowing
    return tuple(speaks)


def initial_prologue(negotiation_data: bytes, application_prologue: bytes) -> bytes:
    """The Noise prologue of the initial protocol, which ties the negotiation to the handshake."""
    # "NoiseSocketInit1" | negotiation_data_len | negotiation_data | application_prologue
    return b"NoiseSocketInit1" + encode_field(negotiation_data) + application_prologue


def _suite(protocol: Protocol) -> bytes:
    if protocol.dh is not DH_25519 or protocol.pattern.name not in _PATTERN_CODES:
        raise LocalProtocolError(f"{protocol.name} has no negotiation data of six bytes")
    return bytes(
        (
            _DH_25519,
            _CIPHER_CODES[protocol.cipher.name],
            _HASH_CODES[protocol.hash.name],
            _PATTERN_CODES[protocol.pattern.name],
        )
    )


def _protocol(suite: bytes) -> Protocol:
    dh, cipher, hash_code, pattern = suite
    for what, code, known in (
        ("DH", dh, (_DH_25519,)),
        ("cipher", cipher, _CIPHERS),
        ("hash", hash_code, _HASHES),
        ("pattern", pattern, _PATTERNS),
    ):
        if code not in known:
            raise NegotiationError(f"{what} {code} in the negotiation data, one of {sorted(known)} expected")
    return Protocol(_PATTERNS[pattern], DH_25519, _CIPHERS[cipher], _HASHES[hash_code])
