"""The world of the hostile corpus, and how the steps of its stories are written."""

import cards
from cards.facts import BUILD_TIME
from tests.cards.conftest import World

DAY, YEAR = 86400, 365 * 86400


class LongWorld(World):
    """The same world at a time that any clock has passed, with cards that no clock will outlive soon."""

    now = BUILD_TIME + 3600
    lifetime = 9 * YEAR

    def make_card(self, identity=None, node=None, **options):
        return super().make_card(identity, node, **({"lifetime": 9 * YEAR} | options))

    def grant(self, card, issuer=None, **options):
        return super().grant(card, issuer, **({"lifetime": 9 * YEAR} | options))


WORLD = LongWorld()


# Steps.


def add(fact):
    return {"add": getattr(fact, "what", "revocation list"), "bytes": fact.raw.hex()}


def verify(card, **options):
    return {"verify": (card.raw if isinstance(card, cards.Card) else card).hex()} | options


def mark(sequence, card_id, heir=None, identity=None):
    step = {"mark": (identity or WORLD.identity).public.hex(), "sequence": sequence, "card_id": card_id.hex()}
    return step | ({"next": heir.hex()} if heir else {})


def pin(identity, name="db-03.dc1.example"):
    return {"pin": name, "identity": identity.public.hex()}


LISTS = [add(WORLD.make_list()), add(WORLD.make_list(WORLD.second))]


def policy(**options):
    return cards.Policy(network=WORLD.network, issuers=WORLD.policy.issuers, **options)


def by(issuer, **attrs):
    """Our card, granted by this issuer alone."""
    return WORLD.envelope(WORLD.card.body, grants=[WORLD.app(WORLD.card.body, issuer=issuer, **attrs)])
