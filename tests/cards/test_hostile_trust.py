"""Policy, time and state: well signed and still not believed; lists of revocations, and what none can take back."""

import dataclasses
import itertools

import pytest

import cards
from cards.verification import MAX_JUMP

DAY = 86400


def codes(verdict):
    return [finding.code for finding in verdict.findings]


def granted(world, **attrs):
    body = world.card.body
    return world.envelope(body, grants=[world.app(body, **attrs)])


def revoking(world, *subjects, **options):
    entries = [world.entry(subject) for subject in subjects]
    return world.holding(world.make_list(entries=entries, **options), world.make_list(world.second))


def due(world, late):
    """Lists of which the first issuer's was due `late` seconds ago."""
    return world.holding(
        world.make_list(lifetime=2 * DAY - late, now=world.now - 2 * DAY), world.make_list(world.second)
    )


CASES = [
    ("grant ended a second ago", lambda w: granted(w, exp=w.now - 1), {}, ["expired-app", "threshold"], 6),
    ("grant ends now", lambda w: granted(w, exp=w.now), {}, ["expired-app", "threshold"], 6),
    ("grant begins in 301 s", lambda w: granted(w, nbf=w.now + 301), {}, ["not-yet-valid", "threshold"], 6),
    ("grant issued in 301 s", lambda w: granted(w, iat=w.now + 301), {}, ["not-yet-valid", "threshold"], 6),
    ("card ended", lambda w: w.envelope(exp=w.now - 1), {}, ["expired"], 6),
    ("card ends now", lambda w: w.envelope(exp=w.now), {}, ["expired"], 6),
    ("card begins in 301 s", lambda w: w.envelope(nbf=w.now + 301), {}, ["not-yet-valid"], 6),
    ("card made in 301 s", lambda w: w.envelope(iat=w.now + 301), {}, ["not-yet-valid"], 6),
    ("no grant", lambda w: w.make_card().raw, {}, ["threshold"], 5),
    (
        "grant of an issuer that we do not know",
        lambda w: w.grant(w.make_card(), w.mallory_issuer).raw,
        {},
        ["unknown-issuer", "threshold"],
        5,
    ),
    (
        "lower sequence number",
        lambda w: w.raw,
        {"mark": lambda _w: cards.Mark(8, bytes(32))},
        ["rollback"],
        8,
    ),
    (
        "another card of the same number",
        lambda w: w.raw,
        {"mark": lambda _w: cards.Mark(7, bytes(32))},
        ["equivocation"],
        8,
    ),
    (
        "a jump of 2^33",
        lambda w: w.envelope(seq=7 + 2**33),
        {"mark": lambda w: cards.Mark(7, w.card.card_id)},
        ["suspicious-jump"],
        8,
    ),
    (
        "another static key than the card's",
        lambda w: w.raw,
        {"peer_static": lambda w: bytes(w.mallory_node.public)},
        ["node-mismatch"],
        9,
    ),
    (
        "identity revoked",
        lambda w: w.raw,
        {"facts": lambda w: cards.Facts(revoking(w, w.identity.public))},
        ["revoked", "threshold"],
        7,
    ),
    (
        "card revoked",
        lambda w: w.raw,
        {"facts": lambda w: cards.Facts(revoking(w, w.card.card_id))},
        ["revoked", "threshold"],
        7,
    ),
    (
        "card revoked, then granted again",
        lambda w: w.grant(w.card, serial=2, groups=["admins"]).raw,
        {"facts": lambda w: cards.Facts(revoking(w, w.card.card_id))},
        ["revoked", "threshold"],
        7,
    ),
    (
        "identity revoked, then a new card with a new node key",
        lambda w: w.grant(w.make_card(node=w.mallory_node, sequence=8)).raw,
        {"facts": lambda w: cards.Facts(revoking(w, w.identity.public))},
        ["revoked", "threshold"],
        7,
    ),
    (
        "no list of the issuer",
        lambda w: w.raw,
        {"facts": lambda w: cards.Facts(w.holding(w.make_list(w.second)))},
        ["revocation-missing", "threshold"],
        5,
    ),
    (
        "list overdue by more than the grace",
        lambda w: w.raw,
        {"facts": lambda w: cards.Facts(due(w, DAY))},
        ["revocation-stale", "threshold"],
        5,
    ),
    (
        "wrong network and expired and rolled back: the worst decides",
        lambda w: w.envelope(net="other-net", exp=w.now),
        {"mark": lambda _w: cards.Mark(8, bytes(32))},
        ["wrong-network", "expired", "rollback"],
        8,
    ),
]


@pytest.mark.parametrize(
    ("make", "state", "expected", "exit_code"),
    [pytest.param(make, state, expected, exit_, id=name) for name, make, state, expected, exit_ in CASES],
)
def test_a_well_signed_card_is_refused_for_its_reason(world, make, state, expected, exit_code):
    options = {name: value(world) for name, value in state.items()}
    verdict = world.verify(make(world), **options)
    hurried = world.verify(make(world), **options, thorough=False)

    assert codes(verdict) == expected
    assert verdict.exit_code == exit_code
    assert not verdict.ok
    assert (verdict.groups, verdict.issuers, verdict.valid_until) == ((), (), 0)
    assert not hurried.ok
    assert set(codes(hurried)) <= set(expected)


ACCEPTED = [
    ("begins in 299 s", lambda w: w.envelope(nbf=w.now + 299), {}, []),
    ("begins in 300 s", lambda w: w.envelope(nbf=w.now + 300), {}, []),
    ("grant begins in 300 s", lambda w: granted(w, nbf=w.now + 300), {}, []),
    ("ends in 1 s", lambda w: w.envelope(exp=w.now + 1), {}, []),
    ("the very card of the mark", lambda w: w.raw, {"mark": lambda w: cards.Mark(7, w.card.card_id)}, []),
    ("a jump of 2^32", lambda w: w.envelope(seq=7 + MAX_JUMP), {"mark": lambda _w: cards.Mark(7, bytes(32))}, []),
    ("its own static key", lambda w: w.raw, {"peer_static": lambda w: bytes(w.node.public)}, []),
    (
        "another's identity revoked",
        lambda w: w.raw,
        {"facts": lambda w: cards.Facts(revoking(w, w.mallory.public))},
        [],
    ),
    ("list due now", lambda w: w.raw, {"facts": lambda w: cards.Facts(due(w, 0))}, ["revocation-stale"]),
    ("list late within the grace", lambda w: w.raw, {"facts": lambda w: cards.Facts(due(w, 99))}, ["revocation-stale"]),
    ("lists not looked at", lambda w: w.raw, {"facts": lambda _w: None}, ["revocation-unchecked"]),
    (
        "an ended grant beside a good one",
        lambda w: w.envelope(w.card.body, grants=[w.app(w.card.body, exp=w.now), w.app(w.card.body)]),
        {},
        ["expired-app"],
    ),
    (
        "revoked by one issuer, granted by another",
        lambda w: w.grant(w.card, w.second).raw,
        {"facts": lambda w: cards.Facts(revoking(w, w.identity.public))},
        ["revoked"],
    ),
    (
        "no list of one issuer, granted by another",
        lambda w: w.grant(w.card, w.second).raw,
        {"facts": lambda w: cards.Facts(w.holding(w.make_list()))},
        ["revocation-missing"],
    ),
]


@pytest.mark.parametrize(
    ("make", "state", "expected"), [pytest.param(make, state, expected, id=n) for n, make, state, expected in ACCEPTED]
)
def test_a_good_card_is_verified_and_warnings_do_not_change_that(world, make, state, expected):
    verdict = world.verify(make(world), **{name: value(world) for name, value in state.items()})
    assert codes(verdict) == expected
    assert (verdict.level, verdict.exit_code, verdict.groups) == ("verified", 0, ("agents",))


def test_an_established_peer_outlives_an_overdue_list(world):
    verdict = world.verify(world.raw, facts=cards.Facts(due(world, DAY)), established=True)
    assert (verdict.ok, codes(verdict)) == (True, ["revocation-stale"])


def test_one_issuer_signing_twice_counts_once_and_its_higher_serial_holds(world):
    body = world.card.body
    old, new = world.app(body, sn=1, grp=["admins"]), world.app(body, sn=2, grp=["agents"])
    for grants in ([old, new], [new, old]):
        verdict = world.verify(world.envelope(body, grants=grants))
        assert verdict.issuers == (world.issuer.public,)
        assert verdict.groups == ("agents",)


def test_a_verdict_ends_with_the_first_grant_that_it_counts(world):
    body = world.card.body
    short, long = world.app(body, exp=world.now + 50, grp=["admins"]), world.app(body, issuer=world.second)
    verdict = world.verify(world.envelope(body, grants=[short, long]))
    assert verdict.groups == ("admins", "agents")
    assert verdict.valid_until == world.now + 50
    later = world.verify(world.envelope(body, grants=[short, long]), now=verdict.valid_until)
    assert (later.ok, later.groups) == (True, ("agents",))


def test_a_verdict_for_a_new_peer_ends_when_the_list_is_overdue(world):
    held = due(world, -1000)
    ends = world.now + 1000 + world.policy.revocation_grace
    assert world.verify(world.raw, facts=cards.Facts(held)).valid_until == min(ends, world.card.not_after)
    assert world.verify(world.raw, facts=cards.Facts(held), now=ends - 1).ok
    assert not world.verify(world.raw, facts=cards.Facts(held), now=ends).ok
    assert (
        world.verify(world.raw, facts=cards.Facts(held), established=True).valid_until == world.card.grants[0].not_after
    )


def test_a_revoked_card_is_still_endorsed_so_its_owner_may_hear_why(world):
    verdict = world.verify(world.raw, facts=cards.Facts(revoking(world, world.identity.public)))
    assert verdict.endorsed
    assert not world.verify(world.make_card().raw).endorsed


def test_a_grant_counts_in_the_endorsement_only_where_both_signatures_of_the_card_hold(world):
    assert not world.verify(world.envelope(node=b"")).endorsed


def test_mallory_revoked_for_a_card_over_our_node_leaves_us_alone(world):
    held = revoking(world, world.mallory.public)
    assert world.verify(world.raw, facts=cards.Facts(held)).ok


# Lists: what an issuer says of several numbers, in several orders.


def find(world, held, subject_card=None):
    card = subject_card or world.card
    return held.find(world.issuer.public, card.identity, card.card_id, now=world.now)


def test_a_list_with_a_lower_number_is_a_rollback_and_changes_nothing(world):
    held = world.holding(world.make_list(sequence=2))
    after, finding = world.add(held, world.make_list(sequence=1, entries=[world.entry(world.identity.public)]))
    assert (finding.code, finding.exit) == ("rollback", 8)
    assert after is held


def test_a_list_of_a_stranger_is_unknown_and_changes_nothing(world):
    held = cards.Revocations()
    after, finding = world.add(held, world.make_list(world.mallory_issuer))
    assert (finding.code, finding.exit, after is held) == ("unknown-issuer", 5, True)


def test_a_list_of_another_network_is_refused(world):
    _, finding = world.add(cards.Revocations(), world.make_list(network="other-net"))
    assert (finding.code, finding.exit) == ("wrong-network", 5)


def test_a_list_from_the_future_is_refused_beyond_the_leeway(world):
    assert world.add(cards.Revocations(), world.make_list(now=world.now + 300))[1] is None
    _, finding = world.add(cards.Revocations(), world.make_list(now=world.now + 301))
    assert (finding.code, finding.exit) == ("not-yet-valid", 6)


def test_a_list_is_refused_whose_next_is_due_later_than_the_policy_takes(world):
    held = cards.Revocations()
    assert world.add(held, world.make_list(lifetime=30 * DAY))[1] is None
    after, finding = world.add(held, world.make_list(lifetime=30 * DAY + 1))
    assert (finding.code, finding.exit, after is held) == ("list-lifetime", 5, True)
    assert all(part in finding.message for part in ("2592001s", "30d", 'list_lifetime = "2592001s"'))


def test_a_policy_may_take_lists_of_issuers_that_stay_offline(world):
    longest = world.make_list(lifetime=400 * DAY)
    for lifetime, code in ((400 * DAY, None), (400 * DAY - 1, "list-lifetime")):
        policy = dataclasses.replace(world.policy, list_lifetime=lifetime)
        _, finding = cards.Facts().add(longest, policy=policy, now=world.now)
        assert (finding and finding.code) == code


def test_two_lists_of_one_number_are_told_and_both_hold(world):
    mine = world.make_list(entries=[world.entry(world.identity.public)])
    other = world.make_list(entries=[world.entry(world.mallory.public)])
    held, finding = world.add(world.holding(mine), other)
    assert (finding.code, finding.exit) == ("issuer-equivocation", 8)
    assert find(world, held) is not None
    state = held.by_issuer[world.issuer.public]
    assert set(state.entries) == {world.identity.public, world.mallory.public}


def test_a_disputed_number_is_a_warning_on_the_cards_of_that_issuer(world):
    held = world.holding(world.make_list(), world.make_list(entries=[world.entry(world.mallory.public)]))
    verdict = world.verify(world.raw, facts=cards.Facts(held))
    assert (verdict.ok, codes(verdict)) == (True, ["issuer-equivocation"])


def test_the_order_of_two_lists_of_one_number_does_not_matter(world):
    lists = [
        world.make_list(entries=[world.entry(key.public, until=world.now + n)])
        for n, key in enumerate((world.identity, world.mallory, world.identity), 5)
    ]
    before = world.make_list(sequence=1, now=world.now - 200, entries=[world.entry(bytes(32))])
    lists = [world.make_list(sequence=2, entries=one.entries) for one in lists]
    states = {}
    for order in itertools.permutations(lists):
        held = world.holding(before, *order)
        states[held.heads, tuple(held.by_issuer[world.issuer.public].entries.items())] = held
    assert len(states) == 1


def test_a_later_list_naming_both_digests_heals(world):
    first, second = world.make_list(), world.make_list(entries=[world.entry(world.mallory.public)])
    healed = world.holding(first, second, world.make_list(sequence=2, heals=[first.digest, second.digest]))
    assert codes(world.verify(world.raw, facts=cards.Facts(healed))) == []
    assert healed.by_issuer[world.issuer.public].entries.keys() == {world.mallory.public}


def test_a_later_list_naming_one_digest_does_not_heal(world):
    first, second = world.make_list(), world.make_list(entries=[world.entry(world.mallory.public)])
    held = world.holding(first, second, world.make_list(sequence=2, heals=[first.digest]))
    assert codes(world.verify(world.raw, facts=cards.Facts(held))) == ["issuer-equivocation"]
    held = world.holding(world.make_list(sequence=3, heals=[second.digest]), held=held)
    assert codes(world.verify(world.raw, facts=cards.Facts(held))) == []


def test_six_lists_of_one_number_can_be_healed_by_two_lists(world):
    twins = [world.make_list(entries=[world.entry(bytes([n]) * 32)]) for n in range(6)]
    held = world.holding(*twins)
    disputed = sorted(held.by_issuer[world.issuer.public].disputed)
    held = world.holding(world.make_list(sequence=2, heals=disputed[:4]), held=held)
    held = world.holding(world.make_list(sequence=3, heals=disputed[4:]), held=held)
    assert held.by_issuer[world.issuer.public].disputed == frozenset()


def test_an_entry_that_a_later_list_leaves_out_is_revoked_until_its_end(world):
    until = world.now + 50
    held = world.holding(
        world.make_list(entries=[world.entry(world.identity.public, until=until)]), world.make_list(sequence=2)
    )
    issuer = world.issuer.public
    assert held.find(issuer, world.card.identity, now=until - 1) is not None
    assert held.find(issuer, world.card.identity, now=until) is None


def test_a_later_list_cannot_shorten_an_entry(world):
    long, short = (world.entry(world.identity.public, until=world.now + seconds) for seconds in (1000, 1))
    held = world.holding(world.make_list(entries=[long]), world.make_list(sequence=2, entries=[short]))
    assert held.find(world.issuer.public, world.card.identity, now=world.now + 999) is not None


def test_more_twins_than_are_kept_apart_revoke_all_that_they_name(world):
    twins = [world.make_list(entries=[world.entry(bytes([n]) * 32)]) for n in range(7)]
    held = world.holding(*twins)
    assert len(held.by_issuer[world.issuer.public].entries) == 7


def test_lists_that_leave_out_everything_before_them_un_revoke_nothing(world):
    held, findings = cards.Revocations(), []
    for n in range(1, 21):
        held, finding = world.add(held, world.make_list(sequence=n, entries=[world.entry(bytes([n]) * 32)]))
        findings.append(finding and finding.code)
        state = held.by_issuer[world.issuer.public]
        assert bytes([1]) * 32 in state.entries
        assert len(state.lists) <= 9
    assert findings == [None] * 9 + ["issuer-equivocation"] * 11


def test_an_older_list_is_dropped_when_a_newer_one_repeats_it(world):
    entry = world.entry(world.identity.public)
    held = world.holding(world.make_list(entries=[entry]), world.make_list(sequence=2, entries=[entry]))
    assert len(held.by_issuer[world.issuer.public].lists) == 1


def test_adding_the_kept_lists_in_their_order_gives_the_same_state(world):
    held = world.holding(
        world.make_list(entries=[world.entry(bytes(32))]),
        world.make_list(sequence=2, entries=[world.entry(bytes([1]) * 32)]),
        world.make_list(sequence=2, entries=[world.entry(bytes([2]) * 32)]),
    )
    state = held.by_issuer[world.issuer.public]
    assert world.holding(*state.lists).by_issuer[world.issuer.public] == state


def test_the_same_list_again_changes_nothing(world):
    one = world.make_list(entries=[world.entry(world.identity.public)])
    held = world.holding(one)
    assert world.add(held, one) == (held, None)


LIST_HEADS = [
    ("next 401 days after", {"lifetime": 401 * DAY}, "bad-validity"),
    ("next before", {"lifetime": -1}, "bad-validity"),
    ("number 0", {"sequence": 0}, "out-of-range"),
    ("network in upper case", {"network": "Net"}, "bad-name"),
    ("reason in upper case", {"entries": [cards.Entry(bytes(32), 1, "Lost", 2**40)]}, "bad-name"),
    ("subject of 31 bytes", {"entries": [cards.Entry(bytes(31), 1, "lost", 2**40)]}, "malformed"),
    ("five healed digests", {"heals": [bytes([n]) * 32 for n in range(5)]}, "malformed"),
    (
        "16001 entries",
        {"entries": [cards.Entry(n.to_bytes(32, "big"), 1, "x", 2**40) for n in range(16_001)]},
        "too-large",
    ),
    (
        "too many bytes",
        {"entries": [cards.Entry(n.to_bytes(32, "big"), 1, "x" * 32, 2**40) for n in range(12_600)]},
        "too-large",
    ),
]


@pytest.mark.parametrize(("options", "code"), [pytest.param(options, code, id=n) for n, options, code in LIST_HEADS])
def test_a_list_that_nobody_would_read_cannot_be_made(world, options, code):
    with pytest.raises(cards.CardError) as caught:
        world.make_list(**options)
    assert caught.value.code == code


# Address records.


@pytest.mark.parametrize(
    ("options", "code", "exit_code"),
    [
        ({"network": "other-net"}, "wrong-network", 5),
        ({"now": 1_800_000_000 + 301}, "not-yet-valid", 6),
        ({"now": 1_800_000_000 - 100, "lifetime": 100}, "expired", 6),
    ],
)
def test_a_record_of_another_network_or_time_is_refused(world, options, code, exit_code):
    options = {"network": world.network, "now": world.now} | options
    record = cards.make_record(world.node, addresses=[], sequence=1, **options)
    finding = record.check(network=world.network, now=world.now, leeway=300)
    assert (finding.code, finding.exit) == (code, exit_code)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"lifetime": 8 * DAY}, "bad-validity"),
        ({"lifetime": 0}, "bad-validity"),
        ({"sequence": 0}, "out-of-range"),
        ({"addresses": ["a:1"] * 9}, "malformed"),
        ({"addresses": ["a" * 60 + f":{n}" for n in range(1, 9)]}, "too-large"),
    ],
)
def test_a_record_that_nobody_would_read_cannot_be_made(world, options, code):
    options = {"network": "n", "addresses": [], "sequence": 1, "now": 1} | options
    with pytest.raises(cards.CardError) as caught:
        cards.make_record(world.node, **options)
    assert caught.value.code == code


def test_every_record_that_can_be_made_can_be_read(world):
    made = 0
    for size in range(1, 62):
        hosts = ["a" * size + f":{n}" for n in range(1, 9)]
        try:
            record = cards.make_record(world.node, network="n", addresses=hosts, sequence=1, now=1)
        except cards.CardError:
            break
        assert cards.AddressRecord.parse(record.raw) == record
        made += 1
    assert 0 < made < 61
