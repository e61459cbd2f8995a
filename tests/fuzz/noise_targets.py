"""Fuzz target of the Noise handshake: any message in any state of any pattern, in either role."""

from collections.abc import Iterator

from p2pnoise.noise import HandshakeState, KeyPair, NoiseError, Protocol
from p2pnoise.noise.patterns import PATTERNS
from tests.fuzz import world
from tests.fuzz.script import Script
from tests.fuzz.target import Target

MODIFIED = ("XXpsk0+psk3", "IKpsk1+psk2", "NNpsk0", "Xpsk1", "XXfallback", "INfallback", "XXfallback+psk0")
NAMES = (*PATTERNS, *MODIFIED)
SUITES = ("25519_ChaChaPoly_BLAKE2s", "448_AESGCM_SHA512")
PROTOCOLS = [[Protocol.parse(f"Noise_{name}_{suite}") for name in NAMES] for suite in SUITES]
PAYLOAD = b"payload"


def side(protocol: Protocol, *, initiator: bool) -> HandshakeState:
    """One end, with every key that its pattern knows beforehand."""
    ours, theirs = (KeyPair.from_private(bytes([number]) * protocol.dh.dh_len, protocol.dh) for number in (1, 2))
    ours, theirs = (ours, theirs) if initiator else (theirs, ours)
    known, known_of_peer = protocol.pattern.pre_messages if initiator else reversed(protocol.pattern.pre_messages)
    return HandshakeState(
        protocol,
        initiator=initiator,
        entropy=world.stream(f"{initiator}"),
        s=ours,
        e=ours if "e" in known else None,
        rs=theirs.public if "s" in known_of_peer else None,
        re=theirs.public if "e" in known_of_peer else None,
        psks={number: bytes([64 + number]) * 32 for number in protocol.pattern.psks},
    )


def read_message(data: bytes) -> bool:
    script = Script(data)
    protocol = script.choose(script.choose(PROTOCOLS))
    ends = side(protocol, initiator=True), side(protocol, initiator=False)
    for _ in range(script.byte() % len(protocol.pattern.messages)):
        writer, reader = ends if ends[0].my_turn else ends[::-1]
        reader.read_message(writer.write_message(PAYLOAD))
    writer, reader = ends if ends[0].my_turn else ends[::-1]
    true = writer.write_message(PAYLOAD)
    encrypted = reader.payload_encrypted
    hostile = mutated(true, script)
    try:
        reader.read_message(hostile)
    except NoiseError:
        assert reader.read_message(true) == PAYLOAD, "what failed left a trace"
        return False
    assert hostile == true or not encrypted, "a forged message is read"
    return True


def mutated(message: bytes, script: Script) -> bytes:
    """The message, as the script would have it."""
    place = script.byte() % (len(message) + 1)
    match script.byte() % 5:
        case 0:
            return message
        case 1:
            return message[:place]
        case 2:
            return message[:place] + script.chunk() + message[place:]
        case 3:
            instead = script.chunk()
            return message[:place] + instead + message[place + len(instead) :]
        case _:
            return script.chunk()


def read_message_seeds() -> Iterator[bytes]:
    for number, name in enumerate(("NN", "XX", "IK", "X", "XXfallback", "IKpsk1+psk2")):
        yield bytes([number % 2, NAMES.index(name), 1, 3, number % 5, 32]) + bytes(range(32))


TARGETS = {"noise": Target(read_message, read_message_seeds, 400)}
