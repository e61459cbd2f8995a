"""A psk that a responder chooses by what the first message carried."""

import pytest

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise import DecryptError, KeyPair, Protocol
from p2pnoise.noisesocket import EndOfStream, HandshakeCompleted, HandshakePayload

IK_PSK2 = Protocol.parse("Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s")
XX_PSK0 = Protocol.parse("Noise_XXpsk0_25519_ChaChaPoly_BLAKE2s")
XX_PSK2 = Protocol.parse("Noise_XXpsk2_25519_ChaChaPoly_BLAKE2s")
PSK, OTHER = b"\x41" * 32, b"\x42" * 32


@pytest.fixture
def opened(make_pair, play):
    """A pair whose responder has read message 1, with what it carried, and whose psk is still to come."""

    def make(psk=PSK):
        initiator = {"protocol": IK_PSK2, "rs": play.responder_s.public, "psks": {2: psk}}
        pair = make_pair("IK", initiator=initiator, responder={"accepts": (IK_PSK2,), "psks": {2: None}})
        opening = pair.initiator.send_handshake(b"which one")
        (heard,) = play.feed(pair.responder, opening)
        assert isinstance(heard, HandshakePayload)
        assert (heard.body, heard.encrypted, heard.rs) == (b"which one", True, play.initiator_s.public)
        return pair

    return make


def test_a_responder_can_choose_its_psk_once_it_has_read_message_1(opened, play):
    pair = opened()
    pair.responder.set_psk(2, PSK)
    events = play.feed(pair.initiator, pair.responder.send_handshake(b"welcome"))
    assert [type(event) for event in events] == [HandshakePayload, HandshakeCompleted]
    assert pair.initiator.handshake_hash == pair.responder.handshake_hash


def test_a_psk_that_was_late_makes_the_handshake_that_one_given_before_makes(opened, make_pair, play):
    late = opened()
    late.responder.set_psk(2, PSK)
    answer = late.responder.send_handshake(b"welcome")
    early = make_pair(
        "IK",
        initiator={"protocol": IK_PSK2, "rs": play.responder_s.public, "psks": {2: PSK}},
        responder={"accepts": (IK_PSK2,), "psks": {2: PSK}},
    )
    play.feed(early.responder, early.initiator.send_handshake(b"which one"))
    assert early.responder.send_handshake(b"welcome") == answer


def test_an_initiator_with_another_psk_cannot_read_the_answer(opened, play):
    pair = opened(OTHER)
    pair.responder.set_psk(2, PSK)
    answer = pair.responder.send_handshake(b"welcome")
    assert pair.responder.finished
    with pytest.raises(DecryptError):
        play.feed(pair.initiator, answer)


def test_a_responder_cannot_read_what_an_initiator_with_another_psk_sends(opened, play):
    pair = opened()
    pair.responder.set_psk(2, OTHER)
    pair.responder.send_handshake(b"welcome")
    impostor = opened()
    impostor.responder.set_psk(2, PSK)
    play.feed(impostor.initiator, impostor.responder.send_handshake(b"welcome"))
    with pytest.raises(DecryptError):
        play.feed(pair.responder, impostor.initiator.send_message(b"proof"))


def test_without_its_psk_a_responder_does_not_answer_and_may_be_given_it_still(opened, play):
    pair = opened()
    with pytest.raises(LocalProtocolError, match="IKpsk2 needs psk2; give it with set_psk"):
        pair.responder.send_handshake()
    pair.responder.set_psk(2, PSK)
    play.feed(pair.initiator, pair.responder.send_handshake())
    assert play.feed(pair.initiator, pair.responder.send_end()) == [EndOfStream()]


def test_no_psk_is_taken_while_no_message_is_ours(opened, make_pair, play):
    pair = opened()
    with pytest.raises(LocalProtocolError, match="no handshake message is ours"):
        pair.initiator.set_psk(2, PSK)
    pair.responder.set_psk(2, PSK)
    pair.responder.send_handshake()
    with pytest.raises(LocalProtocolError, match="no handshake message is ours"):
        pair.responder.set_psk(2, PSK)


@pytest.mark.parametrize(("protocol", "number"), [(XX_PSK0, 0), (IK_PSK2, 2)])
def test_a_psk_of_a_message_that_we_read_must_be_there_from_the_beginning(play, protocol, number):
    initiator = protocol is IK_PSK2
    options = {"protocol": protocol, "rs": play.responder_s.public} if initiator else {"accepts": (protocol,)}
    with pytest.raises(LocalProtocolError, match=f"needs psk{number} to read a message: give it now"):
        play.connection(initiator=initiator, psks={number: None}, **options)


def test_an_initiator_can_be_given_the_psk_of_a_message_of_its_own_later(make_pair, play):
    protocol = Protocol.parse("Noise_XXpsk3_25519_ChaChaPoly_BLAKE2s")
    pair = make_pair(
        initiator={"protocol": protocol, "psks": {3: None}}, responder={"accepts": (protocol,), "psks": {3: PSK}}
    )
    pair.exchange(messages=2)
    pair.initiator.set_psk(3, PSK)
    pair.exchange()
    assert pair.responder.finished


def test_a_psk_for_a_modifier_that_the_pattern_has_not_is_refused(opened):
    with pytest.raises(LocalProtocolError):
        opened().responder.set_psk(1, PSK)


def test_the_keys_of_a_connection_hide_their_psks():
    from p2pnoise.noisesocket.keys import Keys  # noqa: PLC0415 - not exported

    assert PSK.hex() not in repr(Keys(KeyPair.from_private(b"\x01" * 32), None, {2: PSK}))
