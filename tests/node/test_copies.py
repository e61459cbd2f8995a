"""A folder that runs twice: whoever meets both tells both."""

import pytest

from cards import Address
from p2pnoise.instant import SECOND
from p2pnoise.node.frames import Kind, decode_notice, encode_notice
from p2pnoise.node.link import Stage

THERE = Address("192.0.2.77", 7060)


@pytest.fixture
def ada(net):
    return net.member("ada", target_links=0)


def notices(puppet):
    return [decode_notice(frame[1]) for frame in puppet.inbox if isinstance(frame, tuple) and frame[0] == Kind.NOTICE]


def contest(net, ada, old, number):
    """A newcomer with the key of `old`, at the next address, whom the old link's answer refuses."""
    new = net.puppet(ada, "carl", address=f"192.0.2.{number}").handshake().hello(boot_id=bytes([number]) * 16)
    assert new.link.stage is Stage.CONTESTED
    address = new.link.address
    old.frame(Kind.PONG)
    return address


def test_both_copies_of_a_running_folder_are_told(net):
    low, high = net.pair()
    clone = net.member(high.name, target_links=0, boot="clone")
    net.link(clone, low)
    (told,) = high.told("own-key-elsewhere")
    assert (told.node_id, told.name, told.address) == (low.core.node_id, low.name, clone.address)
    assert [event.reason for event in clone.told("refused-by-peer")] == ["duplicate-node"]
    assert not clone.told("own-key-elsewhere")
    assert high.up(low)


def test_a_restarted_node_is_no_copy(net):
    low, high = net.pair()
    high.online = False
    again = net.member(high.name, target_links=0, boot="again")
    net.link(again, low)
    net.wait(3)
    assert again.up(low)
    assert not high.told("own-key-elsewhere")
    assert not again.told("own-key-elsewhere")


def test_the_older_copy_is_told_once_a_minute(net, ada):
    old = net.puppet(ada, "carl").come_up()
    first = contest(net, ada, old, 1)
    contest(net, ada, old, 2)
    assert notices(old) == [first]
    net.now += 60 * SECOND
    later = contest(net, ada, old, 3)
    assert notices(old) == [first, later]


def test_a_notice_comes_once_a_minute_however_often_it_is_sent(net, ada):
    carl = net.puppet(ada, "carl").come_up()
    for _ in range(100):
        carl.frame(Kind.NOTICE, encode_notice(THERE))
    assert [event.address for event in ada.told("own-key-elsewhere")] == [THERE]
    assert carl.link.skipped_frames == 99
    net.now += 60 * SECOND
    carl.frame(Kind.NOTICE, encode_notice(THERE))
    assert len(ada.told("own-key-elsewhere")) == 2


def test_a_notice_of_a_peer_that_is_not_verified_is_skipped(net, ada):
    carl = net.puppet(ada, "carl").handshake().hello()
    carl.frame(Kind.NOTICE, encode_notice(THERE))
    assert not ada.told("own-key-elsewhere")
    assert carl.link.skipped_frames == 1


def test_a_notice_of_a_newer_node_is_skipped(net, ada):
    carl = net.puppet(ada, "carl").come_up()
    carl.frame(Kind.NOTICE, b"\x91\x07").frame(Kind.NOTICE, b"\x93\x09\xc3\xa1x")
    assert carl.link.skipped_frames == 2
    assert carl.link.stage is Stage.UP


def test_a_notice_with_more_than_we_know_is_read(net, ada):
    carl = net.puppet(ada, "carl").come_up()
    carl.frame(Kind.NOTICE, encode_notice(THERE).replace(b"\x92", b"\x93", 1) + b"\x01")
    assert ada.told("own-key-elsewhere")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff",
        b"\x01",
        b"\x90",
        b"\x91\xc3",
        b"\x91\xa1x",
        b"\x92\x01\xa1x",
        bytes(513),
        encode_notice(THERE) + b"x",
    ],
    ids=["empty", "no msgpack", "no array", "nothing", "a bool", "a text", "no address", "too long", "trailing"],
)
def test_a_notice_that_is_none_ends_the_link(net, ada, payload):
    carl = net.puppet(ada, "carl").come_up()
    carl.frame(Kind.NOTICE, payload)
    assert carl.link is None
    assert not ada.told("own-key-elsewhere")


def test_the_longest_address_fits_and_a_zone_is_left_out():
    longest = Address(f"{'a' * 63}.{'b' * 62}.c", 65535)
    assert decode_notice(encode_notice(longest)) == longest
    assert decode_notice(encode_notice(Address("fe80::1%eth0", 7))) == Address("fe80::1", 7)
