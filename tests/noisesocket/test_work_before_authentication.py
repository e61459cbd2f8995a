"""What an unauthenticated peer can cost one connection: key pairs made, Diffie-Hellmans, bytes written and kept.

Each count is of the worst that a stranger can do who holds all that is public, keys of its own and recordings. It is
constant, since a message that fails finishes the connection, and each is read once.
"""

import tracemalloc

import pytest

from p2pnoise.errors import RemoteProtocolError
from p2pnoise.noise import DecryptError, InvalidPublicKey, KeyPair, Protocol, keys
from p2pnoise.noisesocket import NegotiationError
from tests.fuzz.world import held_bytes

MAX_PACKET = 131_074
OVERHEAD = 2_048  # bytes of keys and hashes
OBJECTS = 16_384  # bytes of Python objects that come and go; a quarter of what is claimed
XX, IK, FALLBACK = (Protocol.parse(f"Noise_{name}_25519_ChaChaPoly_BLAKE2s") for name in ("XX", "IK", "XXfallback"))
OLD_S = KeyPair.from_private(b"\x05" * 32)


class Work:
    """What was done since the last look."""

    def __init__(self):
        self.generated = self.dhs = 0

    def take(self):
        taken, self.generated, self.dhs = (self.generated, self.dhs), 0, 0
        return taken


@pytest.fixture
def work(monkeypatch):
    """Counts every key pair made and every DH."""
    counted, dh, generate = Work(), keys.dh, KeyPair.generate.__func__

    def counting_dh(*arguments):
        counted.dhs += 1
        return dh(*arguments)

    def counting_generate(*arguments):
        counted.generated += 1
        return generate(*arguments)

    monkeypatch.setattr(keys, "dh", counting_dh)
    monkeypatch.setattr(KeyPair, "generate", classmethod(counting_generate))
    return counted


def spoilt(packet):
    """The packet with its last byte changed: every tag but the last one holds."""
    return packet[:-1] + bytes([packet[-1] ^ 1])


def opening(pattern, noise_message):
    """A first packet that no connection of ours would write."""
    code = {"NN": 4, "IK": 14}[pattern]
    return bytes.fromhex("000600010101") + bytes([1, code]) + len(noise_message).to_bytes(2, "big") + noise_message


def refused(connection, play, packet, error=DecryptError):
    with pytest.raises(error):
        play.feed(connection, packet)


def test_negotiation_data_that_we_refuse_cost_nothing(play, work):
    refused(play.connection(initiator=False), play, opening("NN", bytes(32)), NegotiationError)
    assert work.take() == (0, 0)


def test_nonsense_as_ik_costs_a_responder_one_dh(play, work):
    refused(play.connection(initiator=False), play, opening("IK", play.initiator_s.public + bytes(100)))
    assert work.take() == (0, 1)


def test_a_point_of_low_order_costs_a_responder_one_dh(play, work):
    refused(play.connection(initiator=False), play, opening("IK", bytes(132)), InvalidPublicKey)
    assert work.take() == (0, 1)


def test_a_recorded_ik_costs_a_responder_that_answers_four_dhs_and_a_key_pair(make_pair, play, work):
    """It reads like the true one; what the owner thinks of its payload comes before the answer's half."""
    recording = make_pair("IK").initiator.send_handshake(b"")
    responder = play.connection(initiator=False)
    work.take()
    play.feed(responder, recording)
    assert work.take() == (0, 2)
    responder.send_handshake(b"")
    assert work.take() == (1, 2)
    refused(responder, play, b"\x00\x12" + bytes(18))
    assert work.take() == (0, 0)


def test_a_stranger_in_xx_costs_a_responder_three_dhs_and_a_key_pair(make_pair, play, work):
    pair = make_pair("XX")
    clear = pair.initiator.send_handshake(b"")
    work.take()
    play.feed(pair.responder, clear)
    assert work.take() == (0, 0)
    answer = pair.responder.send_handshake(b"")
    assert work.take() == (1, 2)
    play.feed(pair.initiator, answer)
    message_3 = pair.initiator.send_handshake(b"")
    work.take()
    refused(pair.responder, play, spoilt(message_3))
    assert work.take() == (0, 1)


def test_nonsense_as_ik_that_is_answered_by_fallback_costs_four_dhs_and_a_key_pair(play, work):
    initiator = play.connection(initiator=True, pattern="IK", rs=OLD_S.public, accepts=(FALLBACK,))
    responder = play.connection(initiator=False)
    message_1 = initiator.send_handshake(b"")
    work.take()
    refused(responder, play, message_1)
    assert work.take() == (0, 1)
    responder.switch(FALLBACK)
    answer = responder.send_handshake(b"")
    assert work.take() == (1, 2)
    play.feed(initiator, answer)
    initiator.follow()
    play.drain(initiator)
    message_3 = initiator.send_handshake(b"")
    work.take()
    refused(responder, play, spoilt(message_3))
    assert work.take() == (0, 1)
    assert not responder.may_switch


@pytest.mark.parametrize(("pattern", "before"), [("XX", (1, 0)), ("IK", (1, 2))])
def test_a_wrong_answer_costs_an_initiator_two_dhs_more(make_pair, play, work, pattern, before):
    pair = make_pair(pattern)
    packet = pair.initiator.send_handshake(b"")
    assert work.take() == before
    play.feed(pair.responder, packet)
    answer = pair.responder.send_handshake(b"")
    work.take()
    refused(pair.initiator, play, spoilt(answer))
    assert work.take() == (0, 2)


def test_a_fallback_that_is_followed_costs_an_initiator_five_dhs_and_one_key_pair(play, work):
    """Two of them for the IK that was in vain. The ephemeral key is the same."""
    initiator = play.connection(initiator=True, pattern="IK", rs=OLD_S.public, accepts=(FALLBACK,))
    responder = play.connection(initiator=False)
    message_1 = initiator.send_handshake(b"")
    assert work.take() == (1, 2)
    refused(responder, play, message_1)
    responder.switch(FALLBACK)
    answer = responder.send_handshake(b"")
    work.take()
    play.feed(initiator, answer)
    assert work.take() == (0, 0)
    initiator.follow()
    play.drain(initiator)
    initiator.send_handshake(b"")
    assert work.take() == (0, 3)


def test_a_retry_adds_the_work_of_the_handshake_that_is_asked_for(play, work):
    initiator = play.connection(initiator=True, pattern="IK", rs=OLD_S.public, accepts=(XX,))
    responder = play.connection(initiator=False)
    message_1 = initiator.send_handshake(b"")
    assert work.take() == (1, 2)
    refused(responder, play, message_1)
    play.feed(initiator, responder.request_retry(XX))
    assert work.take() == (0, 1)
    initiator.follow()
    play.feed(responder, initiator.send_handshake(b""))
    assert work.take() == (1, 0)
    answer = responder.send_handshake(b"")
    assert work.take() == (1, 2)
    play.feed(initiator, answer)
    message_3 = initiator.send_handshake(b"")
    assert work.take() == (0, 3)
    refused(responder, play, spoilt(message_3))
    assert work.take() == (0, 1)


@pytest.mark.parametrize(("pattern", "heard", "said"), [("XX", 42, 102), ("IK", 108, 54)])
def test_a_responder_says_so_many_bytes_to_so_many(make_pair, play, pattern, heard, said):
    """With empty bodies; each is longer by its body, which the owner chooses."""
    pair = make_pair(pattern)
    packet = pair.initiator.send_handshake(b"")
    play.feed(pair.responder, packet)
    assert (len(packet), len(pair.responder.send_handshake(b""))) == (heard, said)


STATES = [
    (pattern, role, messages)
    for pattern in ("XX", "IK")
    for role in ("initiator", "responder")
    for messages in range(4)
]
every_state = pytest.mark.parametrize("state", STATES, ids=lambda state: "-".join(map(str, state)))
CLAIMS = ["ffff", "0000ffff", "0006000101010109ffff", "000600010101010effff"]


@every_state
@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claimed_length_allocates_nothing(make_pair, play, state, claim):
    pattern, role, messages = state
    pair = make_pair(pattern)
    pair.exchange(messages=messages)
    connection = getattr(pair, role)
    tracemalloc.start()
    try:
        play.feed(connection, bytes.fromhex(claim))
    except RemoteProtocolError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < OBJECTS


@every_state
@pytest.mark.parametrize("byte", [b"\xff", b"\x00"], ids=bytes.hex)
def test_what_a_connection_keeps_is_at_most_one_packet_and_the_last_piece(make_pair, play, state, byte):
    pattern, role, messages = state
    pair = make_pair(pattern)
    pair.exchange(messages=messages)
    connection = getattr(pair, role)
    piece = byte * 8_000
    with pytest.raises(RemoteProtocolError):  # noqa: PT012 - at which piece hangs on the state
        for _ in range(MAX_PACKET // len(piece) + 2):
            play.feed(connection, piece)
            assert held_bytes(connection) <= MAX_PACKET + len(piece) + OVERHEAD
