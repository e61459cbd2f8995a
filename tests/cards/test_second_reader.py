"""The reader of another hand and the package agree: on cards of golden sizes, and on every card of the corpus."""

import ast
import json

import pytest

import cards
from cards.facts import BUILD_TIME
from tests.cards.conftest import ROOT
from tests.cards.corpus import FOLDER
from tests.cards.second_reader import read_card

READER = ROOT / "tests" / "cards" / "second_reader.py"
DAY = 86400


def test_it_shares_nothing_with_the_package_and_is_of_a_hundred_lines():
    text = READER.read_text()
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert {alias.name for node in imports for alias in node.names} == {
        *("hashlib", "re", "msgpack", "nacl.bindings", "nacl.exceptions"),
    }
    assert len(text.splitlines()) <= 100


GOLDEN = [  # name, previous, groups of each issuer, bytes
    (None, None, [()], 399),
    ("db-03.dc1.example", None, [("agents",)], 434),
    ("db-03.dc1.example", bytes(32), [("agents",)], 473),
    ("db-03.dc1.example", None, [("agents",), ("admins", "db")], 582),
    ("a" * 64, bytes(32), [("agents",)] * 4, 956),
]


@pytest.mark.parametrize(("name", "previous", "groups", "size"), GOLDEN)
def test_a_golden_card_is_verified_by_a_reader_of_another_hand(world, name, previous, groups, size):
    issuers = [cards.IssuerKey(bytes([n]) * 32) for n in range(1, 5)]
    card = world.make_card(name=name, previous=previous)
    for issuer, names in zip(issuers, groups, strict=False):
        card = world.grant(card, issuer, groups=names)
    fields, counted = read_card(card.raw, world.network, [issuer.public for issuer in issuers], world.now)
    assert len(card.raw) == size
    assert (fields["key"], fields["node"]) == (world.identity.public, world.node.public)
    assert (fields.get("name"), fields.get("prev")) == (name, previous)
    assert [tuple(grant.get("grp", ())) for grant in counted.values()] == [tuple(names) for names in groups]


def test_every_card_of_the_corpus_is_judged_alike():
    policy = cards.Policy.from_toml((FOLDER / "policy.toml").read_text())
    accepted = refused = 0
    for path in sorted(FOLDER.glob("*.bin")):
        about = json.loads(path.with_suffix(".json").read_text())
        if about.get("object", "card") != "card" or "kids_collide" in about:
            continue
        now = about.get("now", BUILD_TIME + DAY)
        try:
            read_card(path.read_bytes(), policy.network, policy.issuers.values(), now)
        except (ValueError, TypeError):
            assert about["exit"] != 0, path.name
            refused += 1
        else:
            assert about["exit"] == 0, path.name
            accepted += 1
    assert accepted > 5
    assert refused > 200


def test_of_two_grants_of_one_issuer_both_readers_take_the_same(world):
    body = world.card.body
    for grants in ([(2, "a"), (1, "b")], [(1, "a"), (2, "b")], [(1, "a"), (1, "b")]):
        raw = world.envelope(body, grants=[world.app(body, sn=serial, grp=[group]) for serial, group in grants])
        _, counted = read_card(raw, world.network, [world.issuer.public], world.now)
        assert tuple(counted[world.issuer.public]["grp"]) == world.verify(raw).groups
