"""Recorded conversations of the Go reference: its handshakes with empty payloads and all its transport packets."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from p2pnoise.noise import HandshakeState, KeyPair, Protocol
from p2pnoise.noisesocket.framing import (
    MAX_BODY,
    ReceiveBuffer,
    decode_payload,
    encode_field,
    encode_payload,
)
from p2pnoise.noisesocket.negotiation import encode_negotiation_data, initial_prologue

SHARED = Path(__file__).parents[3] / "shared" / "vectors"


@pytest.fixture(scope="module")
def transcripts():
    path = Path(os.environ.get("P2PNOISE_VECTORS") or SHARED) / "noisesocket" / "go-transcripts.json"
    if not path.exists():
        pytest.skip(f"skipped the Go transcripts: no {path}; set P2PNOISE_VECTORS to the folder of vectors")
    return json.loads(path.read_text())["transcripts"]


def side_of(transcript, role, protocol, negotiation_data):
    def key(kind):
        return bytes.fromhex(transcript[f"{role}_{kind}_private"])

    return HandshakeState(
        protocol,
        initiator=role == "init",
        prologue=initial_prologue(negotiation_data, b""),
        s=KeyPair.from_private(key("static")),
        rs=bytes.fromhex(transcript["resp_static_public"])
        if protocol.pattern.name == "IK" and role == "init"
        else None,
        entropy=lambda _: key("ephemeral"),
    )


def test_handshakes_and_transport_packets_are_reproduced(transcripts):
    for transcript in transcripts:
        protocol = Protocol.parse(transcript["protocol_name"])
        negotiation_data = encode_negotiation_data(protocol)
        assert negotiation_data.hex() == transcript["negotiation_data"]
        assert initial_prologue(negotiation_data, b"").hex() == transcript["prologue"]
        sides = {
            "initiator": side_of(transcript, "init", protocol, negotiation_data),
            "responder": side_of(transcript, "resp", protocol, negotiation_data),
        }
        for message in transcript["handshake"]:
            writer = sides[message["from"]]
            (reader,) = (side for side in sides.values() if side is not writer)
            payload = bytes.fromhex(message["payload_plaintext"])
            noise_message = writer.write_message(payload)
            wire = encode_field(bytes.fromhex(message["negotiation_data"])) + encode_field(noise_message)
            assert wire.hex() == message["wire"]
            assert reader.read_message(noise_message) == payload
        assert sides["initiator"].handshake_hash.hex() == transcript["handshake_hash"]
        ciphers = {role: side.split() for role, side in sides.items()}
        for packet in transcript["transport"]:
            assert_packet(packet, ciphers)


def body_of(packet):
    """The body as carried, or by the file's rule where it is too long to be: byte i = (7*i + d) mod 256."""
    if "body" in packet:
        return bytes.fromhex(packet["body"])
    start = MAX_BODY if "packet 2 of 2" in packet["kind"] else 0
    shift = 0 if packet["from"] == "initiator" else 100
    body = bytes((7 * i + shift) % 256 for i in range(start, start + packet["body_len"]))
    assert hashlib.sha256(body).hexdigest() == packet["body_sha256"]
    return body


def assert_packet(packet, ciphers):
    body = body_of(packet)
    padding = bytes.fromhex(packet["padding"]) if "padding" in packet else b"\xa5" * packet["padding_len"]
    plaintext = encode_payload(body, len(body), MAX_BODY) + padding
    wire = encode_field(ciphers[packet["from"]][0].encrypt_with_ad(b"", plaintext))
    assert hashlib.sha256(wire).hexdigest() == packet["wire_sha256"]
    other = {"initiator": "responder", "responder": "initiator"}[packet["from"]]
    buffer = ReceiveBuffer()
    buffer.feed(wire)
    assert decode_payload(ciphers[other][1].decrypt_with_ad(b"", buffer.take_field())) == body
