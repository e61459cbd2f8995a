"""What goes wrong in scenarios of faults finds nodes that deal badly with it: each mutant is caught, by these seeds."""

import pytest

from cards.facts import Facts
from p2pnoise.gossip import overlay
from p2pnoise.instant import SECOND, Instant
from p2pnoise.node.dials import Dialler
from p2pnoise.node.links import Links
from simulations.mutants import Mutant, hunt

SOME = (
    Mutant(
        name="never-dial-again",
        breaks="whoever did not answer once is not dialled again for an hour",
        owner=Dialler,
        attribute="failed",
        by=lambda before: lambda self, address, now: before(self, address, now + 3600 * SECOND),
        scenario="partition",
    ),
    Mutant(
        name="impatient",
        breaks="whoever is silent for a second after a ping is taken for dead",
        owner=Links,
        attribute="_ping_due",
        by=lambda before: (
            lambda self, link: link.pinged_at + SECOND if link.pinged_at is not None else before(self, link)
        ),
        scenario="latency",
    ),
    Mutant(
        name="chatterbox",
        breaks="tables are compared ten times as often",
        owner=overlay,
        attribute="ANTI_ENTROPY",
        by=lambda before: before // 10,
        scenario="steady-state",
    ),
    Mutant(
        name="no-leeway",
        breaks="a card that begins a second from now by our clock is refused",
        owner=Facts,
        attribute="leeway",
        by=lambda _before: lambda *_args: 0,
        scenario="clocks",
    ),
    Mutant(
        name="count-from-one",
        breaks="the number of an address record is one higher than the last that we remember, and nothing else",
        owner=Instant,
        attribute="unix_ms",
        by=lambda _before: property(lambda _self: 0),
        scenario="disks",
    ),
    Mutant(
        name="no-goodbye",
        breaks="whoever is told to stop goes on",
        owner=Links,
        attribute="close_all",
        by=lambda _before: lambda *_args: None,
        scenario="graceful-leave",
    ),
)


@pytest.mark.long
@pytest.mark.parametrize("mutant", SOME, ids=lambda mutant: mutant.name)
def test_a_mutant_is_caught_by_one_of_the_first_seeds_and_the_healthy_node_by_none(mutant):
    caught = hunt(mutant, seeds=10)
    assert caught is not None
    assert caught.healthy
