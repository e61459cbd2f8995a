"""Golden sizes: growth of what travels is noticed here before it is noticed on a link."""

import pytest

import cards
from cards.card import MAX_CARD
from cards.conflicts import MAX_CONFLICT
from cards.pages import MAX_PAGE, MAX_PAGES
from cards.revocation import MAX_HEAD, MAX_LIST

NAME, NETWORK, NOW = "db-03.dc1.example", "example-net", 1_800_000_000  # 17 and 11 characters
ISSUERS = [cards.IssuerKey(bytes([n]) * 32) for n in range(1, 6)]


@pytest.fixture
def card(world):
    return cards.make_card(world.identity, world.node, network=NETWORK, name=NAME, now=NOW, sequence=7)


def granted(card, *issuers, groups=("agents",)):
    for issuer in issuers:
        card = cards.grant(issuer, card, serial=1234567, now=NOW, entropy=bytes, groups=groups)
    return card


def test_a_card_without_grant_is_289_bytes(card):
    assert len(card.raw) == 289


def test_a_card_with_one_grant_is_438_bytes(card):
    assert len(granted(card, ISSUERS[0]).raw) == 438


def test_a_card_with_four_grants_is_885_bytes(card):
    assert len(granted(card, *ISSUERS[:4]).raw) == 885


def test_four_ordinary_grants_fit_the_largest_body_that_we_make(world):
    card = cards.make_card(
        world.identity,
        world.node,
        network="n" * 32,
        name="a" * 64,
        now=NOW,
        sequence=2**53 - 1,
        previous=bytes(32),
    )
    assert len(granted(card, *ISSUERS[:4]).raw) <= MAX_CARD == 1024


def test_a_card_that_its_grants_make_larger_than_1024_bytes_cannot_be_made(card):
    groups = [f"group-of-a-longer-name-{n:02}" for n in range(4)]
    with pytest.raises(cards.CardError) as caught:
        granted(card, *ISSUERS[:4], groups=groups)
    assert caught.value.code == "too-large"


def test_a_fifth_grant_cannot_be_added(card):
    with pytest.raises(cards.CardError) as caught:
        granted(card, *ISSUERS, groups=())
    assert caught.value.code == "too-many-signatures"


def test_a_renewed_grant_takes_the_place_of_the_old_one(card):
    renewed = cards.grant(ISSUERS[0], granted(card, ISSUERS[0]), serial=1234568, now=NOW, entropy=bytes)
    assert [grant.serial for grant in renewed.grants] == [1234568]
    assert renewed.card_id == card.card_id


def test_a_card_line_is_590_characters(card):
    assert len(granted(card, ISSUERS[0]).to_text()) == 590


def test_an_address_record_of_two_addresses_is_205_bytes(world):
    addresses = ["198.51.100.17:7060", "[2001:db8::17]:7060"]
    record = cards.make_record(world.node, network=NETWORK, addresses=addresses, sequence=NOW * 1000, now=NOW)
    assert len(record.raw) == 205


@pytest.mark.parametrize(("count", "size"), [(0, 160), (1, 247), (100, 5_200), (1000, 50_200)])
def test_a_revocation_list_of_so_many_entries_has_its_size(count, size):
    entries = [cards.Entry(n.to_bytes(32, "big"), NOW, "lost", NOW + 10**6) for n in range(count)]
    one = cards.make_list(ISSUERS[0], network=NETWORK, sequence=41, now=NOW, entries=entries)
    assert len(one.raw) == size
    assert len(one.entries) == count


def test_identifiers_have_these_lengths(world):
    assert [len(str(key.public)) for key in (world.node, world.identity, world.issuer)] == [63, 61, 65]


def test_the_largest_head_that_we_make_is_808_bytes_and_two_of_them_fit_a_conflict():
    def largest(last):
        entries = [cards.Entry(n.to_bytes(32, "big"), NOW, "lost", NOW + 1) for n in (*range(15_999), last)]
        options = {"network": "n" * 32, "sequence": 2**53 - 1, "now": NOW, "heals": [bytes([n]) * 32 for n in range(4)]}
        return cards.make_list(ISSUERS[0], entries=entries, **options)

    one, other = largest(20_000), largest(20_001)
    assert len(one.page_digests) == 16
    assert len(one.head) == 808 <= MAX_HEAD
    assert len(cards.Conflict.between(one, other).raw) == 1765
    # Others may write up to the limit.
    assert 2 * (MAX_HEAD + 3 + 66 + 1) + 9 <= MAX_CONFLICT


def test_the_largest_list_is_within_its_limit():
    assert MAX_PAGES * (MAX_PAGE + 3) + 3 + MAX_HEAD + 3 + 66 + 2 <= MAX_LIST
