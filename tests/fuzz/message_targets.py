"""Fuzz targets of what linked nodes say: frames, handshake payloads, gossip messages."""

from collections.abc import Iterator

from cards import Address, codec
from p2pnoise.gossip import encoding, messages
from p2pnoise.gossip.messages import MessageError
from p2pnoise.node import frames
from p2pnoise.node.frames import Code, FrameError, Hello, Kind
from tests.fuzz import world
from tests.fuzz.target import Target


def split_frames(data: bytes) -> bool:
    try:
        split = frames.split_frames(data)
    except FrameError:
        return False
    assert b"".join(frames.encode_frame(kind, payload) for kind, payload in split) == data
    return True


def split_frames_seeds() -> Iterator[bytes]:
    yield frames.encode_frame(Kind.PING, b"") + frames.encode_frame(Kind.CLOSE, b"\x00")
    yield frames.encode_frame(Kind.GOSSIP, bytes(300))


def hello(data: bytes) -> bool:
    try:
        said = Hello.decode(data)
    except FrameError:
        return False
    # What a newer node adds is skipped.
    assert Hello.decode(said.encode()) == said
    assert len(said.encode()) <= len(data)
    return True


def hello_seeds() -> Iterator[bytes]:
    yield Hello(bytes(16), b"").encode()
    yield Hello(bytes(16), bytes(32), ("a", "later-feature")).encode()


def notice(data: bytes) -> bool:
    try:
        address = frames.decode_notice(data)
    except FrameError:
        return False
    # What a newer node says is skipped, and so is what it adds.
    assert address is None or frames.decode_notice(frames.encode_notice(address)) is not None
    return True


def notice_seeds() -> Iterator[bytes]:
    yield frames.encode_notice(Address("192.0.2.7", 7060))
    yield frames.encode_notice(Address("2001:db8::7", 65535))
    yield codec.encode([2, "of a newer node"])


def handshake_payload(data: bytes) -> bool:
    try:
        given = frames.decode_handshake(data)
    except FrameError:
        return False
    if isinstance(given, Code):
        # Every code that we do not know means one that we do.
        assert given is Code.NOT_TRUSTED or frames.encode_refusal(given) == data
    else:
        assert frames.encode_card(given) == data
    return True


def handshake_payload_seeds() -> Iterator[bytes]:
    yield frames.encode_card(world.CARDS["ada"].raw)
    yield from (frames.encode_refusal(code) for code in (Code.GOODBYE, Code.BUSY))


def gossip(data: bytes) -> bool:
    try:
        message = encoding.decode(data)
    except MessageError:
        return False
    assert isinstance(message, messages.Unknown) or encoding.encode(message) == data
    return True


def gossip_messages() -> Iterator[bytes]:
    """One of each, as a peer of this world would say them."""
    ada, carl, renewed = world.CARDS["ada"], world.CARDS["carl"], world.RENEWED.grants[0]
    parts = renewed.kid, renewed.attrs, renewed.signature
    items = (
        messages.CardItem(carl.raw),
        messages.GrantItem(world.RENEWED.card_id, *parts),
        messages.RecordItem(world.RECORDS["carl"].raw),
    )
    ids = {bytes(range(16)), ada.card_id[:16]}
    whole = (messages.Range(b"", bytes(16)),)
    parts_of_it = (
        messages.Range(b"\x07\xa1\x20", None),
        messages.Range(b"\x07\xa1\x20\x01", ids),
        *whole,
    )
    said: tuple[messages.Message, ...] = (
        messages.Heads(world.REVOCATIONS.heads),
        messages.WantLists((bytes(world.ISSUER.public),)),
        messages.GivenList(world.LIST.head, world.LIST.signature, world.LIST.pages),
        messages.GivenList(world.PAGED_LIST.head, world.PAGED_LIST.signature, ()),
        messages.WantPages(world.PAGED_LIST.page_digests),
        messages.GivenPage(world.PAGED_LIST.pages[0]),
        messages.GivenPage(b""),
        messages.Ranges(((b"", whole), (bytes(world.ISSUER.public), parts_of_it)), frozenset()),
        messages.Ranges((), ids),
        messages.Announce(ids),
        messages.Want(ids),
        messages.Want(ids, graft=True),
        messages.Push(items),
        messages.Prune(),
        messages.Sample(ids, asks=True, full=False),
        messages.Probe(b"1234"),
        messages.Probe(b"1234", bytes(world.CARDS["carl"].node_id)),
        messages.ProbeAnswer(b"1234", messages.Found.NO_LINK),
        messages.Items(items, last=False),
        messages.Items((), last=True),
        messages.HeldStatements((world.ENDING.digest, bytes(32))),
        messages.WantStatements((world.ENDING.digest,)),
        messages.GivenStatements(((world.ENDING.label, world.ENDING.raw),)),
    )
    yield from map(encoding.encode, said)


TARGETS = {
    "frames": Target(split_frames, split_frames_seeds, 1_000),
    "hello": Target(hello, hello_seeds, 1_100),
    "notice": Target(notice, notice_seeds, 600),
    "handshake-payload": Target(handshake_payload, handshake_payload_seeds, 1_100),
    "gossip": Target(gossip, gossip_messages, 2_000),
}
