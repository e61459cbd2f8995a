"""Between two connections a carrier that lies: what is delivered is always the beginning of what was sent.

The conversations go from the first handshake byte to both ends of stream; the carrier touches them anywhere.
"""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pnoise.errors import RemoteProtocolError
from p2pnoise.noise import DecryptError, KeyPair, Protocol
from p2pnoise.noisesocket import (
    NEED_DATA,
    EndOfStream,
    HandshakeCompleted,
    HandshakePayload,
    MessageReceived,
    NoiseSocketConnection,
    SwitchRequested,
    Truncated,
)

XX, IK, FALLBACK = (Protocol.parse(f"Noise_{name}_25519_ChaChaPoly_BLAKE2s") for name in ("XX", "IK", "XXfallback"))
INITIATOR_S, RESPONDER_S, OLD_S = (KeyPair.from_private(bytes([number]) * 32) for number in (1, 2, 3))
BODIES = [b"first", b"second"]
SHAKEN = b"shaken"

KINDS = ["XX", "IK", "IK and XXfallback"]
every_kind = pytest.mark.parametrize("kind", KINDS)


class End:
    """One connection and its owner, who writes whenever it may: handshake messages, then BODIES, then the end."""

    def __init__(self, kind, *, initiator):
        key = {"XX": None, "IK": RESPONDER_S.public, "IK and XXfallback": OLD_S.public}[kind]
        self.connection = NoiseSocketConnection(
            initiator=initiator,
            s=INITIATOR_S if initiator else RESPONDER_S,
            rs=key if initiator else None,
            accepts=(FALLBACK,) if initiator else (XX, IK),
            application_prologue=b"tests of p2pnoise",
            entropy=lambda length: bytes([64 + initiator]) * length,
            padding=lambda body_len: body_len + 3,
        )
        self.to_say = [*BODIES, b""]
        self.said, self.shaken = [], []
        self.events = []
        self.fault = None

    def hear(self, data):
        """What the carrier brought; b"" is its end."""
        if self.fault or Truncated() in self.events:
            return
        self.connection.receive_data(data)
        while self._next():
            pass

    def _next(self):
        try:
            event = self.connection.next_event()
        except RemoteProtocolError as error:
            if isinstance(error, DecryptError) and self.connection.may_switch:
                self.connection.switch(FALLBACK)
                return True
            self.fault = error
            return False
        if event is NEED_DATA:
            return False
        self.events.append(event)
        if isinstance(event, SwitchRequested):
            self.connection.follow()
        return True

    def speak(self):
        """The next packet, or nothing."""
        if self.fault or not self.to_say:
            return b""
        if self.connection.my_turn:
            self.shaken.append(SHAKEN)
            packet = self.connection.send_handshake(SHAKEN)
            self.events += iter(self.connection.next_event, NEED_DATA)
            return packet
        if not self.connection.finished:
            return b""
        body = self.to_say.pop(0)
        if not body:
            return self.connection.send_end()
        self.said.append(body)
        return self.connection.send_message(body)

    @property
    def heard(self):
        return [event.body for event in self.events if isinstance(event, MessageReceived)]

    @property
    def completed(self):
        return [event for event in self.events if isinstance(event, HandshakeCompleted)]

    @property
    def ended(self):
        return EndOfStream() in self.events


class Wire:
    """One direction: what was written, what arrived, and what the carrier does in between."""

    def __init__(self, speaker: End, hearer: End, carry: Callable[[bytes, int], list[bytes]]) -> None:
        """`carry` makes the pieces that arrive of a packet and the offset at which it was written."""
        self.speaker, self.hearer, self.carry = speaker, hearer, carry
        self.written = self.arrived = b""

    def move(self) -> bool:
        packet = self.speaker.speak()
        pieces = self.carry(packet, len(self.written)) if packet else []
        self.written += packet
        for piece in filter(None, pieces):
            self.arrived += piece
            self.hearer.hear(piece)
        return bool(packet)

    def check(self) -> None:
        """What was heard is the beginning of what was said, and the end is heard behind all of it alone."""
        assert self.hearer.heard == self.speaker.said[: len(self.hearer.heard)]
        all_arrived = not self.speaker.to_say and self.arrived.startswith(self.written)
        assert all_arrived or not self.hearer.ended
        for event in self.hearer.events:
            if isinstance(event, HandshakePayload) and (event.encrypted or self.hearer.completed):
                assert event.body == SHAKEN


def untouched(packet, _offset):
    return [packet]


def converse(kind, *, to_responder=untouched, to_initiator=untouched):
    """Both ends say all they can, then the carrier ends; both wires."""
    initiator, responder = End(kind, initiator=True), End(kind, initiator=False)
    wires = Wire(initiator, responder, to_responder), Wire(responder, initiator, to_initiator)
    while sum(wire.move() for wire in wires):  # both move each time
        pass
    for wire in wires:
        wire.hearer.hear(b"")
        wire.check()
    if initiator.completed and responder.completed:
        hashes = {end.completed[0].handshake_hash for end in (initiator, responder)}
        assert len(hashes) == 1
    return wires


@every_kind
def test_an_honest_carrier_brings_both_directions_to_their_ends(kind):
    for wire in converse(kind):
        assert wire.hearer.heard == BODIES
        assert wire.hearer.ended
        assert wire.hearer.fault is None


@every_kind
@pytest.mark.parametrize("direction", ["to_responder", "to_initiator"])
def test_a_split_at_any_offset_changes_nothing(kind, direction):
    for cut in range(len(converse(kind)[direction == "to_initiator"].written)):

        def split(packet, offset, cut=cut):
            at = max(0, cut - offset)
            return [packet[:at], packet[at:]]

        for wire in converse(kind, **{direction: split}):
            assert wire.hearer.heard == BODIES
            assert wire.hearer.ended


@every_kind
@pytest.mark.parametrize("direction", ["to_responder", "to_initiator"])
def test_a_cut_at_any_offset_is_a_truncation_and_no_fault(kind, direction):
    for cut in range(len(converse(kind)[direction == "to_initiator"].written)):

        def cutting(packet, offset, cut=cut):
            return [packet[: max(0, cut - offset)]]

        for wire in converse(kind, **{direction: cutting}):
            assert wire.hearer.fault is None
            assert wire.hearer.ended or wire.hearer.events[-1] == Truncated()


@every_kind
@pytest.mark.parametrize("direction", ["to_responder", "to_initiator"])
def test_every_flipped_bit_of_a_conversation_is_refused(kind, direction):
    """In either direction: of lengths, negotiation, keys, payloads, messages and ends."""
    number = direction == "to_initiator"
    honest = converse(kind)[number]
    for bit in range(len(honest.written) * 8):

        def flipping(packet, offset, bit=bit):
            at = bit // 8 - offset
            if 0 <= at < len(packet):
                packet = packet[:at] + bytes([packet[at] ^ 1 << bit % 8]) + packet[at + 1 :]
            return [packet]

        wires = converse(kind, **{direction: flipping})
        hearer = wires[number].hearer
        assert not hearer.ended
        assert len(hearer.heard) < len(BODIES) or bit // 8 >= len(honest.written) - 23  # the end itself
        assert hearer.fault or wires[not number].hearer.fault or Truncated() in hearer.events


faults = st.one_of(
    st.just(("pass",)),
    st.just(("drop",)),
    st.just(("duplicate",)),
    st.just(("hold back",)),
    st.tuples(st.just("truncate"), st.integers(0, 120)),
    st.tuples(st.just("corrupt"), st.integers(0, 120), st.integers(1, 255)),
    st.tuples(st.just("insert"), st.integers(0, 120), st.binary(min_size=1, max_size=40)),
    st.tuples(st.just("split"), st.integers(1, 40)),
)


def liar(plan):
    """A carrier that does to one packet after the other as planned, and passes the rest on."""
    plan, held = list(plan), []

    def carry(packet, _offset):
        late = list(held)
        held.clear()
        match plan.pop(0) if plan else ("pass",):
            case ("drop",):
                pieces = []
            case ("duplicate",):
                pieces = [packet, packet]
            case ("hold back",):
                pieces = []
                held.append(packet)
            case ("truncate", at):
                pieces = [packet[:at]]
            case ("corrupt", at, mask):
                at %= len(packet)
                pieces = [packet[:at] + bytes([packet[at] ^ mask]) + packet[at + 1 :]]
            case ("insert", at, strange):
                pieces = [packet[:at] + strange + packet[at:]]
            case ("split", step):
                pieces = [packet[start : start + step] for start in range(0, len(packet), step)]
            case _:
                pieces = [packet]
        return pieces + late

    return carry


@every_kind
@settings(max_examples=200, deadline=None)
@given(there=st.lists(faults, max_size=6), back=st.lists(faults, max_size=6))
def test_no_lie_of_the_carrier_delivers_a_wrong_byte(kind, there, back):
    wires = converse(kind, to_responder=liar(there), to_initiator=liar(back))
    # End, error and truncation are three results; where no byte was changed, an error is none of them.
    for wire in wires:
        results = (wire.hearer.ended, wire.hearer.fault is not None, Truncated() in wire.hearer.events)
        assert results.count(True) >= 1
        assert not (wire.hearer.ended and Truncated() in wire.hearer.events)
    if all(wire.written.startswith(wire.arrived) for wire in wires):
        assert [wire.hearer.fault for wire in wires] == [None, None]
