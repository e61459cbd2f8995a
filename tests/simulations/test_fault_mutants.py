"""What goes wrong in scenarios of faults finds nodes that deal badly with it: each mutant is caught, by these seeds."""

import pytest

from cards.facts import Facts
from p2pnoise.gossip import overlay
from p2pnoise.instant import SECOND, Instant
from p2pnoise.node.dials import Dialler
from p2pnoise.node.links import Links
from simulations.mutants import Mutant, hunt


def never_dial_again(patch):
    """Whoever did not answer once is not dialled again for an hour."""
    healthy = Dialler.failed
    patch.setattr(Dialler, "failed", lambda self, address, now: healthy(self, address, now + 3600 * SECOND))


def be_impatient(patch):
    """Whoever is silent for a second after a ping is taken for dead."""
    healthy = Links._ping_due

    def due(self, link):
        return link.pinged_at + SECOND if link.pinged_at is not None else healthy(self, link)

    patch.setattr(Links, "_ping_due", due)


def chatter(patch):
    """Tables are compared ten times as often."""
    patch.setattr(overlay, "ANTI_ENTROPY", overlay.ANTI_ENTROPY // 10)


def allow_no_leeway(patch):
    """A card that begins a second from now by our clock is refused."""
    patch.setattr(Facts, "leeway", lambda *_: 0)


def count_addresses_from_one(patch):
    """The number of an address record is one higher than the last that we remember, and nothing else."""
    patch.setattr(Instant, "unix_ms", property(lambda _: 0))


def go_on_when_told_to_stop(patch):
    """Nobody is told goodbye."""
    patch.setattr(Links, "close_all", lambda *_: None)


SOME = (
    Mutant(mutation=never_dial_again, scenario="partition"),
    Mutant(mutation=be_impatient, scenario="latency"),
    Mutant(mutation=chatter, scenario="steady-state"),
    Mutant(mutation=allow_no_leeway, scenario="clocks"),
    Mutant(mutation=count_addresses_from_one, scenario="disks"),
    Mutant(mutation=go_on_when_told_to_stop, scenario="graceful-leave"),
)


@pytest.mark.long
@pytest.mark.parametrize("mutant", SOME, ids=lambda mutant: mutant.name)
def test_a_mutant_is_caught_by_one_of_the_first_seeds_and_the_healthy_node_by_none(mutant):
    caught = hunt(mutant, seeds=10)
    assert caught is not None
    assert caught.healthy
