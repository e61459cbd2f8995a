"""Fuzz targets of NoiseSocket: a carrier that lies, a peer that holds the keys and lies in them, raw bytes.

That peer is not ours but a second reading of the spec, a HandshakeState behind lengths, so that it can say what a
NoiseSocketConnection never would.
"""

from collections.abc import Iterator

from p2pnoise.noise import HandshakeState, NoiseError, Protocol
from p2pnoise.noisesocket import (
    GO,
    NEED_DATA,
    P2PNOISE,
    PLAIN,
    EndOfStream,
    FramingError,
    MessageReceived,
    NegotiationError,
    Rejected,
    Truncated,
)
from p2pnoise.noisesocket.introduction import (
    Answer,
    Opening,
    body_of_answer,
    body_of_opening,
    parse_answer,
    parse_opening,
)
from p2pnoise.noisesocket.negotiation import GO_REJECT, SIX_BYTES
from tests.fuzz import world
from tests.fuzz.noisesocket_ends import FALLBACK, IK, NEGOTIATION_DATA, PATTERNS, PROLOGUE, XX, Direction, End
from tests.fuzz.script import Script
from tests.fuzz.target import Target

STORIES = (("XX", "bob", ""), ("IK", "bob", ""), ("IK", "carl", "switch"), ("IK", "carl", "retry"))
"""The pattern that begins, whose key it is meant for, and what bob does if it was not his."""


def carrier(data: bytes) -> bool:
    script = Script(data)
    pattern, key, instead = script.choose(STORIES)
    options = script.byte()
    alice = End("ada", initiator=True, pattern=pattern, key=key, padded=bool(options & 1))
    bob = End("bob", initiator=False, pattern=pattern, padded=bool(options & 2), instead=instead)
    ways = Direction(alice, bob), Direction(bob, alice)
    while script:
        way = script.choose(ways)
        way.carry(way.speak(script), script)
    for end in (alice, bob):
        end.feed(b"")
    for way in ways:
        way.check()
    if alice.completed and bob.completed:
        assert alice.completed.handshake_hash == bob.completed.handshake_hash
    return all(EndOfStream() in end.events for end in (alice, bob))


def carrier_seeds() -> Iterator[bytes]:
    whole = bytes((0, 7, 0))  # no place, nothing done, in one piece
    moves = (b"\x00" + b"\x03abc" + whole, b"\x01" + b"\x03abc" + whole)
    for number, shakes in enumerate(((0, 1, 0), (0, 1), (0, 1, 0), (0, 2, 0, 1, 0))):
        for options in (0, 3):
            story = bytes([number, options])
            for way in (*shakes, 0, 1, 1, 0):
                # What bob writes of himself to ask for a retry has no body.
                story += b"\x01" + whole if way == 2 else moves[way]
            yield story + bytes([0, 0]) + whole + bytes([1, 0]) + bytes((0, 7, 1))
    yield bytes([0, 0, 0, 0, 5, 1, 1, 0])
    yield bytes([1, 0, 0, 0, 0, 2, 9])


def peer(data: bytes) -> bool:
    """A peer with keys of its own, whose payloads and negotiation data are the script's."""
    script = Script(data)
    pattern = script.choose(PATTERNS)
    initiator = bool(script.byte() % 2)  # the peer
    victim = End("bob" if initiator else "ada", initiator=not initiator, pattern=pattern)
    name = "ada" if initiator else "bob"
    noise = HandshakeState(
        Protocol.parse(f"Noise_{pattern}_25519_ChaChaPoly_BLAKE2s"),
        initiator=initiator,
        prologue=b"NoiseSocketInit1" + field(NEGOTIATION_DATA[pattern]) + PROLOGUE,
        s=world.STATICS[name],
        rs=world.STATICS["bob"].public if initiator and pattern == "IK" else None,
        entropy=world.stream(name),
    )
    first = True
    while not noise.finished:
        if noise.my_turn:
            negotiation_data = NEGOTIATION_DATA[pattern] if first and initiator else b""
            if script.byte() % 16 == 15:
                negotiation_data = script.chunk()
            payload = said(script) if noise.payload_encrypted else script.chunk()
            victim.feed(field(negotiation_data) + field(noise.write_message(payload)))
            first = False
        elif victim.may_shake:
            packet = victim.connection.send_handshake(script.chunk())
            victim.events += iter(victim.connection.next_event, NEED_DATA)
            try:
                noise.read_message(fields(packet)[1])
            except NoiseError:  # it was asked for another handshake, and begins one
                break
        else:
            break
    if not (noise.finished and victim.may_talk):
        assert not victim.bodies
        return any(isinstance(event, Rejected) for event in victim.events)
    send, _ = noise.split()
    expected: list[object] = []
    while script:
        payload = said(script)
        wrong = len(payload) < 2 or int.from_bytes(payload[:2], "big") > len(payload) - 2
        ended = EndOfStream() in expected
        before = len(victim.bodies) + (EndOfStream() in victim.events)
        victim.feed(field(send.encrypt_with_ad(b"", payload)))
        after = len(victim.bodies) + (EndOfStream() in victim.events)
        if wrong or ended:
            assert victim.failed
            assert before == after
            return False
        body = payload[2 : 2 + int.from_bytes(payload[:2], "big")]
        expected.append(MessageReceived(body) if body else EndOfStream())
        assert victim.events[-1] == expected[-1]
    return True


def said(script: Script) -> bytes:
    """The plaintext of a payload: a body, sometimes with padding, or whatever the script says."""
    content = script.chunk()
    match script.byte() % 4:
        case 0:
            return content
        case 1:
            return len(content).to_bytes(2, "big") + content + bytes(script.byte())
        case _:
            return len(content).to_bytes(2, "big") + content


def field(content: bytes) -> bytes:
    return len(content).to_bytes(2, "big") + content


def fields(packet: bytes) -> list[bytes]:
    found = []
    while packet:
        end = 2 + int.from_bytes(packet[:2], "big")
        found.append(packet[2:end])
        packet = packet[end:]
    return found


def peer_seeds() -> Iterator[bytes]:
    clear, sealed, theirs = b"\x00\x03abc", b"\x00\x03abc\x02", b"\x03def"
    talk = b"\x04body\x02" + b"\x04body\x01\x20" + b"\x00\x02"
    yield b"\x00\x01" + clear + theirs + sealed + talk
    yield b"\x00\x00" + theirs + sealed + theirs + talk
    yield b"\x01\x01" + sealed + theirs + talk
    yield b"\x01\x00" + theirs + sealed + talk
    yield b"\x00\x00" + theirs + b"\x0f\x07" + bytes.fromhex("0001ff01010109")
    yield b"\x01\x01" + sealed + theirs + b"\x03\x00\x05a\x00"


def stranger(data: bytes) -> bool:
    """Raw bytes for a connection that has come so far: role, pattern, messages and profile by the first byte."""
    script = Script(data)
    choice = script.byte()
    pattern, role, messages = PATTERNS[choice & 1], choice >> 1 & 1, choice >> 2 & 3
    profile = (P2PNOISE, PLAIN, GO, P2PNOISE)[choice >> 4 & 3]
    ends = [End(name, initiator=name == "ada", pattern=pattern, profile=profile) for name in ("ada", "bob")]
    for _ in range(messages):
        for speaker, hearer in (ends, ends[::-1]):
            if speaker.may_shake:
                hearer.feed(speaker.connection.send_handshake(b"body"))
                speaker.events += iter(speaker.connection.next_event, NEED_DATA)
                break
    victim = ends[role]
    before = len(victim.events)
    step = script.byte() or 1_000
    while script:
        victim.feed(script.take(step))
    victim.feed(b"")
    assert not victim.bodies
    assert EndOfStream() not in victim.events or not profile.authenticated_end
    return any(not isinstance(event, Truncated) for event in victim.events[before:])


def stranger_seeds() -> Iterator[bytes]:
    for number, pattern in enumerate(PATTERNS):
        for bits, profile in enumerate((P2PNOISE, PLAIN, GO)):
            end = End("ada", initiator=True, pattern=pattern, profile=profile)
            yield bytes([number | 2 | bits << 4, 0]) + end.connection.send_handshake(b"body")
    yield bytes([4, 7]) + field(bytes.fromhex("0001ff0101010e")) + field(b"")
    yield bytes([4, 0]) + field(bytes.fromhex("0001ff"))
    yield bytes([4, 0]) + field(b"") + field(bytes(96))
    yield bytes([5, 0]) + field(bytes.fromhex("000101010110")) + field(bytes(96))
    yield bytes([5, 0]) + field(bytes.fromhex("000101010109")) + field(b"")


def negotiation(data: bytes) -> bool:
    """As that of a first message, and as an explicit reject."""
    speaks = SIX_BYTES.decode_reject(data)
    if speaks is not None and len(data) == len(SIX_BYTES.encode_reject(speaks)):  # it names what we know
        assert SIX_BYTES.encode_reject(speaks) == data
    try:
        protocol = SIX_BYTES.decode(data)
    except NegotiationError:
        return speaks is not None
    assert SIX_BYTES.encode(protocol) == data
    return True


def negotiation_seeds() -> Iterator[bytes]:
    yield from (SIX_BYTES.encode(protocol) for protocol in (XX, IK, FALLBACK))
    yield SIX_BYTES.encode(Protocol.parse("Noise_NNpsk2_448_AESGCM_SHA512"))
    yield SIX_BYTES.encode_reject((XX, IK))
    yield GO_REJECT


def introduction(data: bytes) -> bool:
    """The bodies of both handshake messages of a stream."""
    accepted = False
    for parse, body_of in ((parse_opening, body_of_opening), (parse_answer, body_of_answer)):
        try:
            parsed = parse(data)
        except FramingError:
            continue
        assert body_of(parsed) == data
        accepted = True
    return accepted


def introduction_seeds() -> Iterator[bytes]:
    yield body_of_opening(Opening(b"card"))
    yield body_of_opening(Opening(b"card", 1_800_000_000_000, b"GET /"))
    yield body_of_answer(Answer(b"card", early_data_taken=True))


TARGETS = {
    "negotiation": Target(negotiation, negotiation_seeds, 100),
    "introduction": Target(introduction, introduction_seeds, 200),
    "noisesocket-carrier": Target(carrier, carrier_seeds, 600),
    "noisesocket-peer": Target(peer, peer_seeds, 400),
    "noisesocket-stranger": Target(stranger, stranger_seeds, 400),
}
