"""Fuzz targets of enrolment: join tokens, and what joiners, issuers and renewing peers say."""

import base64
import hashlib
from collections.abc import Callable, Iterator

from cards import CardError, IssuerKey
from p2pnoise.config import Bootstrap
from p2pnoise.enrolment import (
    Granted,
    Join,
    JoinToken,
    MessageError,
    Pending,
    Refused,
    Renew,
    Renewed,
    Status,
    parse_answer,
    parse_ask,
    parse_renewal,
)
from tests.fuzz import world
from tests.fuzz.target import Target

TOKEN = JoinToken(
    token_id=bytes(range(16)),
    secret=bytes(range(32)),
    not_after=world.NOW + 3600,
    network=world.NETWORK,
    issuer=IssuerKey(bytes(32)).public,
    node_id=world.NODES["ada"].public,
    addresses=world.RECORDS["ada"].addresses,
    name="bob",
    identity=world.IDENTITIES["bob"].public,
)


def token(data: bytes) -> bool:
    """The body, whose checksum is put right: mutations of the text end at it."""
    whole = data + hashlib.sha256(data).digest()[:4]
    text = "join1" + base64.b32encode(whole).rstrip(b"=").decode().lower()
    try:
        parsed = JoinToken.parse(text)
    except CardError:
        return False
    assert parsed.to_text() == text
    assert parsed.secret.hex() not in repr(parsed)
    return True


def token_text(data: bytes) -> bool:
    text = data.decode("latin-1")
    try:
        parsed = JoinToken.parse(text)
    except CardError:
        return False
    assert parsed.to_text() == text
    return True


def _body(one: JoinToken) -> bytes:
    letters = one.to_text().removeprefix("join1").upper()
    return base64.b32decode(letters + "=" * (-len(letters) % 8))[:-4]


def token_seeds() -> Iterator[bytes]:
    yield _body(TOKEN)


def token_text_seeds() -> Iterator[bytes]:
    yield TOKEN.to_text().encode()


def _messages(*parsers: Callable[[bytes], object]) -> Callable[[bytes], bool]:
    def run(data: bytes) -> bool:
        accepted = False
        for parse in parsers:
            try:
                message = parse(data)
            except MessageError:
                continue
            assert message.encode() == data
            accepted = True
        return accepted

    return run


def messages_seeds() -> Iterator[bytes]:
    card = world.REQUESTS["ada"].raw
    yield Join(TOKEN.proof, card).encode()
    yield Status().encode()
    peers = (Bootstrap(TOKEN.addresses[0], TOKEN.node_id), Bootstrap(TOKEN.addresses[1]))
    yield Granted(b"-----BEGIN", "ops", peers).encode()
    yield Pending("signer-down", 15).encode()
    yield Refused("token-used", "by somebody").encode()
    yield Renew(1, card).encode()
    yield Renewed(world.CARDS["ada"].raw).encode()


TARGETS = {
    "join-token": Target(token, token_seeds, 1_100),
    "join-token-text": Target(token_text, token_text_seeds, 1_800),
    "enrolment": Target(_messages(parse_ask, parse_answer, parse_renewal), messages_seeds, 1_300),
}
