"""Renewal: grants made anew over peers, in a network in memory whose minutes pass in milliseconds."""

import random
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio

from cards import Card, IdentityKey, IssuerKey, NodeKey, grant, make_card, make_list
from cli import documents
from cli.daemon.renewal import JITTER, LIFE, MAX_OF_PEER, PROTOCOL, answer_renewals, keep_renewed, renewal_due
from cli.folders import NodeFolder
from p2pnoise import answering
from p2pnoise.enrolment import MAX_ASK, Refused, Renew, Renewed, parse_renewal
from p2pnoise.events import GrantRenewed, RenewalFailed
from p2pnoise.folder.watching import Watcher
from p2pnoise.node.effects import FactOffered, OwnCardChanged, PolicyChanged
from p2pnoise.testing import network

MINUTE = 60
LIFETIME = 10 * MINUTE
LAB = IssuerKey(b"\x05" * 32)


@pytest.fixture(autouse=True)
def no_threads(monkeypatch):
    """The clock would jump while one works."""

    async def at_once(function, *args):
        await trio.lowlevel.checkpoint()
        return function(*args)

    monkeypatch.setattr(trio.to_thread, "run_sync", at_once)


class Issuing:
    """An issuer's side for a network in memory, which counts what it is asked."""

    def __init__(self, net, key=None):
        self.net, self.key = net, key or net.issuer
        self.asked = []

    async def __call__(self, card):
        await trio.lowlevel.checkpoint()
        self.asked.append(card)
        return Renewed(self.renewed(card).raw)

    def renewed(self, card, lifetime=LIFETIME, serial=None, **changes):
        serial = serial or 100 + len(self.asked)
        entropy = random.Random(serial).randbytes
        return grant(self.key, card, serial=serial, now=self.net.now, lifetime=lifetime, entropy=entropy, **changes)


@asynccontextmanager
async def renewing(
    net, name, tmp_path, lifetime=LIFETIME, body=365 * 24 * 60 * MINUTE, *, lab=None, knows_lab=True, clock=None
):
    """A node with a short grant in a folder of its own, kept renewed; with `lab` it has one of that lifetime of LAB."""
    node, policy, lists = net.nodes[name], net.policy, [net.revocations]
    key, identity = net.keys(name)
    request = make_card(identity, key, network="test", now=net.now, name=name, sequence=2 + net.now, lifetime=body)
    card = Issuing(net).renewed(request, lifetime)
    if lab is not None:
        card = Issuing(net, LAB).renewed(card, lab)
    if lab is not None and knows_lab:
        policy = replace(policy, issuers={**policy.issuers, "lab": LAB.public})
        lists.append(make_list(LAB, network="test", sequence=1, now=net.now))
        await node.offer(PolicyChanged(policy))
        await node.offer(FactOffered(lists[1], "a test"))
    folder = NodeFolder(tmp_path)
    folder.card.write_text(documents.card_block(card))
    folder.policy.write_text(policy.to_toml())
    folder.revocations.write_text(documents.list_blocks(lists))
    await node.offer(OwnCardChanged(card))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Watcher(folder, node, "test", card).watch)
        nursery.start_soon(lambda: keep_renewed(node, folder, clock=clock or (lambda: net.now)))
        yield folder
        nursery.cancel_scope.cancel()


async def in_force(net, name, card):
    """The node's own card is this one."""
    while net.nodes[name].core.card.raw != card.raw:  # noqa: ASYNC110 - the node tells nobody of it
        await trio.sleep(1)


def events(net, name, kind):
    return [event for event in net.events[name] if isinstance(event, kind)]


async def until(net, condition):
    """Minutes may pass."""
    await net.wait_until(condition, timeout=20 * LIFETIME)


async def test_a_grant_is_renewed_when_two_thirds_of_its_life_are_over(autojump_clock, tmp_path):
    async with network(2) as net:
        issuing = Issuing(net)
        answer_renewals(net.nodes["alice"], issuing)
        async with renewing(net, "bob", tmp_path) as folder:
            old = folder.read_card()
            await until(net, lambda: events(net, "bob", GrantRenewed))
            new = folder.read_card()
            share = (new.grants[0].issued_at - old.grants[0].issued_at) / LIFETIME
            assert LIFE - JITTER - 0.01 <= share <= LIFE + JITTER + 0.01
            assert new.body == old.body
            assert new.grants[0].not_after == new.grants[0].issued_at + LIFETIME
            await in_force(net, "bob", new)
            assert len(issuing.asked) == 1
            assert net.linked("alice", "bob")


async def test_a_node_is_renewed_again_and_again_and_never_leaves(autojump_clock, tmp_path):
    async with network(2) as net:
        answer_renewals(net.nodes["alice"], Issuing(net))
        async with renewing(net, "bob", tmp_path, 2 * MINUTE):
            await until(net, lambda: len(events(net, "bob", GrantRenewed)) == 3)
            assert net.linked("alice", "bob")


async def test_a_clock_that_was_never_set_goes_by_the_issuers_lists(autojump_clock, tmp_path, monkeypatch):
    monkeypatch.setattr("cli.daemon.renewal.LOOK", MINUTE)
    async with network(2) as net:
        answer_renewals(net.nodes["alice"], Issuing(net))
        async with renewing(net, "bob", tmp_path, clock=lambda: 1_000):
            await trio.sleep(0.8 * LIFETIME)
            assert not events(net, "bob", GrantRenewed)
            await net.revoke()
            await net.wait_until(lambda: events(net, "bob", GrantRenewed), timeout=2 * MINUTE)
            assert net.linked("alice", "bob")


async def test_a_peer_that_is_at_no_issuer_asks_its_own_peers_once(autojump_clock):
    async with network(3) as net:
        issuing = Issuing(net)
        answer_renewals(net.nodes["alice"], issuing)
        answer_renewals(net.nodes["carol"])
        bob = net.nodes["bob"]
        question = Renew(1, bob.core.card.raw)
        answer = parse_renewal(await bob.request("carol", PROTOCOL, question.encode()))
        assert isinstance(answer, Renewed)
        assert issuing.asked == [bob.core.card]
        again = parse_renewal(await bob.request("carol", PROTOCOL, Renew(0, bob.core.card.raw).encode()))
        assert again == Refused("no-issuer")


async def test_a_question_goes_round_no_circle(autojump_clock):
    async with network(4) as net:
        for node in net.nodes.values():
            answer_renewals(node)
        bob = net.nodes["bob"]
        answer = parse_renewal(await bob.request("carol", PROTOCOL, Renew(1, bob.core.card.raw).encode()))
        assert answer == Refused("no-issuer")


async def test_nobody_has_a_peer_ask_for_others(autojump_clock):
    async with network(3) as net:
        issuing = Issuing(net)
        answer_renewals(net.nodes["alice"], issuing)
        answer_renewals(net.nodes["carol"])
        other = net.nodes["alice"].core.card.raw
        answer = parse_renewal(await net.nodes["bob"].request("carol", PROTOCOL, Renew(1, other).encode()))
        assert answer == Refused("no-issuer")
        assert issuing.asked == []


@pytest.mark.parametrize("data", [b"", b"\xc1", Refused("busy").encode(), Renew(1, b"no card").encode()])
async def test_what_is_no_question_is_refused(autojump_clock, data):
    async with network(2) as net:
        answer_renewals(net.nodes["alice"], Issuing(net))
        answer = parse_renewal(await net.nodes["bob"].request("alice", PROTOCOL, data))
        assert answer.code == "request-invalid"


async def test_two_questions_of_one_peer_at_once_are_one_too_many(autojump_clock):
    async with network(3) as net:
        answer_renewals(net.nodes["carol"])
        bob, answers = net.nodes["bob"], []

        async def never(_request):
            await trio.sleep_forever()

        net.nodes["alice"].handle(PROTOCOL, answering(never))

        async def ask():
            data = await bob.request("carol", PROTOCOL, Renew(1, bob.core.card.raw).encode(), timeout=100)
            answers.append(parse_renewal(data))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            nursery.start_soon(ask)
        assert sorted(answer.code for answer in answers) == ["busy", "no-issuer"]


async def test_one_peer_has_no_more_than_its_share_of_an_issuer_s_time(autojump_clock):
    async with network(3) as net:
        done, answers = trio.Event(), []

        class Slow(Issuing):
            async def __call__(self, card):
                await done.wait()
                return await super().__call__(card)

        slow = Slow(net)
        answer_renewals(net.nodes["alice"], slow)

        async def ask(name):
            node = net.nodes[name]
            data = await node.request("alice", PROTOCOL, Renew(0, node.core.card.raw).encode(), timeout=100)
            answers.append(parse_renewal(data))

        async with trio.open_nursery() as nursery:
            for _ in range(MAX_OF_PEER + 3):
                nursery.start_soon(ask, "bob")
            await trio.testing.wait_all_tasks_blocked()
            await net.wait_until(lambda: len(answers) == 3)
            assert answers == [Refused("busy")] * 3
            nursery.start_soon(ask, "carol")
            await trio.sleep(1)
            assert len(answers) == 3
            done.set()
        assert len(slow.asked) == MAX_OF_PEER + 1
        await ask("bob")
        assert isinstance(answers[-1], Renewed)


def lies(net):
    """Answers that a dishonest peer may give, each by its kind."""
    honest, stranger = Issuing(net), Issuing(net, IssuerKey(bytes(32)))
    other_key, other_identity = NodeKey.generate(random.Random(7).randbytes), IdentityKey(b"\x07" * 32)
    other = make_card(other_identity, other_key, network="test", now=net.now, name="mallory")
    return {
        "junk": lambda _card: b"\xc1",
        "nothing": lambda _card: b"",
        "no card": lambda _card: Renewed(b"card").encode(),
        "a question": lambda card: Renew(1, card.raw).encode(),
        "the same": lambda card: Renewed(card.raw).encode(),
        "no grant": lambda card: Renewed(card.with_grants(()).raw).encode(),
        "an older grant": lambda card: Renewed(honest.renewed(card, 9 * LIFETIME, serial=99).raw).encode(),
        "a stranger's grant": lambda card: Renewed(stranger.renewed(card.with_grants(())).raw).encode(),
        "a stranger's grant beside ours": lambda card: Renewed(stranger.renewed(card).raw).encode(),
        "another's card": lambda _card: Renewed(honest.renewed(other).raw).encode(),
        "a grant cut open": lambda card: Renewed(_damaged(honest.renewed(card)).raw).encode(),
    }


def _damaged(card: Card) -> Card:
    (one,) = card.grants
    return card.with_grants((replace(one, signature=bytes(64)),))


async def test_a_peer_that_lies_changes_nothing_and_the_next_is_asked(autojump_clock, tmp_path):
    async with network(3) as net:
        issuing = Issuing(net)
        for lie in lies(net).values():

            async def answer(request, lie=lie):
                await trio.lowlevel.checkpoint()
                return lie(Card.parse(parse_renewal(request.data).card))

            liar = f"liar-{len(net.events)}"
            async with net.run(liar, handlers={PROTOCOL: answering(answer, max_request=MAX_ASK)}):
                await net.wait_until(lambda liar=liar: net.linked("bob", liar))
                async with renewing(net, "bob", tmp_path, 2 * MINUTE) as folder:
                    old = folder.read_card()
                    await until(net, lambda: events(net, "bob", RenewalFailed))
                    assert folder.read_card() == old
                net.events["bob"].clear()
        assert issuing.asked == []


async def test_where_nobody_can_renew_it_is_said_and_tried_again(autojump_clock, tmp_path):
    async with network(2) as net, renewing(net, "bob", tmp_path, 30 * MINUTE):
        await until(net, lambda: len(events(net, "bob", RenewalFailed)) == 3)
        first, *_, last = events(net, "bob", RenewalFailed)
        assert first.reason == "no peer in reach can renew this grant"
        assert 0.2 * 30 * MINUTE < first.seconds_left < 0.4 * 30 * MINUTE
        assert first.retry_in <= 60 < last.retry_in * 2.1
        answer_renewals(net.nodes["alice"], Issuing(net))
        await until(net, lambda: events(net, "bob", GrantRenewed))


async def test_a_grant_that_ends_with_its_card_is_named_and_nobody_is_asked(autojump_clock, tmp_path):
    async with network(2) as net:
        issuing = Issuing(net)
        answer_renewals(net.nodes["alice"], issuing)
        async with renewing(net, "bob", tmp_path, 4 * MINUTE, body=4 * MINUTE):
            await until(net, lambda: events(net, "bob", RenewalFailed))
            assert "the card itself ends with its grant" in events(net, "bob", RenewalFailed)[0].reason
            assert issuing.asked == []


async def test_a_node_at_an_issuer_renews_itself(autojump_clock, tmp_path):
    async with network(1) as net:
        issuing = Issuing(net)
        async with trio.open_nursery() as nursery:
            node = net.nodes["alice"]
            key, identity = net.keys("alice")
            card = issuing.renewed(make_card(identity, key, network="test", now=net.now, name="alice", sequence=2))
            folder = NodeFolder(tmp_path)
            folder.card.write_text(documents.card_block(card))
            nursery.start_soon(lambda: keep_renewed(node, folder, issuing, clock=lambda: net.now))
            await until(net, lambda: events(net, "alice", GrantRenewed))
            nursery.cancel_scope.cancel()
        assert folder.read_card().grants[0].serial > card.grants[0].serial


async def test_a_card_that_was_installed_meanwhile_stays(autojump_clock, tmp_path):
    async with network(2) as net:
        key, identity = net.keys("bob")
        folder = NodeFolder(tmp_path)
        newer = Issuing(net).renewed(
            make_card(identity, key, network="test", now=net.now, name="bob", sequence=9 + net.now)
        )

        class Slow(Issuing):
            async def __call__(self, card):
                folder.card.write_text(documents.card_block(newer))
                return await super().__call__(card)

        slow = Slow(net)
        answer_renewals(net.nodes["alice"], slow)
        async with renewing(net, "bob", tmp_path, 2 * MINUTE):
            await until(net, lambda: slow.asked)
            await trio.sleep(60)
            assert folder.read_card() == newer


def grant_of(key, card):
    return next(one for one in card.grants if one.kid == key.public.hint)


async def test_a_forged_grant_beside_a_good_one_is_not_taken(autojump_clock, tmp_path):
    async with network(2) as net:
        ops, lab = Issuing(net), Issuing(net, LAB)

        async def answer(request):
            await trio.lowlevel.checkpoint()
            both = lab.renewed(ops.renewed(Card.parse(parse_renewal(request.data).card), serial=500), 50 * LIFETIME)
            forged = tuple(
                replace(one, signature=bytes(64)) if one == grant_of(LAB, both) else one for one in both.grants
            )
            return Renewed(both.with_grants(forged).raw).encode()

        net.nodes["alice"].handle(PROTOCOL, answering(answer, max_request=MAX_ASK))
        async with renewing(net, "bob", tmp_path, lab=30 * LIFETIME) as folder:
            old = folder.read_card()
            await until(net, lambda: events(net, "bob", GrantRenewed))
            new = folder.read_card()
            assert grant_of(net.issuer, new).serial == 500
            assert grant_of(LAB, new) == grant_of(LAB, old)
            await in_force(net, "bob", new)


@pytest.mark.parametrize("knows_lab", [True, False])
async def test_an_issuer_that_is_gone_does_not_stop_the_renewal_of_the_other(autojump_clock, tmp_path, knows_lab):
    async with network(2) as net:
        answer_renewals(net.nodes["alice"], Issuing(net), clock=lambda: net.now)
        async with renewing(net, "bob", tmp_path, lab=2 * MINUTE, knows_lab=knows_lab):
            await until(net, lambda: len(events(net, "bob", GrantRenewed)) == 3)
            assert net.linked("alice", "bob")
            failures = events(net, "bob", RenewalFailed)
            assert {one.issuer for one in failures} == {"lab" if knows_lab else LAB.public.hint.hex()}
            assert failures[0].seconds_left > 0 > failures[-1].seconds_left


async def test_grants_of_two_issuers_are_renewed_by_the_peers_that_reach_each(autojump_clock, tmp_path):
    async with network(3) as net:
        ops, lab = Issuing(net), Issuing(net, LAB)
        answer_renewals(net.nodes["alice"], ops)
        answer_renewals(net.nodes["carol"], lab)
        async with renewing(net, "bob", tmp_path, lab=LIFETIME) as folder:
            old = folder.read_card()
            await until(net, lambda: not set(folder.read_card().grants) & set(old.grants))
            assert events(net, "bob", RenewalFailed) == []
            assert {one.kid for one in folder.read_card().grants} == {one.kid for one in old.grants}


async def test_a_grant_with_years_to_go_is_not_renewed_with_its_neighbour(autojump_clock, tmp_path):
    async with network(2) as net:
        lab = Issuing(net, LAB)
        answer_renewals(net.nodes["alice"], lab)
        async with renewing(net, "bob", tmp_path, lifetime=1000 * LIFETIME, lab=LIFETIME) as folder:
            old = folder.read_card()
            await until(net, lambda: len(events(net, "bob", GrantRenewed)) == 2)
            assert grant_of(net.issuer, folder.read_card()) == grant_of(net.issuer, old)
            assert events(net, "bob", RenewalFailed) == []


async def test_who_passes_a_question_on_prefers_what_counts_to_what_a_liar_says(autojump_clock, monkeypatch):
    async with network(3) as net:
        answer_renewals(net.nodes["alice"], Issuing(net))
        answer_renewals(net.nodes["carol"], clock=lambda: net.now)
        bob = net.nodes["bob"]

        async def answer(request):
            await trio.lowlevel.checkpoint()
            asked.append(request)
            return Renewed(_damaged(Card.parse(parse_renewal(request.data).card)).raw).encode()

        asked = []
        monkeypatch.setattr("random.shuffle", lambda peers: peers.sort(key=lambda peer: peer.name != "liar"))
        async with net.run("liar", handlers={PROTOCOL: answering(answer, max_request=MAX_ASK)}):
            await net.wait_until(lambda: net.linked("carol", "liar"))
            found = parse_renewal(await bob.request("carol", PROTOCOL, Renew(1, bob.core.card.raw).encode()))
            assert asked
            assert Card.parse(found.card).grants[0].serial == 101


async def test_who_passes_a_question_on_gives_back_what_it_cannot_judge_as_well(autojump_clock):
    async with network(3) as net:
        lab = Issuing(net, LAB)
        answer_renewals(net.nodes["alice"], lab)
        answer_renewals(net.nodes["carol"], clock=lambda: net.now)
        bob = net.nodes["bob"]
        found = parse_renewal(await bob.request("carol", PROTOCOL, Renew(1, bob.core.card.raw).encode()))
        assert grant_of(LAB, Card.parse(found.card)).serial == 101


def test_a_grant_is_due_when_two_thirds_of_its_life_are_over():
    key, identity, now = NodeKey.generate(random.Random(1).randbytes), IdentityKey(bytes(32)), 1_800_000_000
    card = make_card(identity, key, network="test", now=now)
    issuer = IssuerKey(bytes([1]) * 32)
    card = grant(issuer, card, serial=1, now=now, lifetime=300, entropy=random.Random(1).randbytes)
    assert renewal_due(card.grants[0]) == now + 200
