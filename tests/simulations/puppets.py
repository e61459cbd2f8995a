"""Puppets: inhabitants of a world that say only what a test has them say, and keep all that they are given."""

from p2pnoise.instant import SECOND
from p2pnoise.node import effects as io
from simulations import World


class Puppet:
    """Its test pulls the strings: `world.schedule(number, Pull(effects))`."""

    def __init__(self, world):
        self.world = world
        self.given = []  # (nanosecond, input)
        self.due = None
        self._connections = 0

    def handle(self, given, _now):
        if isinstance(given, Pull):
            return list(given.effects)
        self.given.append((self.world.now, given))
        return []

    def deadline(self):
        return self.due

    def new_connection(self):
        self._connections += 1
        return self._connections


class Pull:
    """What a puppet is to do."""

    def __init__(self, *effects):
        self.effects = effects


class Stage:
    """A world of puppets."""

    def __init__(self, count=2, seed=1, **named):
        self.world = World(seed, **named)
        self.nodes = [self.world.add(make=lambda world, _node: Puppet(world)) for _ in range(count)]
        self.world.run(0)
        for node in self.nodes:
            node.core.given.clear()

    def do(self, number, *effects, at=None):
        """Have a puppet do this now, or at a second."""
        delay = 0 if at is None else int(at * SECOND) - self.world.now
        self.world.schedule(number, Pull(*effects), delay=delay)

    def run(self, second):
        self.world.run(int(second * SECOND))

    def given(self, number, *kinds):
        """What a puppet was given of these kinds, in order, without the time."""
        return [one for _, one in self.timed(number, *kinds)]

    def timed(self, number, *kinds):
        core = self.nodes[number].core
        return [(when, one) for when, one in core.given if isinstance(one, kinds or object)]

    def connect(self, one=0, other=1):
        """Join two of them; the number of the connection at either end."""
        mine = self.nodes[one].core.new_connection()
        self.do(one, io.Dial(mine, self.nodes[other].address))
        self.run(self.world.now / SECOND + 1)
        accepted = self.given(other, io.Accepted)[-1]
        assert io.Connected(mine) in self.given(one)
        return mine, accepted.connection
