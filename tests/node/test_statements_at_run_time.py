"""Statements while nodes run: endings, conflicts and delegations act on live links at once and travel by themselves."""

import pytest

from cards import Conflict, Delegation, SelfRevocation
from p2pnoise.gossip import statements
from p2pnoise.gossip.effects import StorePeer, StoreStatement
from p2pnoise.gossip.encoding import encode
from p2pnoise.gossip.messages import GivenStatements
from p2pnoise.node import effects as io
from p2pnoise.node.frames import Code, Kind, encode_frame


def offer(net, member, fact):
    return net.give(member, io.FactOffered(fact, "statements.pem"))


def three(net, **options):
    """Ada, bob and carl in a line, each knowing all."""
    ada, bob, carl = (net.member(name, target_links=0, **options) for name in ("ada", "bob", "carl"))
    net.link(ada, bob)
    net.link(carl, bob)
    assert len(ada.core.table) == 3
    return ada, bob, carl


def held(member):
    return set(member.core.table.facts.statements)


def node_conflict(net, member):
    """Another identity on the node key of a member."""
    other = net.card("other", keys=(member.key, net.keys("other")[1]))
    return Conflict.between(member.core.card, other)


ENDINGS = {
    "self-revocation": lambda net, member: net.self_revocation(member.identity),
    "succession": lambda net, member: net.succession(member.identity, net.keys("heir")[1]),
    "conflict": node_conflict,
}


@pytest.mark.parametrize("what", ENDINGS)
def test_what_ends_a_peer_cuts_its_live_links_at_once_and_reaches_all(net, what):
    ada, bob, carl = three(net)
    statement = ENDINGS[what](net, carl)
    offer(net, ada, statement)
    assert not bob.up(carl)
    assert bob.up(ada)
    assert len(bob.told("peer-lost")) == 1
    for member in (ada, bob):
        assert member.core.table.by_node(carl.core.node_id) is None
        (applied,) = member.told("statement-applied")
        assert applied.statement == what
        assert applied.dropped == (carl.core.node_id,)
    assert ada.told("statement-applied")[0].source == "statements.pem"
    assert bob.told("statement-applied")[0].source == ada.core.node_id.short
    assert carl.told("own-card-rejected") or what == "conflict" or not held(carl)


def test_a_retirement_cuts_the_peers_of_that_issuer_and_no_others(net):
    lists = (net.first_list, net.make_list(1, issuer=net.second))
    ada, bob = (net.member(name, policy=net.both, lists=lists, target_links=0) for name in ("ada", "bob"))
    card = net.card("carl", issuer=net.second)
    carl = net.member("carl", policy=net.both, lists=lists, card=card, target_links=0)
    net.link(ada, bob)
    net.link(carl, bob)
    offer(net, ada, net.retirement(net.second))
    assert not bob.up(carl)
    assert bob.up(ada)
    assert bob.told("statement-applied")[0].subject == "lab"
    assert len(ada.core.table) == len(bob.core.table) == 2


def test_whoever_ends_itself_hears_that_its_own_card_counts_no_more(net):
    ada, bob, carl = three(net)
    offer(net, carl, net.self_revocation(carl.identity))
    assert "revoked" in {finding.code for finding in carl.told("own-card-rejected")[0].findings}
    assert not bob.up(carl)
    assert ada.core.table.by_node(carl.core.node_id) is None


def test_a_delegation_that_travels_lets_its_delegates_members_in(net):
    ada, bob, _ = three(net)
    given = {
        "iss": net.issuer.public,
        "key": net.second.public,
        "path": 0,
        "nbf": net.START - 200,
        "exp": net.START + 900,
    }
    card = net.card("dora", issuer=net.second, grant_lifetime=700)
    dora = net.member("dora", card=card, target_links=0)
    net.link(dora, ada)
    assert not ada.up(dora)
    offer(net, bob, net.sign(Delegation, net.issuer, **given))
    offer(net, dora, net.sign(Delegation, net.issuer, **given))
    net.link(dora, ada)
    assert ada.up(dora)
    offer(net, bob, net.make_list(2, revoked=[net.second.public]))  # which names the delegate, and no member
    assert not ada.up(dora)


def test_a_latecomer_is_told_of_everything(net):
    ada, bob, carl = three(net)
    offer(net, ada, net.self_revocation(carl.identity))
    dora = net.member("dora", target_links=0)
    net.link(dora, ada)
    net.link(carl, dora)
    assert not dora.up(carl)
    assert dora.core.table.by_node(carl.core.node_id) is None
    assert held(ada) == held(bob)


def test_an_ending_of_somebody_unknown_waits_until_that_one_comes(net):
    """A newcomer is told of it before it has met that peer, and that peer would come to it next."""
    ada, _, carl = three(net)
    offer(net, ada, net.self_revocation(carl.identity))
    dora = net.member("dora", target_links=0)
    net.link(dora, ada)
    assert held(dora) == set()
    net.link(carl, dora)
    assert held(dora) == held(ada)
    assert [event.reason for event in dora.told("peer-refused")] == ["revoked"]
    assert not any(event.node_id == carl.core.node_id for event in dora.told("peer-verified"))


def test_without_that_waiting_the_newcomer_takes_it_for_a_good_peer(net, monkeypatch):
    monkeypatch.setattr(statements.StatementExchange, "early", lambda *_: None)
    ada, _, carl = three(net)
    offer(net, ada, net.self_revocation(carl.identity))
    dora = net.member("dora", target_links=0)
    net.link(dora, ada)
    net.link(carl, dora)
    assert dora.up(carl)


# What a hostile member can do.


def give(puppet, *given):
    """What an honest peer would: name statements, and give those that it is asked for."""
    from p2pnoise.gossip.encoding import encode  # noqa: PLC0415
    from p2pnoise.gossip.messages import GivenStatements, HeldStatements  # noqa: PLC0415

    puppet.frame(Kind.GOSSIP, encode(HeldStatements(tuple(one.digest for one in given))))
    for place in range(0, len(given), 50):
        said = GivenStatements(tuple((one.label, one.raw) for one in given[place : place + 50]))
        puppet.frame(Kind.GOSSIP, encode(said))
        puppet.frame(Kind.GOSSIP, encode(GivenStatements(())))


def strangers(net, count):
    return [net.self_revocation(net.keys(f"stranger-{number}")[1]) for number in range(count)]


def test_strangers_cannot_fill_the_places_of_statements(net):
    ada = net.member("ada", target_links=0)
    puppet = net.puppet(ada, "eve").come_up()
    give(puppet, *strangers(net, 60))
    assert not puppet.ended
    assert held(ada) == set()
    assert not ada.told("statement-applied")


def test_the_endings_of_strangers_that_wait_are_bounded(net, monkeypatch):
    monkeypatch.setattr(statements, "MAX_EARLY", 10)
    ada = net.member("ada", target_links=0)
    give(net.puppet(ada, "eve").come_up(), *strangers(net, 60))
    assert len(ada.core._overlay._facts.statements._early) == 10


def test_a_member_takes_one_place_with_its_own_ending(net):
    ada = net.member("ada", target_links=0)
    bob = net.member("bob", target_links=0)
    net.link(bob, ada)
    puppet = net.puppet(ada, "eve").come_up()
    give(puppet, *(net.sign(SelfRevocation, bob.identity, key=bob.identity.public, reason=f"r-{n}") for n in range(9)))
    assert len(held(ada)) == 1


def test_a_delegate_cannot_fill_the_places_either(net, monkeypatch):
    monkeypatch.setattr("cards.shares.MAX_DELEGATIONS", 3)
    ada = net.member("ada", target_links=0)
    puppet = net.puppet(ada, "eve").come_up()
    many = [
        net.sign(
            Delegation,
            net.issuer,
            iss=net.issuer.public,
            key=net.second.public,
            path=0,
            nbf=net.START,
            exp=net.START + number,
        )
        for number in range(1, 9)
    ]
    give(puppet, *many)
    assert len(held(ada)) == 3


def unsigned(net, member):
    good = net.self_revocation(member.identity)
    return SelfRevocation.from_parts(good.body, bytes(64))


def test_a_statement_that_nobody_signed_ends_the_link_and_changes_nothing(net):
    ada, bob, carl = three(net)
    puppet = net.puppet(ada, "eve").come_up()
    give(puppet, unsigned(net, carl))
    assert puppet.ended
    assert "not signed by" in ada.told("peer-lost")[0].reason
    assert held(ada) == held(bob) == set()
    assert len(ada.core.table) == 4


def test_a_statement_that_was_not_asked_for_is_taken_where_it_holds(net):
    from p2pnoise.gossip.encoding import encode  # noqa: PLC0415
    from p2pnoise.gossip.messages import GivenStatements  # noqa: PLC0415

    ada, _, carl = three(net)
    puppet = net.puppet(ada, "eve").come_up()
    one = net.self_revocation(carl.identity)
    puppet.frame(Kind.GOSSIP, encode(GivenStatements(((one.label, one.raw),))))
    assert not puppet.ended
    assert held(ada) == {one.digest}


def test_a_kind_of_statement_of_tomorrow_is_let_pass(net):
    from p2pnoise.gossip.encoding import encode  # noqa: PLC0415
    from p2pnoise.gossip.messages import GivenStatements, HeldStatements  # noqa: PLC0415

    ada = net.member("ada", target_links=0)
    puppet = net.puppet(ada, "eve").come_up()
    puppet.frame(Kind.GOSSIP, encode(HeldStatements((b"d" * 32,))))
    puppet.frame(Kind.GOSSIP, encode(GivenStatements((("TOMORROW", b"raw"),))))
    assert not puppet.ended


def test_statements_before_the_peer_is_judged_are_let_pass(net):
    from p2pnoise.gossip.encoding import encode  # noqa: PLC0415
    from p2pnoise.gossip.messages import HeldStatements  # noqa: PLC0415

    ada = net.member("ada", target_links=0)
    puppet = net.puppet(ada, "eve").handshake().hello()
    puppet.message(encode_frame(Kind.GOSSIP, encode(HeldStatements((b"d" * 32,)))))
    assert ada.core._overlay._facts.statements._named == {}


# Conflicts that a node meets itself.


def twin(net, member, *, issuer=None, sequence=1):
    """Another card of a member's identity with the same number."""
    bare = net.card(f"{member.name}-twin", keys=(member.key, member.identity), sequence=sequence, issuer=issuer)
    assert bare.card_id != member.core.card.card_id
    return bare


def clone(net, member, **options):
    """A node on other keys of the node, but of this identity and number."""
    keys = (net.keys(f"{member.name}'s clone")[0], member.identity)
    card = net.card(f"{member.name}-clone", keys=keys, **options)
    return net.member(f"{member.name}-clone", keys=keys, card=card, target_links=0)


def test_two_granted_cards_of_one_number_become_a_proof_that_reaches_all(net):
    ada, bob, carl = three(net)
    other = clone(net, carl)
    dora = net.member("dora", target_links=0)
    net.link(other, dora)
    net.link(dora, ada)
    for member in (ada, bob, dora):
        (proof,) = member.core.table.facts.statements.values()
        assert (proof.kind, proof.subject) == ("identity", bytes(carl.identity.public))
    assert bob.up(carl)  # what was accepted first stays
    emil = net.member("emil", target_links=0)
    net.link(emil, bob)
    for one in (carl, other):
        net.link(one, emil)
        assert not emil.up(one)


def test_a_card_with_a_higher_number_ends_the_freeze(net):
    ada, bob, carl = three(net)
    other = clone(net, carl)
    net.link(other, ada)
    net.link(ada, other)
    assert len(held(ada)) == 1
    emil = net.member("emil", target_links=0)
    net.link(emil, bob)
    net.give(carl, io.OwnCardChanged(net.card("carl", sequence=2)))
    net.link(carl, emil)
    assert emil.up(carl)


def test_a_thief_of_an_identity_key_alone_freezes_nobody(net):
    ada, _, carl = three(net)
    other = clone(net, carl, issuer=net.stranger)
    net.link(ada, other)
    puppet = net.puppet(ada, "eve").come_up()
    give(puppet, Conflict.between(carl.core.card, other.core.card))
    assert not puppet.ended
    assert held(ada) == set()


def test_two_identities_on_one_node_key_become_a_proof_and_nobody_keeps_it(net):
    ada, bob, carl = three(net)
    thief = net.member("thief", keys=(carl.key, net.keys("thief")[1]), target_links=0)
    dora = net.member("dora", target_links=0)
    net.link(thief, dora)
    assert dora.up(thief)
    net.link(dora, ada)
    for member in (ada, bob, dora):
        (proof,) = member.core.table.facts.statements.values()
        assert (proof.kind, proof.subject) == ("node", bytes(carl.core.node_id))
        assert member.core.table.by_node(carl.core.node_id) is None
    assert not bob.up(carl)
    assert not dora.up(thief)


def test_one_subject_takes_one_place(net):
    ada, _, carl = three(net)
    first, second = (
        Conflict.between(carl.core.card, net.card(name, keys=(carl.key, net.keys(name)[1]))) for name in ("x", "y")
    )
    give(net.puppet(ada, "eve").come_up(), first)
    give(net.puppet(ada, "mallory").come_up(), second)
    assert len(held(ada)) == 1


def test_two_lists_of_one_number_become_a_proof(net):
    ada, bob, carl = three(net)
    offer(net, ada, net.make_list(2))
    offer(net, ada, net.make_list(2, now=net.START - 90))
    for member in (ada, bob, carl):
        (proof,) = member.core.table.facts.statements.values()
        assert (proof.kind, proof.subject) == ("issuer", bytes(net.issuer.public))
        assert len(member.core.table) == 3


def test_whoever_merely_dials_with_a_contradicting_card_changes_nothing(net):
    """A first message may be a recording (P10)."""
    ada, _, carl = three(net)
    before = ada.state
    keys = (net.keys("carl's clone")[0], carl.identity)
    puppet = net.puppet(ada, "clone", keys=keys, card=net.card("carl-clone", keys=keys)).handshake()
    assert puppet.ended
    assert held(ada) == set()
    assert ada.state == before


def test_whoever_answers_our_dial_with_a_contradicting_card_proves_it(net):
    ada, _, carl = three(net)
    other = clone(net, carl)
    net.link(ada, other)
    assert len(held(ada)) == 1


# What is stored.


def test_a_statement_is_stored_with_what_it_took_out_before_anybody_hears_of_it(net):
    ada, bob, carl = three(net)
    offer(net, ada, net.self_revocation(carl.identity))
    for member in (ada, bob):
        (batch,) = [batch for batch in member.batches if any(isinstance(one, StoreStatement) for one in batch)]
        kinds = [type(one) for one in batch if isinstance(one, StoreStatement | StorePeer)]
        assert kinds == [StoreStatement, StorePeer]
        told = [
            place
            for place, one in enumerate(batch)
            if isinstance(one, io.Emit) and one.event.kind == "statement-applied"
        ]
        assert batch.index(next(one for one in batch if isinstance(one, StoreStatement))) < told[0]


def test_restored_statements_hold_before_any_peer_comes_back(net):
    ada, _, carl = three(net)
    again = net.member("ada", listening=False, boot="again", target_links=0)
    statement = net.self_revocation(carl.identity)
    net.give(again, io.TrustRestored((net.first_list, statement), {}))
    stored = [io.StoredPeer(peer.card, None, "live", 1, b"x" * 32) for peer in ada.core.table]
    net.give(again, io.PeersRestored(tuple(stored)))
    assert again.core.table.by_node(carl.core.node_id) is None
    assert len(again.core.table) == 2


def test_a_retirement_is_restored_although_its_issuer_has_left_the_policy(net):
    """Or it would count again when somebody puts it back."""
    ada = net.member("ada", listening=False, target_links=0)
    net.give(ada, io.TrustRestored((net.retirement(net.second),), {}))
    net.give(ada, io.PolicyChanged(net.both))
    assert bytes(net.second.public) in ada.core.table.facts.retired(ada.core.table.policy)


def test_a_restored_statement_that_nobody_signed_is_left_out(net):
    ada = net.member("ada", listening=False, target_links=0)
    net.give(ada, io.TrustRestored((unsigned(net, ada),), {}))
    assert held(ada) == set()


def test_a_statement_of_a_file_that_nobody_signed_is_named(net):
    ada, _, carl = three(net)
    offer(net, ada, unsigned(net, carl))
    (rejected,) = ada.told("file-rejected")
    assert rejected.file == "statements.pem"
    assert "not signed by" in rejected.reason
    assert held(ada) == set()


def test_the_same_statement_again_is_no_news(net):
    ada, _, carl = three(net)
    for _ in range(2):
        offer(net, ada, net.self_revocation(carl.identity))
    assert len(ada.told("statement-applied")) == 1
    assert not ada.told("file-rejected")


def test_the_reason_that_a_peer_hears(net):
    ada = net.member("ada", target_links=0)
    puppet = net.puppet(ada, "carl").come_up()
    offer(net, ada, net.self_revocation(puppet.identity))
    assert puppet.told is Code.REVOKED


def test_an_end_crosses_a_partition_that_heals_beside_a_newer_list(net):
    """Who has all lists that the other names judges it first, and says at once what else it knows."""
    ada, bob = net.two()
    dora = net.member("dora", target_links=0)
    for member in (ada, bob):
        member.core.table.offer_card(dora.core.card, net.unix, source=b"")
    net.link(bob, dora)
    offer(net, ada, net.make_list(2))
    offer(net, ada, net.self_revocation(dora.identity))
    net.link(ada, bob)
    assert not bob.up(dora)


@pytest.mark.parametrize("raw", [b"garbage", None], ids=["no statement", "another's signature"])
def test_a_statement_that_breaks_the_protocol_before_its_giver_is_judged_ends_that_link_alone(net, raw):
    ada = net.member("ada", target_links=0)
    _, dora = net.keys("dora")
    ada.core.table.offer_card(net.card("dora"), net.unix, source=b"")
    if raw is None:
        raw = net.self_revocation(dora).raw
        raw = raw[:-1] + bytes([raw[-1] ^ 1])
    eve = net.puppet(ada, "eve").handshake().hello()
    eve.frame(Kind.GOSSIP, encode(GivenStatements(((SelfRevocation.label, raw),))))
    eve.heads()
    assert eve.link is None
