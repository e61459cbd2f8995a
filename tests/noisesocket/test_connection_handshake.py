"""The handshake of a NoiseSocketConnection: who speaks when, what is told, what is agreed."""

import pytest

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise import DecryptError, InvalidPublicKey, KeyPair, NoiseError, Protocol
from p2pnoise.noisesocket import (
    NEED_DATA,
    FramingError,
    HandshakeCompleted,
    HandshakePayload,
    MessageReceived,
    NegotiationError,
    NoiseSocketConnection,
    Rejected,
    Truncated,
)
from p2pnoise.noisesocket.keys import Keys

every_pattern = pytest.mark.parametrize("pattern", ["XX", "IK"])
CODES = {"XX": "000101010109", "IK": "00010101010e"}


@pytest.mark.parametrize("step", [None, 1])
def test_xx_tells_each_side_the_bodies_the_key_and_the_end(make_pair, play, step):
    pair = make_pair("XX")
    pair.exchange(iter([b"one", b"two", b"three"]), step=step)
    handshake_hash = pair.initiator.handshake_hash
    assert pair.responder_events == [
        HandshakePayload(body=b"one", encrypted=False, replayable=True, ephemeral=play.initiator_e, rs=None),
        HandshakePayload(body=b"three", encrypted=True, replayable=False, ephemeral=b"", rs=play.initiator_s.public),
        HandshakeCompleted(handshake_hash=handshake_hash, rs=play.initiator_s.public),
    ]
    assert pair.initiator_events == [
        HandshakePayload(body=b"two", encrypted=True, replayable=False, ephemeral=b"", rs=play.responder_s.public),
        HandshakeCompleted(handshake_hash=handshake_hash, rs=play.responder_s.public),
    ]


@pytest.mark.parametrize("step", [None, 1])
def test_ik_tells_the_responder_that_message_1_may_be_a_replay(make_pair, play, step):
    pair = make_pair("IK")
    pair.exchange(iter([b"one", b"two"]), step=step)
    handshake_hash = pair.responder.handshake_hash
    assert pair.responder_events == [
        HandshakePayload(
            body=b"one", encrypted=True, replayable=True, ephemeral=play.initiator_e, rs=play.initiator_s.public
        ),
        HandshakeCompleted(handshake_hash=handshake_hash, rs=play.initiator_s.public),
    ]
    assert pair.initiator_events == [
        HandshakePayload(body=b"two", encrypted=True, replayable=False, ephemeral=b"", rs=play.responder_s.public),
        HandshakeCompleted(handshake_hash=handshake_hash, rs=play.responder_s.public),
    ]


@pytest.mark.parametrize(("pattern", "lengths"), [("XX", [32, 98, 66]), ("IK", [98, 50])])
def test_empty_bodies_give_the_packets_of_the_specification(make_open_pair, pattern, lengths):
    first, *later = make_open_pair(pattern).packets
    assert first[:10].hex() == "0006" + CODES[pattern] + f"{lengths[0]:04x}"
    assert len(first) == 10 + lengths[0]
    for packet, length in zip(later, lengths[1:], strict=True):
        assert packet[:4].hex() == "0000" + f"{length:04x}"
        assert len(packet) == 4 + length


@pytest.mark.parametrize("cipher", ["ChaChaPoly", "AESGCM"])
@pytest.mark.parametrize("hash_name", ["SHA256", "SHA512", "BLAKE2s", "BLAKE2b"])
@every_pattern
def test_every_suite_can_be_negotiated(make_pair, pattern, cipher, hash_name):
    protocol = Protocol.parse(f"Noise_{pattern}_25519_{cipher}_{hash_name}")
    pair = make_pair(pattern, initiator={"protocol": protocol}, responder={"accepts": (protocol,)})
    pair.exchange()
    assert pair.responder.protocol == pair.initiator.protocol == protocol
    assert pair.responder.finished
    assert pair.initiator.finished


@every_pattern
def test_without_a_choice_the_pattern_follows_from_rs(make_open_pair, pattern):
    assert make_open_pair(pattern).responder.protocol.name == f"Noise_{pattern}_25519_ChaChaPoly_BLAKE2s"


def test_the_handshake_waits_for_the_application_s_answer(make_pair, play):
    pair = make_pair("XX")
    play.feed(pair.responder, pair.initiator.send_handshake(b"one"))
    assert pair.responder.my_turn
    assert pair.responder.next_event() is NEED_DATA
    assert pair.responder.my_turn
    assert not pair.initiator.my_turn


@every_pattern
def test_bytes_that_come_while_we_are_to_write_are_refused(make_pair, play, pattern):
    pair = make_pair(pattern)
    with pytest.raises(FramingError, match="1 bytes while the handshake message is ours"):
        play.feed(pair.responder, pair.initiator.send_handshake() + b"x")


def test_a_responder_that_speaks_first_is_refused(play):
    with pytest.raises(FramingError, match="4 bytes while the handshake message is ours"):
        play.feed(play.connection(initiator=True), bytes(4))


def test_a_transport_message_may_arrive_with_the_last_handshake_message(make_pair, play):
    pair = make_pair("XX")
    pair.exchange(messages=2)
    wire = pair.initiator.send_handshake(b"three") + pair.initiator.send_message(b"at once")
    events = play.feed(pair.responder, wire)
    assert [type(event) for event in events] == [HandshakePayload, HandshakeCompleted, MessageReceived]
    assert events[-1].body == b"at once"


def test_an_ik_responder_s_first_message_may_arrive_with_its_answer(make_pair, play):
    pair = make_pair("IK")
    pair.exchange(messages=1)
    wire = pair.responder.send_handshake() + pair.responder.send_message(b"at once")
    for step in (None, 1):
        twin = make_pair("IK")
        twin.initiator.send_handshake()
        assert play.feed(twin.initiator, wire, step=step)[-1] == MessageReceived(b"at once")


@every_pattern
def test_out_of_turn_is_our_fault_and_changes_nothing(make_pair, pattern):
    pair = make_pair(pattern)
    with pytest.raises(LocalProtocolError, match="no handshake message is ours"):
        pair.responder.send_handshake()
    pair.exchange(messages=1)
    with pytest.raises(LocalProtocolError, match="no handshake message is ours"):
        pair.initiator.send_handshake()
    for send in (pair.initiator.send_end, lambda: pair.initiator.send_message(b"x")):
        with pytest.raises(LocalProtocolError, match="not finished"):
            send()
    with pytest.raises(LocalProtocolError, match="not finished"):
        _ = pair.initiator.handshake_hash
    pair.exchange()
    assert pair.initiator.finished
    assert pair.responder.finished


@every_pattern
def test_a_handshake_body_of_the_longest_message_passes_and_a_longer_one_is_our_fault(make_pair, play, pattern):
    pair = make_pair(pattern)
    pair.exchange(messages=1)
    limit = 65535 - 2 - 16 - (32 if pattern == "IK" else 32 + 48)
    with pytest.raises(LocalProtocolError, match=f"body of {limit + 1} bytes, at most {limit}"):
        pair.responder.send_handshake(bytes(limit + 1))
    packet = pair.responder.send_handshake(b"x" * limit)
    assert play.feed(pair.initiator, packet)[0].body == b"x" * limit


def test_encrypted_handshake_bodies_are_padded_and_cleartext_is_not(make_pair):
    pair = make_pair("XX", padding=lambda body_len: -(-body_len // 100) * 100 or 100)
    pair.exchange(iter([b"one", b"two", b"three"]))
    assert [len(packet) for packet in pair.packets] == [10 + 32 + 3, 4 + 98 + 100, 4 + 66 + 100]
    assert [event.body for event in pair.responder_events[:2]] == [b"one", b"three"]


@every_pattern
def test_another_application_prologue_is_refused(make_pair, pattern):
    pair = make_pair(pattern, responder={"application_prologue": b"another"})
    with pytest.raises(DecryptError):
        pair.exchange()


@pytest.mark.parametrize("byte", range(6))
@every_pattern
def test_tampered_negotiation_data_is_refused(make_pair, play, pattern, byte):
    """Whatever the responder reads there: unknown, or known and then unequal in the prologue."""
    every_suite = tuple(
        Protocol.parse(f"Noise_{p}_25519_{c}_{h}")
        for p in ("XX", "IK")
        for c in ("ChaChaPoly", "AESGCM")
        for h in ("SHA256", "SHA512", "BLAKE2s", "BLAKE2b")
    )
    for value in range(256):
        pair = make_pair(pattern, responder={"accepts": every_suite})
        packet = bytearray(pair.initiator.send_handshake(b"one"))
        if packet[2 + byte] == value:
            continue
        packet[2 + byte] = value
        with pytest.raises((NegotiationError, NoiseError)):  # noqa: PT012 - the side that notices differs
            play.feed(pair.responder, bytes(packet))
            play.feed(pair.initiator, pair.responder.send_handshake())


def test_a_protocol_that_is_not_accepted_is_refused_by_name(make_pair, play):
    pair = make_pair("XX", responder={"accepts": (play.ik,)})
    with pytest.raises(NegotiationError, match=r"speaks Noise_XX_.*, we accept Noise_IK_"):
        play.feed(pair.responder, pair.initiator.send_handshake())


def test_negotiation_data_of_another_length_is_refused_before_it_is_waited_for(play):
    with pytest.raises(NegotiationError, match="negotiation data of 65535 bytes, at most 6"):
        play.feed(play.connection(initiator=False), b"\xff\xff")


def test_negotiation_data_in_a_later_message_is_refused(make_pair, play):
    pair = make_pair("XX")
    pair.exchange(messages=2)
    packet = pair.initiator.send_handshake()
    with pytest.raises(NegotiationError, match="negotiation data of 1 bytes, at most 0"):
        play.feed(pair.responder, b"\x00\x01\x00" + packet[2:])
    with pytest.raises(LocalProtocolError, match="first answer"):
        pair.responder.reject()


@pytest.mark.parametrize("noise_message", [b"", b"switch"], ids=["retry", "switch"])
def test_an_answer_that_asks_for_another_protocol_is_refused(make_pair, play, noise_message):
    pair = make_pair("IK")
    pair.initiator.send_handshake()
    answer = b"\x00\x06" + bytes.fromhex(CODES["XX"]) + len(noise_message).to_bytes(2, "big") + noise_message
    with pytest.raises(NegotiationError, match=r"speaks Noise_XX_\w+, we accept nothing else"):
        play.feed(pair.initiator, answer)


@every_pattern
def test_a_reject_reaches_the_initiator_with_what_we_accept(make_pair, play, pattern):
    pair = make_pair(pattern, responder={"accepts": (Protocol.parse("Noise_XX_25519_AESGCM_SHA512"),)})
    with pytest.raises(NegotiationError):
        play.feed(pair.responder, pair.initiator.send_handshake())
    reject = pair.responder.reject()
    for step in (None, 1):
        twin = make_pair(pattern)
        twin.initiator.send_handshake()
        assert play.feed(twin.initiator, reject, step=step) == [
            Rejected((Protocol.parse("Noise_XX_25519_AESGCM_SHA512"),))
        ]
        assert not twin.initiator.my_turn
        with pytest.raises(LocalProtocolError):
            twin.initiator.send_handshake()


def test_a_reject_is_the_same_bytes_for_every_reason(make_pair, play):
    rejects = set()
    for data in ("000201010109", "0001020101ff", "000101010104"):
        responder = make_pair().responder
        with pytest.raises(NegotiationError):
            play.feed(responder, bytes.fromhex("0006" + data + "0000"))
        rejects.add(responder.reject())
    unanswered = make_pair()
    unanswered.exchange(messages=1)
    rejects.add(unanswered.responder.reject())
    assert rejects == {bytes.fromhex("000b" + "0001ff" + "01010109" + "0101010e" + "0000")}


def test_a_responder_rejects_once_and_says_nothing_after_it(make_pair):
    pair = make_pair()
    pair.exchange(messages=1)
    pair.responder.reject()
    for call in (pair.responder.reject, pair.responder.send_handshake):
        with pytest.raises(LocalProtocolError):
            call()


def test_a_refused_first_message_is_rejected_once(make_pair, play):
    responder = make_pair().responder
    with pytest.raises(NegotiationError):
        play.feed(responder, b"\x00\x00")
    responder.reject()
    with pytest.raises(LocalProtocolError, match="first answer"):
        responder.reject()
    with pytest.raises(NegotiationError, match="0 bytes, 6 needed"):
        responder.next_event()


def test_only_a_responder_that_has_not_answered_may_reject(make_pair, make_open_pair):
    early, answered = make_pair(), make_pair()
    answered.exchange(messages=2)
    done = make_open_pair("IK")
    for connection in (early.initiator, early.responder, answered.initiator, answered.responder, done.responder):
        with pytest.raises(LocalProtocolError, match="first answer"):
            connection.reject()


def test_a_first_message_that_cannot_be_read_may_be_rejected_with_the_same_bytes(make_pair, play):
    pair = make_pair("IK", initiator={"rs": play.initiator_s.public})
    with pytest.raises(DecryptError):
        pair.exchange()
    assert pair.responder.reject().hex() == "000b" + "0001ff" + "01010109" + "0101010e" + "0000"


@pytest.mark.parametrize("step", [None, 1])
def test_the_go_reference_s_bare_reject_needs_no_noise_message(make_pair, play, step):
    pair = make_pair()
    pair.initiator.send_handshake()
    assert play.feed(pair.initiator, bytes.fromhex("0001ff"), step=step) == [Rejected(())]


def test_a_reject_with_a_noise_message_is_refused(make_pair, play):
    pair = make_pair()
    pair.initiator.send_handshake()
    with pytest.raises(NegotiationError, match="noise message of 1 bytes in a reject"):
        play.feed(pair.initiator, bytes.fromhex("00030001ff000100"))


def test_nothing_follows_a_reject(make_pair, play):
    pair = make_pair()
    pair.initiator.send_handshake()
    with pytest.raises(FramingError, match="1 bytes after the end"):
        play.feed(pair.initiator, bytes.fromhex("00030001ff000000"))


def test_a_low_order_key_finishes_the_connection_when_we_answer(make_pair, play):
    pair = make_pair()
    packet = pair.initiator.send_handshake()
    play.feed(pair.responder, packet[:10] + bytes(32))
    with pytest.raises(InvalidPublicKey):
        pair.responder.send_handshake()
    for call in (pair.responder.send_handshake, pair.responder.next_event):
        with pytest.raises(InvalidPublicKey):
            call()


@every_pattern
def test_the_carrier_s_end_in_the_handshake_is_a_truncation(make_pair, play, pattern):
    messages = len(make_pair(pattern).packets) + (2 if pattern == "XX" else 1)
    for played in range(messages + 1):
        pair = make_pair(pattern)
        pair.exchange(messages=played)
        for connection in (pair.initiator, pair.responder):
            connection.receive_data(b"")
            assert play.drain(connection) == [Truncated()]
            assert not connection.my_turn


def test_a_responder_takes_no_protocol(play):
    with pytest.raises(LocalProtocolError, match="a responder takes no protocol"):
        play.connection(initiator=False, protocol=play.xx)


def test_a_responder_whose_keys_do_not_fit_what_it_accepts_is_our_fault_at_once(play):
    kk = Protocol.parse("Noise_KK_25519_ChaChaPoly_BLAKE2s")
    with pytest.raises(LocalProtocolError, match="KK needs the peer's static public key rs"):
        play.connection(initiator=False, accepts=(play.xx, kk))
    with pytest.raises(LocalProtocolError, match="XX takes no rs"):
        play.connection(initiator=False, accepts=(play.xx, kk), rs=play.initiator_s.public)


@pytest.mark.parametrize("initiator", [True, False])
def test_a_key_that_only_a_later_message_needs_is_missed_at_once_too(play, initiator):
    """Else whoever is there at that message could make it our fault."""
    for pattern, s, missing in (("XX", None, "static key pair s"), ("XXpsk3", play.initiator_s, "psk3")):
        protocol = Protocol.parse(f"Noise_{pattern}_25519_ChaChaPoly_BLAKE2s")
        choice = {"protocol": protocol} if initiator else {"accepts": (protocol,)}
        with pytest.raises(LocalProtocolError, match=f"{pattern} needs (our )?{missing}"):
            NoiseSocketConnection(initiator=initiator, s=s, entropy=bytes, application_prologue=b"", **choice)


def test_a_key_that_xx_would_not_check_is_our_fault(play):
    with pytest.raises(LocalProtocolError, match="XX takes no rs"):
        play.connection(initiator=True, protocol=play.xx, rs=play.responder_s.public)


def test_an_encrypted_payload_without_body_len_is_refused(make_pair, play):
    """The Go reference accepts one."""
    pair = make_pair("IK")
    state = pair.initiator._exchange._state
    noise_message = state.write_message(b"")
    with pytest.raises(FramingError, match="payload of 0 bytes"):
        play.feed(pair.responder, bytes.fromhex("0006" + CODES["IK"] + "0060") + noise_message)


def test_what_a_side_brings_into_a_handshake_does_not_print_its_secrets():
    printed = repr(Keys(KeyPair.from_private(b"\x01" * 32), b"\x02" * 32, {3: b"\x03" * 32}))
    assert "02" * 32 in printed
    assert r"\x01" not in printed
    assert r"\x03" not in printed
