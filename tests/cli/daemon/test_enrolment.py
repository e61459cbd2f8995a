"""Enrolment over real sockets, in one process: who gets a card, who does not, and what each of them hears."""

import hashlib
import os
import sqlite3
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial

import pytest
import trio

from cards import Address, Card, IdentityKey, IssuerKey, NodeKey, make_card
from cards.text import from_armor
from cli import documents
from cli.daemon.enroller import Enroller
from cli.daemon.enrolment import MAX_SILENT, MAX_SILENT_PER_HOST, QUESTION_TIMEOUT, serve_enrolment
from cli.daemon.joining import NobodyThere, ask_to_join, ask_what_became
from cli.folders import IssuerFolder
from cli.granting import sign
from p2pnoise.config import Bootstrap
from p2pnoise.enrolment import (
    BACK,
    FIRST,
    PROLOGUE,
    Granted,
    Join,
    JoinToken,
    Pending,
    Refused,
    Renewed,
    Status,
    parse_answer,
)
from p2pnoise.noise import KeyPair
from p2pnoise.noisesocket import NoiseSocketConnection
from p2pnoise.noisesocket.introduction import Opening, body_of_opening
from p2pnoise.noisesocket.stream import NoiseStreamError, TruncatedError, open_noise_stream

PEER = Bootstrap.parse("192.0.2.1:7060")


class Joiner:
    """A machine with keys of its own."""

    def __init__(self, name="db-03"):
        self.key, self.identity = NodeKey.generate(os.urandom), IdentityKey.generate(os.urandom)
        self.name = name

    def card(self, **changes):
        values = {"network": "example-net", "now": int(time.time()), "name": self.name} | changes
        return make_card(self.identity, self.key, **values)


@dataclass
class Issuing:
    """A service that enrols for the issuer in a place."""

    place: object
    enroller: Enroller
    key: NodeKey
    addresses: tuple[Address, ...]
    events: list = field(default_factory=list)

    def token(self, *options) -> JoinToken:
        made = self.place.ok("join", "token", *options)
        return JoinToken.parse(made.stdout.strip())

    def row(self, column, token):
        with sqlite3.connect(self.place.issuer / "registry.db") as database:
            found = database.execute(f"SELECT {column} FROM tokens WHERE id = ?", (token.token_id.hex(),)).fetchone()
        database.close()
        return found[0]

    def grants(self):
        with sqlite3.connect(self.place.issuer / "registry.db") as database:
            found = database.execute("SELECT name FROM grants ORDER BY serial").fetchall()
        database.close()
        return [name for (name,) in found]

    @property
    def told(self):
        return [(event.kind, getattr(event, "reason", None)) for event in self.events]


@asynccontextmanager
async def issuing(place, *, key=None, folder=None):
    """The service, on a port of its own, for as long as the block lasts."""
    events = []
    key = key or NodeKey.generate(os.urandom)
    with Enroller.open(folder or IssuerFolder(place.issuer), lambda: (PEER,)) as enroller:
        async with trio.open_nursery() as nursery:
            serve = partial(
                serve_enrolment, enroller, key=key, listen=[Address("127.0.0.1", 0)], on_event=events.append
            )
            addresses = await nursery.start(serve)
            yield Issuing(place, enroller, key, addresses, events)
            nursery.cancel_scope.cancel()


@pytest.fixture
async def desk(place, issuer):
    async with issuing(place) as service:
        yield service


def card_in(answer):
    assert isinstance(answer, Granted), answer
    return next(Card.parse(raw) for label, raw in from_armor(answer.document.decode()) if label == "CARD")


async def join(token, joiner, **changes):
    return await ask_to_join(token, joiner.key, joiner.card(**changes).raw)


@asynccontextmanager
async def connection(token, key, protocol=FIRST, **options):
    """A handshake done, and nothing said."""
    address = token.addresses[0]
    stream = await open_noise_stream(
        address.host,
        address.port,
        s=KeyPair.from_private(key.static),
        rs=bytes(token.node_id),
        protocol=protocol,
        **{
            "psks": {2: token.psk} if protocol == FIRST else None,
            "application_prologue": PROLOGUE,
            "payload": token.token_id,
        }
        | options,
    )
    try:
        yield stream
    finally:
        await trio.aclose_forcefully(stream)


async def say(stream, data):
    """The answer to these bytes."""
    await stream.send_all(data)
    await stream.send_eof()
    answer = b""
    while more := await stream.receive_some():
        answer += more
    return parse_answer(answer)


async def test_a_token_brings_a_card_with_its_groups_and_peers_to_begin_with(desk, issuer):
    token, joiner = desk.token("--name", "db-03", "--group", "db", "--lifetime", "7d"), Joiner()
    answer = await join(token, joiner)
    card = card_in(answer)
    assert card.node_id == joiner.key.public
    assert card.grants[0].groups == ("db",)
    assert card.grants[0].not_after - card.grants[0].issued_at == 7 * 86_400
    assert answer.peers == (PEER,)
    assert str(token.issuer) == issuer
    assert desk.told == [("enrolled", None)]


async def test_a_second_machine_is_told_that_the_token_was_used_and_gets_nothing(desk):
    token = desk.token()
    card_in(await join(token, Joiner()))
    assert await join(token, Joiner("db-04")) == Refused("token-used")
    assert desk.grants() == ["db-03"]


async def test_of_two_machines_at_once_exactly_one_gets_a_card(desk):
    token, answers = desk.token(), []
    both_met = trio.Event()

    async def race(joiner):
        async with connection(token, joiner.key) as stream:
            if len(met.append(joiner) or met) == 2:
                both_met.set()
            await both_met.wait()
            answers.append(await say(stream, Join(token.proof, joiner.card().raw).encode()))

    met = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(race, Joiner("db-03"))
        nursery.start_soon(race, Joiner("db-04"))
    assert sorted(type(answer).__name__ for answer in answers) == ["Granted", "Refused"]
    assert Refused("token-used") in answers
    assert len(desk.grants()) == 1


async def test_an_expired_token_is_refused_as_one_and_its_secrets_are_gone(desk, monkeypatch):
    token = desk.token("--expires", "5m")
    later = token.not_after
    monkeypatch.setattr("cli.options.now", lambda: later)
    assert await join(token, Joiner()) == Refused("token-expired")
    assert (desk.row("psk", token), desk.row("proof", token)) == (None, None)
    assert desk.grants() == []


async def test_a_token_that_the_issuer_does_not_know_is_refused_as_one(desk):
    token = replace(desk.token(), token_id=bytes(16))
    assert await join(token, Joiner()) == Refused("token-unknown")


async def test_a_cancelled_token_is_refused(desk, place):
    token = desk.token()
    place.ok("join", "cancel", token.token_id.hex()[:8])
    assert await join(token, Joiner()) == Refused("token-unknown")
    assert desk.row("psk", token) is None


async def test_another_name_than_the_token_s_is_refused_and_the_token_stays_good(desk):
    token = desk.token("--name", "db-03")
    answer = await join(token, Joiner("db-99"))
    assert (answer.code, answer.text) == ("token-name", "for db-03, the request says db-99")
    card_in(await join(token, Joiner("db-03")))


async def test_a_bound_token_is_good_for_its_identity_alone(desk):
    owner = Joiner()
    token = desk.token("--for", owner.identity.public)
    assert (await join(token, Joiner())).code == "token-identity"
    card_in(await join(token, owner))


async def test_what_the_issuer_would_not_grant_is_refused_with_its_reason_and_the_token_stays_good(desk):
    card_in(await join(desk.token(), Joiner("db-03")))
    token = desk.token()
    answer = await join(token, Joiner("db-03"))
    assert answer.code == "not-granted"
    assert "the name db-03 is held by db-03" in answer.text
    card_in(await join(token, Joiner("db-04")))


async def test_a_card_that_another_key_signed_is_refused_and_nothing_is_used_up(desk):
    token, joiner = desk.token(), Joiner()
    card = joiner.card()
    forged = Card.from_body(card.body, bytes(64), card.node_signature)
    answer = await ask_to_join(token, joiner.key, forged.raw)
    assert answer.code == "not-granted"
    assert desk.row("state", token) == "open"


async def test_a_card_of_another_node_is_refused_and_nothing_is_used_up(desk):
    token, joiner = desk.token(), Joiner()
    answer = await ask_to_join(token, Joiner().key, joiner.card().raw)
    assert answer.code == "request-invalid"
    assert desk.row("state", token) == "open"


async def test_a_recorded_message_1_uses_nothing_up(desk):
    """Protocol rule P10: nor does all that somebody can do with it who has not the psk."""
    token = desk.token()
    address = token.addresses[0]
    joiner = NoiseSocketConnection(
        initiator=True,
        s=KeyPair.from_private(Joiner().key.static),
        rs=bytes(token.node_id),
        protocol=FIRST,
        psks={2: token.psk},
        application_prologue=PROLOGUE,
        entropy=os.urandom,
    )
    message_1 = joiner.send_handshake(body_of_opening(Opening(token.token_id)))
    for _ in range(3):
        raw = await trio.open_tcp_stream(address.host, address.port)
        await raw.send_all(message_1)
        assert await raw.receive_some(65536)  # message 2, which only who has the psk can read
        await raw.send_all((40).to_bytes(2, "big") + bytes(40))  # and no transport message
        assert await raw.receive_some() == b""
        await raw.aclose()
    assert desk.row("state", token) == "open"
    assert desk.row("psk", token) == token.psk.hex()
    card_in(await join(token, Joiner()))


async def test_without_the_psk_a_token_number_is_worth_nothing(desk):
    token = desk.token()
    thief = replace(token, secret=bytes(32))
    assert await join(thief, Joiner()) == Refused("busy", "the join token is unused")
    assert desk.row("state", token) == "open"


async def test_with_the_psk_and_another_proof_nothing_is_used_up(desk):
    token, joiner = desk.token(), Joiner()
    async with connection(token, joiner.key) as stream:
        answer = await say(stream, Join(hashlib.sha256(token.proof).digest(), joiner.card().raw).encode())
    assert answer == Refused("token-proof")
    assert desk.row("state", token) == "open"


async def test_the_issuer_keeps_no_secret_of_a_token_and_nothing_once_it_is_spent(desk, place):
    token = desk.token()
    kept = (place.issuer / "registry.db").read_bytes()
    assert token.psk.hex().encode() in kept
    for secret in (token.secret, token.proof):
        assert secret not in kept
        assert secret.hex().encode() not in kept
    card_in(await join(token, Joiner()))
    kept = (place.issuer / "registry.db").read_bytes()
    assert token.psk.hex().encode() not in kept
    assert hashlib.sha256(token.proof).hexdigest().encode() not in kept


async def test_who_lost_the_answer_comes_back_and_gets_the_same_card(desk):
    token, joiner = desk.token(), Joiner()
    first = card_in(await join(token, joiner))
    assert card_in(await join(token, joiner)) == first
    assert card_in(await ask_what_became(token, joiner.key)) == first
    assert desk.grants() == ["db-03"]
    assert desk.told.count(("enrolled", None)) == 1


async def test_who_comes_back_after_a_month_gets_a_grant_that_has_not_ended(desk, monkeypatch):
    token, joiner = desk.token(), Joiner()
    first = card_in(await join(token, joiner))
    month = int(time.time()) + 31 * 86_400
    monkeypatch.setattr("cli.options.now", lambda: month)
    second = card_in(await join(token, joiner))
    assert second.body == first.body
    assert second.grants[0].not_after == month + 30 * 86_400


async def test_who_was_let_in_for_a_time_gets_its_card_again_until_that_is_over_and_none_later(desk, monkeypatch):
    token, joiner = desk.token("--lifetime", "3d"), Joiner()
    first = card_in(await join(token, joiner))
    end = first.grants[0].not_after
    monkeypatch.setattr("cli.options.now", lambda: end - 1)
    assert card_in(await join(token, joiner)) == first
    assert desk.enroller.renew(first) == Refused("not-renewed", "it was given for a time")
    monkeypatch.setattr("cli.options.now", lambda: end)
    assert await join(token, joiner) == Refused("not-renewed", "it was given for a time")
    assert len(desk.grants()) == 1


async def test_what_was_given_for_a_time_is_renewed_once_its_operator_gave_another_grant_by_hand(
    desk, place, monkeypatch
):
    card = card_in(await join(desk.token("--lifetime", "3d"), Joiner()))
    (place / "card").write_text(documents.card_block(card))
    place.ok("card", "renew", place / "card", "--grant", "--days", "30", "-o", place / "by-hand")
    later = int(time.time()) + 20 * 86_400
    monkeypatch.setattr("cli.options.now", lambda: later)
    assert isinstance(desk.enroller.renew(card), Renewed)


async def test_who_was_revoked_does_not_get_its_card_again(desk, place):
    token, joiner = desk.token(), Joiner()
    card_in(await join(token, joiner))
    place.ok("revoke", "add", "db-03", "--reason", "lost")
    assert await join(token, joiner) == Refused("denied", "revoked, reason lost")


async def test_a_request_that_was_kept_and_not_granted_is_granted_to_who_comes_back(desk, monkeypatch):
    token, joiner = desk.token(), Joiner()

    def cut_off(_enroller, _token_id):
        raise trio.BrokenResourceError

    async with connection(token, joiner.key) as stream:
        with monkeypatch.context() as patch:
            patch.setattr(Enroller, "grant", cut_off)
            with pytest.raises(NoiseStreamError):
                await say(stream, Join(token.proof, joiner.card().raw).encode())
    assert (desk.row("state", token), desk.grants()) == ("spent", [])
    assert await join(token, Joiner()) == Refused("token-used")
    card_in(await join(token, joiner))
    assert desk.grants() == ["db-03"]


async def test_a_stranger_who_shows_a_used_token_learns_nothing_of_the_request(desk, place):
    token, joiner = desk.token("--approve"), Joiner()
    assert await join(token, joiner) == Pending("pending", 2)
    assert await ask_what_became(token, Joiner().key) == Refused("token-used")
    place.ok("join", "deny", "db-03", "--reason", "unknown machine")
    assert await ask_what_became(token, Joiner().key) == Refused("token-used")
    assert await ask_what_became(token, joiner.key) == Refused("denied", "unknown machine")


async def test_a_request_that_waits_for_an_operator_is_granted_once_they_approve(desk, place):
    token, joiner = desk.token("--approve"), Joiner()
    assert await join(token, joiner) == Pending("pending", 2)
    assert desk.grants() == []
    place.ok("join", "approve", token.token_id.hex()[:6])
    card_in(await ask_what_became(token, joiner.key))


async def test_what_is_denied_while_it_is_signed_is_not_granted(desk, place, monkeypatch):
    token, joiner = desk.token("--approve"), Joiner()
    await join(token, joiner)
    place.ok("join", "approve", "db-03")

    def denied_meanwhile(*args):
        place.ok("join", "deny", "db-03", "--reason", "unknown machine")
        return sign(*args)

    with monkeypatch.context() as patch:
        patch.setattr("cli.daemon.enroller.sign", denied_meanwhile)
        assert await ask_what_became(token, joiner.key) == Refused("denied", "unknown machine")
    assert desk.grants() == []
    assert await ask_what_became(token, joiner.key) == Refused("denied", "unknown machine")


async def test_what_waits_or_was_denied_is_not_granted_whoever_asks_for_it(desk, place):
    token, joiner = desk.token("--approve"), Joiner()
    await join(token, joiner)
    assert desk.enroller.grant(token.token_id).answer == Pending("pending", 2)
    place.ok("join", "deny", "db-03")
    assert desk.enroller.grant(token.token_id).answer == Refused("denied", "")
    assert desk.grants() == []


async def test_an_operator_s_approval_does_not_outlast_a_revocation(desk, place, monkeypatch):
    token, joiner = desk.token("--approve"), Joiner()
    await join(token, joiner)
    place.ok("join", "approve", "db-03")
    place.ok("revoke", "add", joiner.identity.public, "--reason", "lost")
    answer = await ask_what_became(token, joiner.key)
    assert answer.code == "denied"
    assert "was revoked" in answer.text
    assert await ask_what_became(token, joiner.key) == answer


async def test_who_asks_at_another_key_s_port_is_told_nothing_and_tells_nothing(desk, place):
    token = replace(desk.token(), node_id=NodeKey.generate(os.urandom).public)
    assert await join(token, Joiner()) == Refused("issuer-mismatch")
    assert desk.events == []


async def test_where_nobody_listens_the_joiner_says_where_it_knocked(desk):
    token = replace(desk.token(), addresses=(Address("127.0.0.1", 1),))
    with pytest.raises(NobodyThere, match=r"127\.0\.0\.1:1: connection refused"):
        await join(token, Joiner())


async def test_the_second_address_is_tried_where_the_first_is_none(desk):
    token = desk.token()
    card_in(await join(replace(token, addresses=(Address("127.0.0.1", 1), *token.addresses)), Joiner()))


@pytest.mark.parametrize(
    ("protocol", "ask"),
    [(FIRST, Status()), (BACK, Join(bytes(32), b"card")), (FIRST, None), (BACK, None)],
)
async def test_who_says_what_does_not_belong_there_is_refused(desk, protocol, ask):
    token = desk.token()
    async with connection(token, Joiner().key, protocol) as stream:
        answer = await say(stream, ask.encode() if ask is not None else b"\xc1 junk")
    assert answer.code == "request-invalid"
    assert desk.row("state", token) == "open"


async def test_a_token_is_not_used_by_who_does_not_bring_its_psk(desk):
    token, joiner = desk.token(), Joiner()
    async with connection(token, joiner.key, BACK) as stream:
        answer = await say(stream, Join(token.proof, joiner.card().raw).encode())
    assert answer.code == "request-invalid"
    assert desk.row("state", token) == "open"


@pytest.mark.parametrize("payload", [b"", bytes(15), bytes(17), bytes(60_000)])
async def test_a_token_number_of_another_length_is_refused(desk, payload):
    token = desk.token()
    with pytest.raises(TruncatedError):
        async with connection(token, Joiner().key, payload=payload):
            pass
    async with connection(token, Joiner().key, BACK, payload=payload) as stream:
        assert (await say(stream, Status().encode())).code == "request-invalid"


async def test_a_question_too_long_is_refused(desk):
    token = desk.token()
    async with connection(token, Joiner().key) as stream:
        answer = await say(stream, bytes(1200))
    assert answer.code == "request-invalid"


async def test_another_prologue_is_not_understood(desk):
    token = desk.token()
    for prologue in (b"", b"p2pnoise/v1"):
        with pytest.raises(NoiseStreamError):
            async with connection(token, Joiner().key, application_prologue=prologue):
                pass


async def test_junk_ends_its_own_connection_alone(desk):
    address = desk.addresses[0]
    for junk in (b"GET / HTTP/1.1\r\n\r\n", bytes(100), b"\xff" * 70_000):
        raw = await trio.open_tcp_stream(address.host, address.port)
        try:
            await raw.send_all(junk)
            while await raw.receive_some():
                pass
        except trio.BrokenResourceError:
            pass
        await raw.aclose()
    card_in(await join(desk.token(), Joiner()))


@pytest.fixture
def hosts(monkeypatch):
    """Connect from this address of our own from now on. Nobody is dropped for being slow, as a busy machine is."""
    monkeypatch.setattr("cli.daemon.enrolment.QUESTION_TIMEOUT", 600.0)
    connect, host = trio.open_tcp_stream, ["127.0.0.1"]

    async def dial(there, port):
        return await connect(there, port, local_address=host[0])

    monkeypatch.setattr("p2pnoise.noisesocket.stream.serving._dial", dial)
    return lambda found: host.__setitem__(0, found)


async def hold(token, held, *, task_status):
    """A stranger, who needs no token, shakes hands, says nothing and waits."""
    async with connection(token, Joiner().key, BACK, payload=bytes(16)) as stream:
        held.append(stream)
        task_status.started()
        await trio.sleep_forever()


async def test_strangers_who_shake_hands_and_say_nothing_keep_nobody_out(hosts, desk):
    token, held = desk.token(), []
    async with trio.open_nursery() as nursery:
        for host in range(MAX_SILENT // MAX_SILENT_PER_HOST):
            hosts(f"127.0.0.{host + 2}")
            for _ in range(MAX_SILENT_PER_HOST):
                await nursery.start(partial(hold, token, held))
        hosts("127.0.0.1")
        card_in(await join(token, Joiner()))
        with pytest.raises(TruncatedError):  # of all the oldest made room
            await held[0].receive_some()
        nursery.cancel_scope.cancel()


async def test_one_host_that_says_nothing_drops_its_own_connections_alone(hosts, desk):
    token, held = desk.token(), []
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(hold, token, held))
        hosts("127.0.0.2")
        for _ in range(MAX_SILENT_PER_HOST + 1):
            await nursery.start(partial(hold, token, held))
        with pytest.raises(TruncatedError):
            await held[1].receive_some()
        await say(held[0], Status().encode())
        nursery.cancel_scope.cancel()


async def test_who_says_nothing_is_dropped_in_seconds(place, issuer, monkeypatch):
    assert QUESTION_TIMEOUT <= 5
    monkeypatch.setattr("cli.daemon.enrolment.QUESTION_TIMEOUT", 0.1)
    async with issuing(place) as desk:
        token = desk.token()
        async with connection(token, Joiner().key) as stream:
            with pytest.raises(TruncatedError):
                await stream.receive_some()
        assert desk.row("state", token) == "open"


@pytest.mark.parametrize("limit", ["MAX_CONNECTIONS", "MAX_CONNECTIONS_PER_HOST"])
async def test_where_too_many_are_being_answered_the_next_hears_that_we_are_busy(desk, monkeypatch, limit):
    token = desk.token()
    with monkeypatch.context() as patch:
        patch.setattr(f"cli.daemon.enrolment.{limit}", 0)
        assert await join(token, Joiner()) == Refused("busy", "too many connections")
    assert desk.told == [("enrolment-refused", "busy")]
    card_in(await join(token, Joiner()))


async def test_a_stranger_takes_no_place_of_who_has_a_token(desk, monkeypatch):
    monkeypatch.setattr("cli.daemon.enrolment.MAX_CONNECTIONS", 0)
    token = replace(desk.token(), token_id=bytes(16))
    assert await ask_what_became(token, Joiner().key) == Refused("token-unknown")


async def test_one_host_fills_no_more_than_its_share_of_the_queue(desk, monkeypatch):
    monkeypatch.setattr("cli.daemon.enroller.MAX_WAITING_PER_SOURCE", 2)
    tokens = [desk.token("--approve") for _ in range(3)]
    for number, token in enumerate(tokens[:2]):
        assert await join(token, Joiner(f"db-{number}")) == Pending("pending", 2)
    answer = await join(tokens[2], Joiner("db-2"))
    assert answer == Refused("busy", "2 requests wait to be settled")
    assert desk.row("state", tokens[2]) == "open"


async def test_an_issuer_whose_files_are_gone_is_busy_and_goes_on_serving(desk, place):
    token, joiner = desk.token(), Joiner()
    hidden = place.issuer / "revocations.pem"
    content = hidden.read_bytes()
    hidden.unlink()
    answer = await join(token, joiner)
    assert answer.code == "busy"
    hidden.write_bytes(content)
    card_in(await join(token, joiner))


async def test_the_grant_of_another_issuer_than_the_token_names_is_none_of_the_token_s(desk):
    """Right key, wrong issuer: see test_join for what the new machine makes of it."""
    token = replace(desk.token(), issuer=IssuerKey(bytes(32)).public)
    card = card_in(await join(token, Joiner()))
    assert card.grants[0].kid != token.issuer.hint
