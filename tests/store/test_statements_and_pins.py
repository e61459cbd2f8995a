"""What the store keeps of trust beside lists: statements, pins of a first use, and whom a mark's card committed to."""

import dataclasses
import sqlite3

import pytest

from cards import Delegation, IdentityKey, Mark, Pin, Retirement, SelfRevocation
from p2pnoise.store import StoreError, read_table


@pytest.fixture
def ada(shelf):
    return shelf.card("ada")


@pytest.fixture
def statements(shelf):
    """Some, in an order that is not that of their digests."""
    common = {"net": shelf.NETWORK, "iat": shelf.NOW}
    owner = IdentityKey(bytes(range(32)))
    made = [
        Retirement.make({**common, "iss": shelf.issuer.public, "reason": "left"}, shelf.issuer),
        SelfRevocation.make({**common, "key": owner.public, "reason": "lost"}, owner),
        Delegation.make(
            {
                **common,
                "iss": shelf.issuer.public,
                "key": owner.public,
                "path": 0,
                "nbf": shelf.NOW,
                "exp": shelf.NOW + 9,
            },
            shelf.issuer,
        ),
    ]
    return sorted(made, key=lambda one: one.digest, reverse=True)


def test_statements_come_back_in_the_order_in_which_they_were_accepted(shelf, statements):
    store = shelf.open()
    store.commit(statements)
    store.commit(statements[:1])  # once more
    assert [one.raw for one in store.statements()] == [one.raw for one in statements]
    assert read_table(shelf.path).statements == tuple(statements)
    store.close()


def test_pins_come_back(shelf, ada):
    store = shelf.open()
    store.commit([Pin("ada", ada.identity)])
    store.commit([shelf.peer("ada"), Pin("bob", shelf.card("bob").identity)])
    assert store.pins() == {"ada": ada.identity, "bob": shelf.card("bob").identity}
    assert read_table(shelf.path).pins == store.pins()
    store.close()


def test_a_pin_that_is_taken_out_stays_out(shelf, ada):
    store = shelf.open()
    store.commit([Pin("ada", ada.identity), Pin("bob", ada.identity)])
    store.commit([Pin("ada", None)])
    assert store.pins() == {"bob": ada.identity}
    store.close()


def test_a_mark_remembers_whom_its_card_committed_to(shelf, ada, monkeypatch):
    """Or a thief of the key could name another successor after the next restart."""
    store = shelf.open()
    peer = shelf.peer("ada")
    committed = dataclasses.replace(ada, next_key_digest=b"n" * 32)
    monkeypatch.setattr(peer.verified, "card", committed)
    store.commit([peer])
    assert store.marks()[ada.identity] == Mark(1, ada.card_id, b"n" * 32)
    store.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE statements SET raw = x'93'",
        "UPDATE statements SET raw = 'text'",
        "UPDATE statements SET label = 'NONSENSE'",
        "UPDATE statements SET label = x'ff'",
        "UPDATE pins SET identity = x'00'",
        "UPDATE pins SET identity = 'text'",
        "UPDATE marks SET next_key_digest = 7",
    ],
)
def test_a_damaged_statement_pin_or_mark_is_an_error_with_a_next_step(shelf, statements, ada, change):
    """Without it somebody who has ended would be let in again."""
    store = shelf.open()
    store.commit([*statements, shelf.peer("ada"), Pin("ada", ada.identity)])
    store.close()
    database = sqlite3.connect(shelf.path)
    database.execute(change)
    database.commit()
    database.close()
    store = shelf.open()
    with pytest.raises(StoreError, match="damaged") as refused:
        (store.marks(), store.pins(), store.statements())
    assert refused.value.hint
    store.close()
