"""Answers other than yes: switch, request retry, and the fallback of an IK that cannot be read."""

import pytest

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise import DecryptError, KeyPair, MessageSizeError, NoiseError, Protocol
from p2pnoise.noisesocket import (
    FramingError,
    HandshakeCompleted,
    HandshakePayload,
    MessageReceived,
    NegotiationError,
    NoiseSocketConnection,
    Rejected,
    RetryRequested,
    SwitchRequested,
    Truncated,
)


def protocol(pattern, suite="25519_ChaChaPoly_BLAKE2s"):
    return Protocol.parse(f"Noise_{pattern}_{suite}")


XX, IK, NN, XXFALLBACK = map(protocol, ("XX", "IK", "NN", "XXfallback"))
STALE = KeyPair.from_private(b"\x03" * 32)
SIX = {"XX": "000101010109", "XXfallback": "000101010110"}


@pytest.fixture
def make_stale_pair(make_pair):
    """An IK initiator that knows a key which the responder no longer has, and lets it fall back."""

    def make(**initiator):
        return make_pair("IK", initiator={"rs": STALE.public, "accepts": (XXFALLBACK,)} | initiator)

    return make


def fall_back(pair, play, body=b"two"):
    """Up to the initiator's consent: the switch is on its way."""
    with pytest.raises(DecryptError):
        play.feed(pair.responder, pair.initiator.send_handshake(b"one"))
    pair.responder.switch(XXFALLBACK)
    return pair.responder.send_handshake(body)


@pytest.mark.parametrize("step", [None, 1])
def test_ik_to_a_stale_key_falls_back_in_the_same_connection(make_stale_pair, play, step):
    pair = make_stale_pair()
    switch = fall_back(pair, play)
    assert switch[:8].hex() == "0006" + SIX["XXfallback"]
    assert play.feed(pair.initiator, switch, step=step) == [SwitchRequested(XXFALLBACK)]
    pair.initiator.follow()
    assert play.drain(pair.initiator) == [
        HandshakePayload(body=b"two", encrypted=True, replayable=False, ephemeral=b"", rs=play.responder_s.public)
    ]
    events = play.feed(pair.responder, pair.initiator.send_handshake(b"three"), step=step)
    assert events == [
        HandshakePayload(body=b"three", encrypted=True, replayable=False, ephemeral=b"", rs=play.initiator_s.public),
        HandshakeCompleted(handshake_hash=pair.initiator.handshake_hash, rs=play.initiator_s.public),
    ]
    assert pair.initiator.protocol == pair.responder.protocol == XXFALLBACK
    play.drain(pair.initiator)
    assert play.feed(pair.responder, pair.initiator.send_message(b"to bob")) == [MessageReceived(b"to bob")]
    assert play.feed(pair.initiator, pair.responder.send_message(b"to alice")) == [MessageReceived(b"to alice")]


def test_a_fallback_is_refused_where_the_initiator_allows_none(make_stale_pair, play):
    pair = make_stale_pair(accepts=None)
    with pytest.raises(NegotiationError, match=r"speaks Noise_XXfallback_\w+, we accept nothing else"):
        play.feed(pair.initiator, fall_back(pair, play))


def test_the_initiator_says_nothing_until_it_follows(make_stale_pair, play):
    """Its message 3 would tell its static key to whoever answered."""
    pair = make_stale_pair()
    play.feed(pair.initiator, fall_back(pair, play))
    assert not pair.initiator.my_turn
    assert play.drain(pair.initiator) == []
    with pytest.raises(LocalProtocolError, match="no handshake message is ours"):
        pair.initiator.send_handshake()


def test_every_bit_of_the_negotiation_is_tied_to_the_fallback(make_stale_pair, play):
    """The first packet, the negotiation data of the answer and its Noise message, one bit each at a time."""
    length = len(fall_back(make_stale_pair(), play))
    for bit in range(8, length * 8):
        pair = make_stale_pair()
        packet = bytearray(fall_back(pair, play))
        packet[bit // 8] ^= 1 << bit % 8
        try:
            play.feed(pair.initiator, bytes(packet))
            pair.initiator.follow()
            events = play.drain(pair.initiator)
        except (NoiseError, NegotiationError, FramingError, LocalProtocolError):
            continue
        assert events == []  # a longer length waits for bytes that never come


def test_another_first_message_than_the_responder_saw_ends_the_fallback(make_stale_pair, play):
    pair = make_stale_pair()
    first = bytearray(pair.initiator.send_handshake(b"one"))
    first[-1] ^= 1
    with pytest.raises(DecryptError):
        play.feed(pair.responder, bytes(first))
    pair.responder.switch(XXFALLBACK)
    play.feed(pair.initiator, pair.responder.send_handshake(b"two"))
    pair.initiator.follow()
    with pytest.raises(DecryptError):
        play.drain(pair.initiator)


def test_a_fallback_without_an_ephemeral_key_to_take_over_is_the_peer_s_fault(make_pair, play):
    responder = make_pair(responder={"accepts": (IK,)}).responder
    with pytest.raises(MessageSizeError):
        play.feed(responder, bytes.fromhex("0006" + "00010101010e" + "001f") + bytes(31))
    for call in (lambda: responder.switch(XXFALLBACK), responder.next_event):
        with pytest.raises(MessageSizeError):
            call()


def test_a_switch_makes_the_responder_the_initiator_of_the_new_protocol(make_pair, play):
    pair = make_pair("XX", initiator={"accepts": (NN,)}, responder={"accepts": ()})
    with pytest.raises(NegotiationError):
        play.feed(pair.responder, pair.initiator.send_handshake(b"one"))
    pair.responder.switch(NN)
    assert play.feed(pair.initiator, pair.responder.send_handshake(b"in clear")) == [SwitchRequested(NN)]
    pair.initiator.follow()
    (payload,) = play.drain(pair.initiator)
    assert (payload.body, payload.encrypted, payload.rs) == (b"in clear", False, None)
    events = play.feed(pair.responder, pair.initiator.send_handshake(b"three"))
    assert events[-1] == HandshakeCompleted(handshake_hash=pair.initiator.handshake_hash, rs=None)


def test_a_switch_may_change_the_suite_and_bring_its_own_keys(make_pair, play):
    kk = protocol("KKpsk0", "448_AESGCM_SHA512")
    alice, bob = (KeyPair.from_private(bytes([n]) * 56, kk.dh) for n in (4, 5))
    pair = make_pair("XX", initiator={"accepts": (kk,)}, responder={"accepts": ()})
    with pytest.raises(NegotiationError):
        play.feed(pair.responder, pair.initiator.send_handshake())
    pair.responder.switch(kk, s=bob, rs=alice.public, psks={0: b"p" * 32})
    assert play.feed(pair.initiator, pair.responder.send_handshake(b"two")) == [SwitchRequested(kk)]
    pair.initiator.follow(s=alice, rs=bob.public, psks={0: b"p" * 32})
    assert play.drain(pair.initiator)[0].body == b"two"
    play.feed(pair.responder, pair.initiator.send_handshake())
    assert pair.responder.rs == alice.public
    assert pair.responder.handshake_hash == pair.initiator.handshake_hash


@pytest.mark.parametrize("step", [None, 1])
def test_a_retry_begins_again_with_what_the_responder_asked_for(make_pair, play, step):
    wanted = protocol("IK", "25519_AESGCM_SHA256")
    pair = make_pair("XX", initiator={"accepts": (wanted,)}, responder={"accepts": (wanted,)})
    with pytest.raises(NegotiationError):
        play.feed(pair.responder, pair.initiator.send_handshake(b"one"))
    request = pair.responder.request_retry(wanted)
    assert request.hex() == "0006" + "00010102030e" + "0000"
    assert play.feed(pair.initiator, request, step=step) == [RetryRequested(wanted)]
    assert not pair.initiator.my_turn
    pair.initiator.follow(rs=play.responder_s.public)
    again = pair.initiator.send_handshake(b"again")
    assert again[:2] == bytes(2)
    (payload,) = play.feed(pair.responder, again, step=step)
    assert (payload.body, payload.replayable, payload.rs) == (b"again", True, play.initiator_s.public)
    events = play.feed(pair.initiator, pair.responder.send_handshake(b"two"), step=step)
    assert events[-1] == HandshakeCompleted(handshake_hash=pair.responder.handshake_hash, rs=play.responder_s.public)


def retried(make_pair, play):
    """A pair after the retry's first message, as bytes on their way to the responder."""
    pair = make_pair("IK", initiator={"accepts": (XX,)}, responder={"accepts": ()})
    with pytest.raises(NegotiationError):
        play.feed(pair.responder, pair.initiator.send_handshake())
    play.feed(pair.initiator, pair.responder.request_retry(XX))
    pair.initiator.follow()
    return pair, pair.initiator.send_handshake()


def test_a_retry_may_be_rejected(make_pair, play):
    pair, again = retried(make_pair, play)
    play.feed(pair.responder, again)
    assert play.feed(pair.initiator, pair.responder.reject()) == [Rejected(())]


def test_a_retry_with_a_fallback_is_the_peer_s_fault(make_pair, play):
    """Nothing precedes it then, so nobody could begin."""
    pair = make_pair("XX", initiator={"accepts": (XXFALLBACK,)})
    pair.initiator.send_handshake()
    with pytest.raises(NegotiationError, match="which nobody can begin with"):
        play.feed(pair.initiator, bytes.fromhex("0006" + SIX["XXfallback"] + "0000"))


def test_an_answer_longer_than_any_reject_is_refused_before_it_is_waited_for(make_pair, play):
    pair = make_pair()
    pair.initiator.send_handshake()
    with pytest.raises(NegotiationError, match="negotiation data of 260 bytes, at most 259"):
        play.feed(pair.initiator, b"\x01\x04")


def test_a_retry_is_asked_for_once(make_pair, play):
    pair, again = retried(make_pair, play)
    play.feed(pair.responder, again)
    assert not pair.responder.may_switch
    with pytest.raises(LocalProtocolError, match="only a responder's answer to a whole first message"):
        pair.responder.request_retry(XX)
    with pytest.raises(NegotiationError, match="after a retry, accept or reject expected"):
        play.feed(pair.initiator, bytes.fromhex("0006" + SIX["XX"] + "0000"))


def test_a_tampered_retry_request_ends_the_handshake(make_pair, play):
    """It travels in clear: what was read there is in the prologue of both sides."""
    pair = make_pair(
        "IK", initiator={"accepts": (XX, protocol("XX", "25519_AESGCM_BLAKE2s"))}, responder={"accepts": ()}
    )
    with pytest.raises(NegotiationError):
        play.feed(pair.responder, pair.initiator.send_handshake())
    pair.responder.request_retry(protocol("XX", "25519_AESGCM_BLAKE2s"))
    play.feed(pair.initiator, bytes.fromhex("0006" + SIX["XX"] + "0000"))
    pair.initiator.follow()
    play.feed(pair.responder, pair.initiator.send_handshake())
    with pytest.raises(DecryptError):
        play.feed(pair.initiator, pair.responder.send_handshake())


def test_negotiation_data_in_a_retry_are_refused(make_pair, play):
    pair, again = retried(make_pair, play)
    with pytest.raises(NegotiationError, match="negotiation data of 6 bytes, at most 0"):
        play.feed(pair.responder, b"\x00\x06" + again[2:])


def test_a_first_message_that_could_be_read_may_be_answered_otherwise_too(make_pair, play):
    pair = make_pair("XX", initiator={"accepts": (IK,)})
    play.feed(pair.responder, pair.initiator.send_handshake(b"one"))
    assert pair.responder.may_switch
    assert play.feed(pair.initiator, pair.responder.request_retry(IK)) == [RetryRequested(IK)]


def test_only_a_responder_with_a_whole_unanswered_first_message_may_switch(make_pair, make_open_pair, play):
    early, half, answered, done = make_pair(), make_pair(), make_pair(), make_open_pair()
    play.feed(half.responder, half.initiator.send_handshake()[:-1])
    answered.exchange(messages=2)
    for connection in (early.initiator, early.responder, half.responder, answered.responder, done.responder):
        assert not connection.may_switch
        for call in (connection.switch, connection.request_retry):
            with pytest.raises(LocalProtocolError, match="only a responder's answer to a whole first message"):
                call(NN)


def test_there_is_nothing_to_follow_unless_the_responder_asks(make_pair, make_open_pair):
    for connection in (make_pair().initiator, make_pair().responder, make_open_pair().initiator):
        with pytest.raises(LocalProtocolError, match="nothing to follow"):
            connection.follow()


def test_keys_that_do_not_fit_leave_the_choice_open(make_pair, play):
    pair = make_pair("XX", initiator={"accepts": (IK,)}, responder={"accepts": ()})
    with pytest.raises(NegotiationError):
        play.feed(pair.responder, pair.initiator.send_handshake())
    with pytest.raises(LocalProtocolError, match="IK needs the peer's static public key"):
        pair.responder.switch(IK)
    request = pair.responder.request_retry(IK)
    play.feed(pair.initiator, request)
    with pytest.raises(LocalProtocolError, match="IK needs the peer's static public key"):
        pair.initiator.follow()
    pair.initiator.follow(rs=play.responder_s.public)
    assert pair.initiator.my_turn


def test_a_psk_that_is_missing_leaves_the_choice_open(make_pair, play):
    xxpsk3, psks = protocol("XXpsk3"), {3: bytes(32)}
    pair = make_pair("XX", initiator={"accepts": (xxpsk3,)}, responder={"accepts": ()})
    with pytest.raises(NegotiationError):
        play.feed(pair.responder, pair.initiator.send_handshake())
    for call in (pair.responder.switch, pair.responder.request_retry):
        with pytest.raises(LocalProtocolError, match="needs psk3"):
            call(xxpsk3)
    play.feed(pair.initiator, pair.responder.request_retry(xxpsk3, psks=psks))
    with pytest.raises(LocalProtocolError, match="needs psk3"):
        pair.initiator.follow()
    pair.initiator.follow(psks=psks)
    pair.exchange()
    assert pair.initiator.handshake_hash == pair.responder.handshake_hash


def test_a_fallback_without_a_static_key_of_ours_leaves_the_choice_open(make_pair, play):
    nk = protocol("NK")
    initiator = NoiseSocketConnection(
        initiator=True,
        s=None,
        rs=STALE.public,
        protocol=nk,
        accepts=(XXFALLBACK,),
        application_prologue=play.prologue,
        entropy=lambda length: bytes([7]) * length,
    )
    responder = make_pair(responder={"accepts": (nk,)}).responder
    with pytest.raises(DecryptError):
        play.feed(responder, initiator.send_handshake())
    responder.switch(XXFALLBACK)
    play.feed(initiator, responder.send_handshake())
    with pytest.raises(LocalProtocolError, match="XXfallback needs our static key pair s"):
        initiator.follow()
    initiator.follow(s=play.initiator_s)
    assert play.drain(initiator)
    assert initiator.my_turn


def test_the_carrier_s_end_while_the_initiator_decides_is_a_truncation(make_stale_pair, play):
    pair = make_stale_pair()
    play.feed(pair.initiator, fall_back(pair, play))
    pair.initiator.receive_data(b"")
    assert play.drain(pair.initiator) == [Truncated()]


def test_after_a_reject_nothing_can_be_switched(make_pair, play):
    pair = make_pair("IK", responder={"accepts": (XX,)})
    with pytest.raises(NegotiationError):
        play.feed(pair.responder, pair.initiator.send_handshake())
    pair.responder.reject()
    assert not pair.responder.may_switch
    with pytest.raises(LocalProtocolError):
        pair.responder.switch(XX)
