"""What a signer signs: well-formed statements of its issuer, of the kinds that it was told, made now; nothing else."""

import os

import pytest

from cards import (
    CardError,
    Delegation,
    Entry,
    IdentityKey,
    IssuerKey,
    Manifest,
    NodeKey,
    Retirement,
    grant,
    make_card,
    make_list,
)
from cards.statements import CARD_KEY, CONFLICT_ID, frame, unframe
from cli.signer_serve import CARRIED, KINDS, SKEW, Clerk

NOW = 1_800_000_000
DRAFTED = ("manifest", "retirement of another")
ISSUER, OTHER = IssuerKey(b"i" * 32), IssuerKey(b"o" * 32)


class Asked:
    """Signs, and keeps what it was asked to sign."""

    def __init__(self, key=ISSUER):
        self.public, self._key = key.public, key
        self.messages = []

    def sign(self, message):
        self.messages.append(message)
        return self._key.sign(message)


def asked_for(kind, *, key=ISSUER, network="example-net", now=NOW):
    """The message that a signer of `key` is asked to sign for a statement of this kind."""
    signer = Asked(key)
    if kind == "grant":
        card = make_card(IdentityKey(bytes(32)), NodeKey.generate(os.urandom), network=network, name="db-03", now=now)
        grant(signer, card, serial=7, now=now, entropy=os.urandom, groups=["agents"])
    elif kind == "list":
        make_list(signer, network=network, sequence=3, now=now, entries=[Entry(b"s" * 32, now, "lost", now + 99)])
    elif kind == "delegation":
        values = {"net": network, "iat": now, "iss": key.public, "key": IssuerKey(b"d" * 32).public}
        Delegation.make({**values, "name": ["*.dc7.example"], "path": 0, "nbf": now, "exp": now + 99}, signer)
    elif kind == "manifest":
        own = [key.public]
        Manifest.make({"net": network, "iat": now, "ver": 3, "thr": 1, "iss": own, "by": own}, signer)
    elif kind == "retirement of another":
        values = {"net": network, "iat": now, "iss": IssuerKey(b"d" * 32).public, "reason": "lost"}
        Retirement.make({**values, "by": [key.public]}, signer)
    else:
        Retirement.make({"net": network, "iat": now, "iss": key.public, "reason": "left"}, signer)
    return signer.messages[-1]


def clerk(*kinds):
    return Clerk(ISSUER.public, "example-net", kinds or tuple(KINDS))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("grant", "grant 7 to db-03, id1"),
        ("list", "list 3, due"),
        ("delegation", "*.dc7.example, 0 steps further"),
        ("retirement", "retirement of this issuer, reason left"),
        ("retirement of another", f"retirement of {IssuerKey(b'd' * 32).public}, reason lost"),
        ("manifest", f"manifest 3: 1 of {ISSUER.public}"),
    ],
)
def test_every_kind_is_read_out(kind, words):
    assert words in clerk().read(asked_for(kind), NOW)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_that_was_not_named_is_not_signed(kind):
    others = [name for name in KINDS if name != kind]
    with pytest.raises(CardError, match=f"a {kind}; this signer signs"):
        clerk(*others).read(asked_for(kind), NOW)


@pytest.mark.parametrize("kind", KINDS)
def test_a_statement_for_another_network_is_not_signed(kind):
    with pytest.raises(CardError, match="for network other-net"):
        clerk().read(asked_for(kind, network="other-net"), NOW)


@pytest.mark.parametrize("kind", ["list", "delegation", "retirement", "manifest"])
def test_a_statement_of_another_issuer_is_not_signed(kind):
    with pytest.raises(CardError, match=f"a {kind} of"):
        clerk().read(asked_for(kind, key=OTHER), NOW)


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        *((kind, made) for kind in KINDS if kind != "manifest" for made in (NOW - SKEW - 1, NOW + SKEW + 1)),
        *((kind, made) for kind in DRAFTED for made in (NOW - CARRIED - 1, NOW + SKEW + 1)),
    ],
)
def test_nothing_is_signed_for_another_time(kind, made):
    with pytest.raises(CardError, match="s from now"):
        clerk().read(asked_for(kind, now=made), NOW)
    assert clerk().read(asked_for(kind, now=NOW + SKEW), NOW)


@pytest.mark.parametrize("kind", DRAFTED)
def test_what_others_drafted_may_have_been_carried_for_long(kind):
    assert clerk().read(asked_for(kind, now=NOW - CARRIED), NOW)


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_differs_by_a_byte_is_no_oracle(kind):
    """What is signed is always a statement that a parser reads, so a signature here is good for nothing else."""
    message = asked_for(kind)
    for at in range(len(message)):
        for changed in (
            message[:at] + message[at + 1 :],
            message[:at] + bytes([message[at] ^ 0x80]) + message[at + 1 :],
        ):
            try:
                clerk().read(changed, NOW)
            except CardError:
                continue
            context, _ = unframe(changed)
            assert context in KINDS.values()


@pytest.mark.parametrize(
    "message",
    [
        b"x",
        b"\x00",
        b"p2pnoise/v1/card.app",
        b"p2pnoise/v1/card.app\x00",
        b"p2pnoise/v1/card.app\x00\xff\xff\xff\xff",
        b"p2pnoise/v1/card.app\x00\x00\x00\x00\x00" * 2,
        frame(KINDS["grant"], b"", b"", b""),
        frame(KINDS["list"]),
        frame(KINDS["list"], b"\x80"),
        frame(CARD_KEY, b"body"),
        frame(CONFLICT_ID, b"kind"),
        b"SSHSIG" + bytes(60),
        "p2pnoise/v1/é".encode("latin-1") + b"\x00",
        bytes(8192),
        b"\xc1" * 8192,
    ],
)
def test_bytes_that_are_no_statement_are_not_signed(message):
    with pytest.raises(CardError):
        clerk().read(message, NOW)


@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_with_anything_behind_it_is_not_signed(kind):
    for tail in (b"\x00", b"\x00\x00\x00\x00", b"tail"):
        with pytest.raises(CardError):
            clerk().read(asked_for(kind) + tail, NOW)


def test_framed_parts_come_out_as_they_went_in():
    for parts in ((), (b"",), (b"a", b"", b"bc" * 300)):
        assert unframe(frame("context", *parts)) == ("context", parts)
