"""Any bytes at any moment: a link ends, a node never raises, and nobody else notices."""

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from p2pnoise.node import effects as io
from p2pnoise.node.frames import Kind, encode_frame
from p2pnoise.node.link import Stage

HARMLESS = {"max_examples": 40, "deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}


def fresh(make_net, stage):
    """Ada with a link that is up, and a puppet in this stage."""
    net = make_net()
    ada = net.member("ada", target_links=0)
    other = net.puppet(ada, "other").come_up()
    puppet = net.puppet(ada, "carl")
    match stage:
        case "greeting":
            puppet.handshake()
        case "comparing":
            puppet.handshake().hello()
        case "up":
            puppet.come_up()
        case "contested":
            puppet.come_up()
            puppet = net.puppet(ada, "carl").handshake().hello(boot_id=b"q" * 16)
        case "closing":
            puppet.come_up()
            net.give(ada, io.Stop())
    return net, ada, other, puppet


STAGES = ["handshake", "greeting", "comparing", "up", "contested", "closing"]


@pytest.mark.parametrize("stage", STAGES)
@settings(**HARMLESS)
@given(pieces=st.lists(st.binary(max_size=80), max_size=5))
def test_any_bytes_in_any_stage_end_in_a_bounded_state(make_net, stage, pieces):
    net, ada, other, puppet = fresh(make_net, stage)
    for piece in pieces:
        puppet.say(piece)
    assert stage == "closing" or other.link.stage is Stage.UP
    net.wait(40)
    assert not ada.links  # puppets do not answer pings
    assert not ada.core._overlay._links
    assert not ada.core.links.admission._contests._asked


@pytest.mark.parametrize("stage", STAGES[1:])
@settings(**HARMLESS)
@given(frames=st.lists(st.tuples(st.integers(0, 15), st.binary(max_size=60)), max_size=6), raw=st.binary(max_size=20))
def test_any_frames_in_any_stage_end_in_a_bounded_state(make_net, stage, frames, raw):
    """The same from somebody who holds the session's keys."""
    net, ada, other, puppet = fresh(make_net, stage)
    for kind, payload in frames:
        puppet.message(encode_frame(kind, payload))
    if raw:
        puppet.message(raw)
    puppet.say(b"")
    assert stage == "closing" or other.link.stage is Stage.UP
    net.wait(40)
    assert not ada.links
    assert not ada.core.links.admission._contests._asked


gossip_values = st.recursive(
    st.integers(0, 100) | st.binary(max_size=64) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=8,
)


@settings(**HARMLESS)
@given(messages=st.lists(st.tuples(st.integers(0, 9), st.lists(gossip_values, max_size=2)), min_size=1, max_size=4))
def test_any_gossip_ends_at_worst_its_own_link(make_net, messages):
    net, ada, other, puppet = fresh(make_net, "up")
    before = frozenset(ada.core.table.items)
    for kind, values in messages:
        puppet.frame(Kind.GOSSIP, msgpack.packb([1, kind, *values]))
    assert other.link.stage is Stage.UP
    assert frozenset(ada.core.table.items) == before
    assert net.now


@settings(**HARMLESS)
@given(body=st.binary(max_size=300))
@pytest.mark.parametrize("pattern", ["IK", "XX"])
def test_any_handshake_payload_lets_nobody_in(make_net, pattern, body):
    net = make_net()
    ada = net.member("ada", target_links=0)
    net.puppet(ada, "carl", pattern=pattern).handshake(body)
    assert not ada.links
    assert len(ada.core.table) == 1


def session(make_net, *, pattern, tamper=None):
    """Two members link, talk for a while and part; what went over the wire each way."""
    net = make_net()
    low, high = net.two()
    third = net.puppet(low, "other").come_up()
    wires = {low.name: b"", high.name: b""}

    def record(source, target, data):
        if source in (low, high) and target in (low, high):
            if tamper is not None:
                data = tamper(source is high, len(wires[source.name]), data)
            wires[source.name] += data
        return data

    net.tamper = record
    net.link(high, low, pattern=pattern)
    net.wait(6)
    third.frame(Kind.PING)
    return net, low, high, third, wires


@pytest.mark.parametrize("pattern", ["IK", "XX"])
@pytest.mark.parametrize("from_dialler", [True, False], ids=["from the dialler", "from the dialled"])
def test_a_flipped_bit_anywhere_ends_that_link_and_nothing_else(make_net, pattern, from_dialler):
    *_, wires = session(make_net, pattern=pattern)
    length = len(list(wires.values())[from_dialler])
    for place in sorted({*range(min(length, 60)), *range(60, length, 17), length - 1}):
        bit = 1 << place % 8

        def flip(is_dialler, before, data, place=place, bit=bit):
            at = place - before
            if is_dialler is not from_dialler or not 0 <= at < len(data):
                return data
            return data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]

        net, low, high, third, _ = session(make_net, pattern=pattern, tamper=flip)
        net.wait(30)
        third_standing = third.link is None or third.link.stage is Stage.UP
        assert not low.up(high), place
        assert not high.up(low), place
        assert len(third.inbox) > 1
        assert third_standing or third.ended
        assert len(high.told("dial-failed")) + len(high.told("peer-lost")) == 1, place


def test_a_peer_that_sends_garbage_disturbs_no_other(net):
    low, high = net.pair()
    for number in range(30):
        net.puppet(low, f"noise-{number}").say(bytes([number]) * 200)
        puppet = net.puppet(low, f"member-{number}").come_up()
        puppet.frame(Kind.GOSSIP, b"\xc1 garbage")
        assert puppet.ended
    assert low.up(high)
    net.wait(60)
    assert low.up(high)
    assert len(low.told("peer-lost")) == 30


def test_a_megabyte_of_garbage_is_not_kept(net):
    ada = net.member("ada", target_links=0)
    puppet = net.puppet(ada, "carl")
    puppet.say(bytes.fromhex("0006000101010109") + b"\xff\xff" + bytes(1_000_000))
    assert puppet.ended
