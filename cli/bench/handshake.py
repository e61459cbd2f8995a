"""`p2pnoise bench handshake`: both sides of a handshake in this process, without I/O.

Counted on our side: two HandshakeStates made, every message written and read, both split. The static key pairs are
there beforehand, as a node's are, and the two have met before. Protocol: 25519, ChaChaPoly, BLAKE2s. All times are of
the processor: nothing waits here, and what else runs on the machine is no part of it.

The floor is what the same pattern asks of `cryptography` and nothing else: for each `e` a key pair generated, for each
DH token an exchange on either side, with keys that are parsed beforehand. XX is 2 key pairs and 6 exchanges, IK 2 and
8. No hash, no cipher, no byte of a public key is counted in it.

The other libraries play the same protocol by their documented calls. noiseprotocol takes its static key as bytes for
each connection and parses it there; dissononce keeps a parsed one. TLS 1.3 with mutual ECDSA over memory buffers is
for information.
"""

import os
import ssl
import time
import warnings
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from cli.bench.certificates import HOST, client_context, make_certificates, server_context
from cli.bench.report import Case, Result, at_least, at_most, compare
from cli.bench.rounds import Progress, interleave
from p2pnoise.noise import HandshakeState, KeyPair, Protocol

__all__ = ["run"]

_SUITE = "25519_ChaChaPoly_BLAKE2s"
_SAMPLE = 0.02  # seconds of one sample, some 80 handshakes: long for the clock, short for whoever shares the machine

_CASES = (
    Case(name="XX / its DH and key generations", ours="XX", other="XX floor", unit="us", target=at_most(1.25)),
    Case(name="IK / its DH and key generations", ours="IK", other="IK floor", unit="us", target=at_most(1.25)),
    Case(name="XX / noiseprotocol XX", ours="XX", other="noiseprotocol", unit="handshakes/s", target=at_least(2.5)),
    Case(name="XX / dissononce XX", ours="XX", other="dissononce", unit="handshakes/s", target=at_least(2.5)),
    Case(name="XX / TLS 1.3 mutual ECDSA", ours="XX", other="TLS", unit="handshakes/s"),
)

Handshake = Callable[[], object]


def run(*, seconds: float, progress: Progress) -> list[Result]:
    """Measure for about so many seconds."""
    handshakes: dict[str, Handshake] = {
        "XX": noise("XX"),
        "XX floor": floor("XX"),
        "IK": noise("IK"),
        "IK floor": floor("IK"),
        "TLS": tls(),
    }
    missing = {}
    for name, make in (("noiseprotocol", noiseprotocol), ("dissononce", dissononce)):
        try:
            handshakes[name] = make()
        except ImportError:
            missing[name] = "not installed"
    sides = {name: _sampler(handshake) for name, handshake in handshakes.items()}
    times = interleave(sides, seconds=seconds, progress=progress)
    samples = {"us": times, "handshakes/s": {name: [1e6 / one for one in each] for name, each in times.items()}}
    return [result for case in _CASES for result in compare("handshake", [case], samples[case.unit], missing)]


def _sampler(handshake: Handshake) -> Callable[[], float]:
    """Microseconds of one handshake, over as many as fit into a sample."""

    def sample() -> float:
        count, begun = 0, time.process_time()
        while (elapsed := time.process_time() - begun) < _SAMPLE:
            handshake()
            count += 1
        return elapsed / count * 1e6

    return sample


def noise(pattern: str) -> Handshake:
    """Ours."""
    protocol = Protocol.parse(f"Noise_{pattern}_{_SUITE}")
    client, server = KeyPair.generate(os.urandom), KeyPair.generate(os.urandom)
    rs = server.public if "s" in protocol.pattern.pre_messages[1] else None

    def handshake() -> None:
        writer = HandshakeState(protocol, initiator=True, entropy=os.urandom, s=client, rs=rs)
        reader = HandshakeState(protocol, initiator=False, entropy=os.urandom, s=server)
        sides = writer, reader
        for _ in protocol.pattern.messages:
            reader.read_message(writer.write_message(b""))
            writer, reader = reader, writer
        for side in sides:
            side.split()

    return handshake


def floor(pattern: str) -> Handshake:
    """What both sides cannot do without."""
    tokens = [token for message in Protocol.parse(f"Noise_{pattern}_{_SUITE}").pattern.messages for token in message]
    key_pairs = tokens.count("e")
    exchanges = 2 * sum(token in ("ee", "es", "se", "ss") for token in tokens)
    private, public = X25519PrivateKey.generate(), X25519PrivateKey.generate().public_key()

    def primitives() -> None:
        for _ in range(key_pairs):
            X25519PrivateKey.generate()
        for _ in range(exchanges):
            private.exchange(public)

    return primitives


def noiseprotocol() -> Handshake:
    """PyPI noiseprotocol. Raises ImportError where it is not installed."""
    from noise.connection import Keypair, NoiseConnection  # noqa: PLC0415 - may be missing

    keys = [os.urandom(32) for _ in range(2)]

    def handshake() -> None:
        sides = [NoiseConnection.from_name(f"Noise_XX_{_SUITE}".encode()) for _ in keys]
        for side, key in zip(sides, keys, strict=True):
            side.set_keypair_from_private_bytes(Keypair.STATIC, key)
        sides[0].set_as_initiator()
        sides[1].set_as_responder()
        for side in sides:
            side.start_handshake()
        writer, reader = sides
        for _ in range(3):
            reader.read_message(writer.write_message())
            writer, reader = reader, writer

    return handshake


def dissononce() -> Handshake:
    """PyPI dissononce. Raises ImportError where it is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs, not ours
        from dissononce.dh.x25519.x25519 import X25519DH  # noqa: PLC0415 - may be missing
        from dissononce.extras.meta.protocol.factory import NoiseProtocolFactory  # noqa: PLC0415

    protocol = NoiseProtocolFactory().get_noise_protocol(f"Noise_XX_{_SUITE}")
    keys = [X25519DH().generate_keypair() for _ in range(2)]

    def handshake() -> None:
        sides = [protocol.create_handshakestate() for _ in keys]
        for initiator, side, key in zip((True, False), sides, keys, strict=True):
            side.initialize(protocol.pattern, initiator, b"", s=key)
        writer, reader = sides
        for _ in range(3):
            message = bytearray()
            writer.write_message(b"", message)
            reader.read_message(bytes(message), bytearray())
            writer, reader = reader, writer

    return handshake


def tls() -> Handshake:
    """TLS 1.3 of the standard library, both sides with ECDSA P-256 certificates that the other verifies."""
    certificates = make_certificates("ecdsa")
    server, client = server_context(certificates, mutual=True), client_context(certificates, mutual=True)

    def handshake() -> None:
        up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
        waiting: list[ssl.SSLObject] = [
            client.wrap_bio(down, up, server_hostname=HOST),
            server.wrap_bio(up, down, server_side=True),
        ]
        while waiting:
            waiting = [side for side in waiting if not _done(side)]

    return handshake


def _done(side: ssl.SSLObject) -> bool:
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True
