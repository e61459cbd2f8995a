"""One-way patterns: one message, and then one direction."""

import pytest

from p2pnoise.errors import LocalProtocolError

ONE_WAY = pytest.mark.parametrize("pattern", ["N", "K", "X", "Npsk0", "Kpsk0+psk1"])


@pytest.fixture
def make_ends(make_sides):
    """The initiator's pair of CipherStates and the responder's, after the one message."""

    def make(pattern):
        sides = make_sides(pattern)
        sides.exchange()
        return sides.initiator.split(), sides.responder.split()

    return make


@ONE_WAY
def test_the_initiator_sends_as_many_messages_as_it_likes(make_ends, pattern):
    (send, _), (_, receive) = make_ends(pattern)
    for body in (b"one", b"", b"three"):
        assert receive.decrypt_with_ad(b"ad", send.encrypt_with_ad(b"ad", body)) == body
    send.rekey()
    receive.rekey()
    assert receive.decrypt_with_ad(b"", send.encrypt_with_ad(b"", b"after a rekey")) == b"after a rekey"


@ONE_WAY
@pytest.mark.parametrize(
    "ask",
    [
        lambda silent: silent.encrypt_with_ad(b"", b"body"),
        lambda silent: silent.decrypt_with_ad(b"", bytes(20)),
        lambda silent: silent.initialize_key(bytes(32)),
        lambda silent: silent.rekey(),
    ],
    ids=["encrypt", "decrypt", "initialize_key", "rekey"],
)
def test_the_other_direction_stays_silent(make_ends, pattern, ask):
    (_, initiators), (responders, _) = make_ends(pattern)
    for silent in (initiators, responders):
        with pytest.raises(LocalProtocolError, match=f"{pattern.replace('+', '.')} is one-way"):
            ask(silent)
        assert not silent.has_key


@pytest.mark.parametrize("pattern", ["NN", "NNfallback", "XX"])
def test_other_patterns_speak_both_ways(make_ends, pattern):
    ends = make_ends(pattern)
    for (send, _), (_, receive) in (ends, ends[::-1]):
        assert receive.decrypt_with_ad(b"", send.encrypt_with_ad(b"", b"body")) == b"body"


def test_a_responder_cannot_answer_the_one_message(make_sides):
    sides = make_sides("X")
    sides.exchange()
    assert sides.responder.rs == sides.initiator_s.public
    with pytest.raises(LocalProtocolError, match="message 2 is not ours to write"):
        sides.responder.write_message(b"")
