"""Shares: how many delegations one signer and one issuer may have, so that no issuer takes the places of another."""

import itertools
import random

import pytest

import cards


def keys(count, name):
    return [cards.IssuerKey(f"{name} {n}".encode().ljust(32)) for n in range(count)]


@pytest.fixture(autouse=True)
def _few(monkeypatch):
    monkeypatch.setattr("cards.facts.MAX_STATEMENTS", 12)  # six for each of two issuers
    monkeypatch.setattr("cards.shares.MAX_DELEGATIONS", 3)


def hold(world, facts, *, held=None, times=1):
    """What is held once all of these were offered, so many times."""
    held = held or cards.Facts(world.holding())
    for fact in [*facts] * times:
        held, _ = held.add(fact, policy=world.policy, now=world.now)
    return held


def delegates(root):
    """Four of a root, and four of each of these."""
    name = root.public.hex()[:4]
    return keys(4, f"{name} site") + keys(16, f"{name} gate")


def tree(world, root):
    """The delegations of these, more than all shares: of the root, and of its delegates."""
    sites, gates = delegates(root)[:4], delegates(root)[4:]
    above = [world.delegation(site, root, path=1, exp=world.now + 1000 + n) for n, site in enumerate(sites)]
    return above, [world.delegation(gate, sites[n // 4], exp=world.now + 500 + n) for n, gate in enumerate(gates)]


def test_of_one_signer_those_stay_that_end_last(world):
    sites, _ = tree(world, world.issuer)
    assert {*hold(world, sites).statements} == {one.digest for one in sites[1:]}
    held = hold(world, sites[1:])
    after, finding = held.add(sites[0], policy=world.policy, now=world.now)
    assert after is held
    assert finding.code == "too-large"


def test_one_issuer_takes_no_place_of_another(world):
    sites, gates = tree(world, world.second)
    held = hold(world, [*sites, *gates])
    assert len(held.statements) == 6
    honest = [world.delegation(key) for key in keys(3, "honest")]
    after = hold(world, honest, held=held)
    assert {*held.statements, *(one.digest for one in honest)} == {*after.statements}


def test_what_an_issuer_says_itself_is_not_crowded_out_by_its_delegates(world):
    sites, gates = tree(world, world.issuer)
    held = hold(world, [sites[0], *gates[:4], *sites[1:]])
    assert {one.digest for one in sites[1:]} <= {*held.statements}
    assert not {one.digest for one in gates[:4]} & {*held.statements}  # whose signer had to go


@pytest.mark.parametrize("seed", range(20))
def test_whatever_came_first_the_same_stay(world, seed):
    """Or nodes would ask one another for ever for what each has no place for."""
    everything = [one for root in (world.issuer, world.second) for some in tree(world, root) for one in some]
    held = [hold(world, random.Random(f"{seed} {n}").sample(everything, len(everything)), times=3) for n in range(2)]
    assert {*held[0].statements} == {*held[1].statements}


def test_an_issuer_is_retired_whatever_its_delegates_have_filled(world):
    """Or a rogue one could keep itself from being retired, and all honest ones too."""
    everything = [one for root in (world.issuer, world.second) for some in tree(world, root) for one in some]
    secrets = {key.public: key for root in (world.issuer, world.second) for key in delegates(root)}
    held = hold(world, everything)
    lent = [one.key for one in everything if one.digest in held.statements]
    held = hold(world, (world.retirement(secrets[key]) for key in lent[::-1]), held=held)
    assert sum(isinstance(one, cards.Retirement) for one in held.statements.values()) == 12
    for issuer in (world.second, world.issuer):
        held, finding = held.add(world.retirement(issuer), policy=world.policy, now=world.now)
        assert finding is None


def test_who_delegates_and_retires_without_end_has_no_more_places(world):
    held = cards.Facts(world.holding())
    for number, key in enumerate(keys(40, "short-lived")):
        held = hold(world, [world.delegation(key, exp=world.now + 100 + number), world.retirement(key)], held=held)
        assert len(held.statements) <= 6


def test_a_key_that_another_still_names_stays_retired(world):
    shared = cards.IssuerKey(b"shared".ljust(32))
    first = world.delegation(shared, exp=world.now + 100)
    held = hold(world, [first, world.delegation(shared, world.second), world.retirement(shared)])
    held = hold(world, (world.delegation(key) for key in keys(3, "later")), held=held)
    assert first.digest not in held.statements
    assert shared.public in held.retired(world.policy)


def test_what_the_operator_says_has_a_place_where_strangers_have_filled_all(world, monkeypatch):
    monkeypatch.setattr("cards.facts.MAX_STATEMENTS", 3)
    strangers = itertools.islice((cards.IdentityKey(bytes([n]) * 32) for n in itertools.count(1)), 3)
    held = world.facts(*map(world.self_revocation, strangers))
    ending = world.self_revocation(world.identity)
    assert held.add(ending, policy=world.policy, now=world.now)[1].code == "too-large"
    after, finding = held.add(ending, policy=world.policy, now=world.now, own=True)
    assert finding is None
    assert ending.digest in after.statements


def test_what_a_delegate_may_no_longer_delegate_stays_with_nobody(world, monkeypatch):
    monkeypatch.setattr("cards.shares.MAX_DELEGATIONS", 1)
    site, gate = keys(2, "site")
    wide = world.delegation(site, path=1, exp=world.now + 1000)
    below = world.delegation(gate, site, exp=world.now + 1000)
    narrow = world.delegation(site, path=0, exp=world.now + 2000)  # takes the place of the first
    found = {
        frozenset(hold(world, order, times=3).statements) for order in itertools.permutations([wide, below, narrow])
    }
    assert found == {frozenset([narrow.digest])}
