"""Vectors of NoiseSocket in the published forms: negotiations of revision 2 and transcripts of the Go reference.

Each is played twice: we are the initiator and the file is the responder, then the other way round. What we write
must be what the file says, byte for byte, and what the file wrote must read as it says.
"""

import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from p2pnoise.errors import LocalProtocolError, P2PNoiseError
from p2pnoise.noise import KeyPair, Protocol
from p2pnoise.noisesocket import (
    GO,
    MAX_BODY,
    NEED_DATA,
    Event,
    HandshakeCompleted,
    HandshakePayload,
    MessageReceived,
    NegotiationError,
    NoiseSocketConnection,
    Profile,
    Rejected,
    RetryRequested,
    SwitchRequested,
)
from p2pnoise.noisesocket.framing import encode_field, encode_payload
from tests.conformance.report import Report, UnusableFile, VectorFailed, load_vectors

ALICE, BOB = "alice", "bob"
Fields = Mapping[str, Any]


def run(path: Path, report: Report) -> None:
    """Plays every vector of the file. Raises UnusableFile."""
    vectors = load_vectors(path, "vectors", "transcripts")
    objects = [vector if isinstance(vector, dict) else {} for vector in vectors]
    if any("initial" in vector and "messages" in vector for vector in objects):
        for number, vector in enumerate(objects, 1):
            report.run(f"{path.name}: vector {number}, {_way(vector)}", partial(_play_both, Negotiation, vector))
    elif any("handshake" in vector and "transport" in vector for vector in objects):
        for number, vector in enumerate(objects, 1):
            report.run(
                f"{path.name}: transcript {number}, {vector.get('name')}", partial(_play_both, Transcript, vector)
            )
    else:
        raise UnusableFile("of another form: vectors with initial and messages, or transcripts, expected", 3)


def _way(vector: Fields) -> str:
    second = next((way for way in ("switch", "retry") if way in vector), "accept")
    initial = vector.get("initial")
    return f"{initial.get('protocol_name') if isinstance(initial, dict) else initial}, {second}"


def _play_both(player: "type[Negotiation | Transcript]", vector: Fields) -> None:
    for role, called in ((ALICE, "initiator"), (BOB, "responder")):
        try:
            player(vector, role).play()
        except VectorFailed as error:
            raise VectorFailed(f"as {called}: {error}") from error
        except P2PNoiseError as error:
            raise VectorFailed(f"as {called}: {type(error).__name__}: {error}") from error
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise VectorFailed(f"of another form: {type(error).__name__}: {error}") from error


class Named:
    """Negotiation data that a vector made up: we write one thing, and the peer may name one protocol."""

    longest = longest_answer = 65535

    def __init__(self, ours: bytes, theirs: bytes, meant: Protocol | None) -> None:
        self._ours = ours
        self._theirs = theirs
        self._meant = meant

    def encode(self, protocol: Protocol) -> bytes:  # noqa: ARG002 - the vector has one thing to say
        return self._ours

    def decode(self, data: bytes) -> Protocol:
        if data != self._theirs or self._meant is None:
            raise NegotiationError(f"negotiation data {data.hex()}, {self._theirs.hex()} expected")
        return self._meant

    def encode_reject(self, accepts: object) -> bytes:  # noqa: ARG002
        return self._ours

    def decode_reject(self, data: bytes) -> tuple[Protocol, ...] | None:
        return () if data == self._theirs and self._meant is None else None


class Negotiation:
    """One side of a negotiation and what follows it, played by us; Alice and Bob as the vectors call them."""

    def __init__(self, vector: Fields, role: str) -> None:
        self._vector = vector
        self._role = role
        self._way = next((way for way in ("switch", "retry") if way in vector), None)
        self._phase: Fields = vector["initial"]
        self._padded_len = 0
        initial = _protocol(vector["initial"])
        second = _protocol(vector[self._way]) if self._way else None
        opening, answer = (_unhex(message.get("negotiation_data", "")) for message in vector["messages"][:2])
        self._rejects = self._way is None and answer != b""
        if role == ALICE:
            options: dict[str, Any] = {"protocol": initial, "accepts": (second,) if second else ()}
            names = Named(opening, answer, second)
        else:
            # Bob agrees to nothing where the vector wants another answer than yes.
            options = {"accepts": () if second or self._rejects else (initial,)}
            names = Named(answer, opening, initial)
        self._connection = NoiseSocketConnection(
            initiator=role == ALICE,
            entropy=self._entropy,
            application_prologue=_unhex(vector[f"{role}_prologue"]),
            padding=lambda body_len: max(body_len, self._padded_len),
            profile=Profile(negotiation=names),
            **options,
            **self._keys(initial if role == ALICE or options["accepts"] else None),
        )

    def play(self) -> None:
        """The whole conversation: Alice has the first word, then they take turns."""
        for number, message in enumerate(self._vector["messages"]):
            wire, body = _unhex(message["message"]), _unhex(message.get("message_body", ""))
            self._padded_len = message.get("padded_length", 0)
            if (number % 2 == 0) == (self._role == ALICE):
                _compare(f"message {number + 1}", self._write(number, body), wire)
            else:
                self._read(number, wire, body)
        if not self._rejects:
            _compare("handshake_hash", self._connection.handshake_hash, _unhex(self._vector["handshake_hash"]))

    def _write(self, number: int, body: bytes) -> bytes:
        connection = self._connection
        if number == 1 and self._rejects:
            return connection.reject()
        if number == 1 and self._way:
            protocol = self._begin_again()
            if self._way == "retry":
                return connection.request_retry(protocol, **self._keys(protocol))
            connection.switch(protocol, **self._keys(protocol))
        if not connection.finished:
            return connection.send_handshake(body)
        return connection.send_message(body)

    def _read(self, number: int, wire: bytes, body: bytes) -> None:
        try:
            self._connection.receive_data(wire)
            events = _events(self._connection)
        except NegotiationError:
            if number == 0 and (self._way or self._rejects):
                return  # as it should be: there is more to come
            raise
        if number == 1 and self._way:
            asked = SwitchRequested if self._way == "switch" else RetryRequested
            protocol = self._begin_again()
            if events != [asked(protocol)]:
                raise VectorFailed(f"message 2 is {events}, {asked.__name__} expected")
            self._connection.follow(**self._keys(protocol))
            events = _events(self._connection)
        if number == 1 and self._rejects:
            if events != [Rejected(())]:
                raise VectorFailed(f"message 2 is {events}, Rejected expected")
        elif not (number == 1 and self._way == "retry"):
            _compare(f"the body of message {number + 1}", _one_body(events), body)

    def _begin_again(self) -> Protocol:
        self._phase = self._vector[self._way or "initial"]
        return _protocol(self._phase)

    def _keys(self, protocol: Protocol | None) -> dict[str, Any]:
        """What our side brings into the protocol of this phase."""
        if protocol is None:
            return {"s": None}
        # Bob initiates where he switches.
        initiator = (self._role == ALICE) != (self._phase is self._vector.get("switch"))
        pattern = protocol.pattern
        s, rs = self._phase.get(f"{self._role}_static"), self._phase.get(f"{self._role}_remote_static")
        psks = self._vector.get(f"{self._role}_psks") or []
        return {
            "s": KeyPair.from_private(_unhex(s), protocol.dh) if s else None,
            # Some vectors name keys that their pattern does not know beforehand.
            "rs": _unhex(rs) if rs and "s" in pattern.pre_messages[initiator] else None,
            "psks": {modifier: _unhex(psk) for modifier, psk in zip(pattern.psks, psks, strict=False)},
        }

    def _entropy(self, length: int) -> bytes:
        return _of_length(_unhex(self._phase[f"{self._role}_ephemeral"]), length)


class Transcript:
    """A conversation of the Go reference. One role is checked; a second connection of ours writes the other's part."""

    def __init__(self, transcript: Fields, role: str) -> None:
        self._transcript = transcript
        self._checked = {ALICE: "initiator", BOB: "responder"}[role]
        protocol = _protocol(transcript)
        ik = "s" in protocol.pattern.pre_messages[1]
        negotiation_data = _unhex(transcript["negotiation_data"])
        _compare("negotiation_data", GO.negotiation.encode(protocol), negotiation_data)
        self._sides = {
            name: NoiseSocketConnection(
                initiator=name == "initiator",
                s=KeyPair.from_private(_unhex(transcript[f"{short}_static_private"]), protocol.dh),
                rs=_unhex(transcript["resp_static_public"]) if ik and short == "init" else None,
                entropy=partial(_of_length, _unhex(transcript[f"{short}_ephemeral_private"])),
                application_prologue=b"",
                profile=GO,
                **({"protocol": protocol} if short == "init" else {"accepts": (protocol,)}),
            )
            for name, short in (("initiator", "init"), ("responder", "resp"))
        }

    def play(self) -> None:
        """The handshake, then every packet of the transport."""
        for number, message in enumerate(self._transcript["handshake"], 1):
            body = _unhex(message["payload_plaintext"])[2:]
            wire = self._sides[message["from"]].send_handshake(body)
            self._deliver(f"handshake message {number}", message["from"], wire, _unhex(message["wire"]), body)
        ours = self._sides[self._checked].handshake_hash
        _compare("handshake_hash", ours, _unhex(self._transcript["handshake_hash"]))
        for packet in self._transcript["transport"]:
            what, body = f"packet {packet['n']} ({packet['kind']})", _body(packet)
            wire = self._transport_packet(packet, body)
            digest = hashlib.sha256(wire).digest()
            _compare(f"the digest of {what}", digest, _unhex(packet["wire_sha256"]))
            self._deliver(what, packet["from"], wire, wire, body)

    def _transport_packet(self, packet: Fields, body: bytes) -> bytes:
        sender = self._sides[packet["from"]]
        padding_len = len(_unhex(packet["padding"])) if "padding" in packet else packet["padding_len"]
        if not padding_len:
            return sender.send_message(body)
        # The file pads with bytes other than zero, which we read and never write.
        plaintext = encode_payload(body, len(body), MAX_BODY) + b"\xa5" * padding_len
        outcome = sender._exchange.outcome
        return encode_field(outcome.send.encrypt_with_ad(b"", plaintext)) if outcome else b""

    def _deliver(self, what: str, sender: str, ours: bytes, theirs: bytes, body: bytes) -> None:
        if sender == self._checked:
            _compare(what, ours, theirs)
        reader = self._sides["initiator" if sender == "responder" else "responder"]
        reader.receive_data(theirs)
        _compare(f"the body of {what}", _one_body(_events(reader)), body)


def _body(packet: Fields) -> bytes:
    """The body as carried, or by the file's rule where it is too long to be: byte i = (7*i + d) mod 256."""
    if "body" in packet:
        return _unhex(packet["body"])
    if not 0 <= packet["body_len"] <= MAX_BODY:
        raise VectorFailed(f"body_len is {packet['body_len']}, at most {MAX_BODY}")
    start = MAX_BODY if "packet 2 of 2" in packet["kind"] else 0
    shift = 0 if packet["from"] == "initiator" else 100
    body = bytes((7 * i + shift) % 256 for i in range(start, start + packet["body_len"]))
    _compare("the digest of a body", hashlib.sha256(body).digest(), _unhex(packet["body_sha256"]))
    return body


def _events(connection: NoiseSocketConnection) -> list[Event]:
    events: list[Event] = []
    while (event := connection.next_event()) is not NEED_DATA:
        events.append(event)
    return events


def _one_body(events: list[Event]) -> bytes:
    bodies = [event.body for event in events if isinstance(event, HandshakePayload | MessageReceived)]
    others = [
        event for event in events if not isinstance(event, HandshakePayload | MessageReceived | HandshakeCompleted)
    ]
    if len(bodies) != 1 or others:
        raise VectorFailed(f"reads as {events}, one body expected")
    return bodies[0]


def _protocol(fields: Fields) -> Protocol:
    try:
        return Protocol.parse(str(fields["protocol_name"]))
    except LocalProtocolError as error:
        raise VectorFailed(f"unknown protocol: {error}") from error


def _of_length(secret: bytes, length: int) -> bytes:
    if len(secret) != length:
        raise VectorFailed(f"an ephemeral key of {len(secret)} bytes, {length} needed")
    return secret


def _unhex(value: object) -> bytes:
    try:
        return bytes.fromhex(str(value))
    except ValueError:
        raise VectorFailed(f"{value!r} is not hexadecimal") from None


def _compare(what: str, ours: bytes, theirs: bytes) -> None:
    if ours != theirs:
        raise VectorFailed(f"{what} is {ours.hex()}, {theirs.hex()} expected")
