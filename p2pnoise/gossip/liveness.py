"""Liveness: whether our neighbours still live, by what this node alone hears: SWIM (DSN 2002) with Lifeguard (2017).

A neighbour that says nothing for a while is probed. If no answer comes within what its round trips suggest, it is
suspected, and three other neighbours are asked to probe it over the links that they have; nobody dials for anybody.
Any message of it ends that. A suspicion that lasts ends the link, and nothing else: nobody is told of it.

What others say is advice. "It is here" prolongs a suspicion, within a bound, since the line between us may be slow;
"no answer" and "no link" show that their sender lives, which speaks for our own line, and no more. So no relayed word
resurrects or kills anybody. *Health* is Lifeguard's: the worse our own line does, the longer we wait for others.

SWIM lets a suspicion grow with log n, for the time that word of it takes to reach the suspected and to come back. Here
no such word is waited for. Nor is anybody probed twice: over a link that delivers in order, a second probe waits behind
the first.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from p2pnoise.chance import Chance
from p2pnoise.instant import SECOND

from .effects import Effect, LinkId, Silent
from .messages import NONCE_SIZE, Found, Message, Probe, ProbeAnswer

PERIOD = 12 * SECOND  # of silence, until whoever dialled probes; a guess, measured by `steady-state`: 20 B/s a node
DEFERENCE = SECOND  # which the other side waits longer, or both would probe at once; more than most round trips
LEAST = SECOND  # that an answer is waited for, and where nothing was measured: RFC 6298's least and first timeout
MOST = 10 * SECOND  # the same, however slow the line and bad our health
HELPERS = 3  # SWIM's k, as memberlist sets it
SUSPICION = 8 * SECOND  # that nothing is heard; a guess, measured by `slow-or-dead`
LONGEST = 3 * SUSPICION  # where our health is bad, or helpers hear the peer; a guess, measured by the same
WORST = 8  # health: Lifeguard's awareness, as memberlist sets it
MAX_PROBES = 16  # of one peer that are answered in a `PERIOD`: its own, and one for each of 12 that it suspects
MAX_FAVOURS = 32  # probes of others that wait for a peer of ours, in all: a few neighbours' troubles at once. A guess
MAX_FAVOURS_OF_ONE = 4  # the same, for one peer; a guess
GRAIN = SECOND // 2  # between two looks at all links, so that many lines cost few looks


@dataclass(slots=True)
class _Watch:
    """One link that is up. Times are monotonic nanoseconds."""

    node_id: bytes
    period: int
    heard: int
    nonce: bytes | None = None  # of the last probe, until that is answered
    asked: int = 0  # when it went out
    due: int | None = None  # when it is late; None where nothing is open, or the peer was heard since
    suspected: int | None = None  # since when
    vouched: bool = False  # a helper hears it
    waiting: list[tuple[LinkId, bytes]] = field(default_factory=list)  # who asked us for it, by which nonce
    probes: int = 0  # that came in the period which began at `counted`
    counted: int = 0
    rtt: int | None = None  # smoothed
    deviation: int = 0

    def measure(self, sample: int) -> None:
        """One more round trip (RFC 6298)."""
        if self.rtt is None:
            self.rtt, self.deviation = sample, sample // 2
        else:
            self.deviation += (abs(self.rtt - sample) - self.deviation) // 4
            self.rtt += (sample - self.rtt) // 8

    @property
    def patience(self) -> int:
        """How long an answer may take, our own health apart."""
        return LEAST if self.rtt is None else max(LEAST, self.rtt + 4 * self.deviation)


class Liveness:
    """Who of the `neighbours` of one node lives. Bounded by the links, and by `MAX_FAVOURS`."""

    def __init__(
        self,
        neighbours: Mapping[LinkId, bool],
        send: Callable[[LinkId, Message], None],
        effects: list[Effect],
        *,
        random: Chance,
    ) -> None:
        self.health = 0  # 0 is good, `WORST` is worst
        self._neighbours = neighbours
        self._send = send
        self._effects = effects
        self._random = random
        self._watches: dict[LinkId, _Watch] = {}
        self._asked: dict[bytes, tuple[LinkId, LinkId]] = {}  # of helpers, by nonce: the helper's link, the suspect's
        self._due = 0

    # Links

    def peer_up(self, link: LinkId, node_id: bytes, now: int, *, ours: bool) -> None:
        """A peer takes part; `ours`: we dialled it."""
        period = PERIOD if ours else PERIOD + DEFERENCE
        self._due = now + PERIOD if not self._watches else self._due
        self._watches[link] = _Watch(node_id, period, now)

    def peer_down(self, link: LinkId) -> None:
        if self._watches.pop(link, None) is not None:
            self._asked = {nonce: pair for nonce, pair in self._asked.items() if link not in pair}
            for watch in self._watches.values():
                watch.waiting = [asker for asker in watch.waiting if asker[0] != link]

    def heard(self, link: LinkId, now: int) -> bool:
        """The peer said something, whatever: it lives. Whether somebody had asked for it, and was told."""
        watch = self._watches.get(link)
        if watch is None:
            return False
        watch.heard = now
        if watch.due is None:
            return False
        self._settle(link, watch)
        return self._tell(watch, Found.HERE)

    def rtt(self, link: LinkId) -> int | None:
        """The smoothed round trip of a link in nanoseconds; None where none was measured."""
        watch = self._watches.get(link)
        return watch.rtt if watch is not None else None

    # Messages

    def message(self, link: LinkId, message: Probe | ProbeAnswer, now: int) -> None:
        """A probe or an answer came from a peer that takes part."""
        match message:
            case Probe(nonce, about):
                self._probed(link, nonce, about, now)
            case ProbeAnswer(nonce, found):
                self._answered(link, nonce, found, now)

    def _probed(self, link: LinkId, nonce: bytes, about: bytes, now: int) -> None:
        asker = self._watches[link]
        if now >= asker.counted + PERIOD:
            asker.counted, asker.probes = now, 0
        asker.probes += 1
        if asker.probes > MAX_PROBES:
            return
        if not about:
            self._send(link, ProbeAnswer(nonce, Found.HERE))
            return
        found = next((one for one, watch in self._watches.items() if watch.node_id == about and one != link), None)
        waiting = [other for watch in self._watches.values() for other, _ in watch.waiting]
        if found is None or len(waiting) >= MAX_FAVOURS or waiting.count(link) >= MAX_FAVOURS_OF_ONE:
            self._send(link, ProbeAnswer(nonce, Found.NO_LINK))
            return
        watch = self._watches[found]
        if watch.suspected is not None:
            self._send(link, ProbeAnswer(nonce, Found.NO_ANSWER))
            return
        watch.waiting.append((link, nonce))
        if watch.due is None:
            self._probe(found, watch, now)

    def _answered(self, link: LinkId, nonce: bytes, found: Found, now: int) -> None:
        watch = self._watches[link]
        if nonce == watch.nonce:
            watch.nonce = None
            watch.measure(now - watch.asked)
            self.health = max(self.health - 1, 0)
        elif nonce in self._asked and self._asked[nonce][0] == link:
            _, suspect = self._asked.pop(nonce)
            self.health = max(self.health - 1, 0)
            if found is Found.HERE:
                self._watches[suspect].vouched = True

    # Time

    def tick(self, now: int) -> None:
        """Time passed: probe who is silent, suspect who does not answer, give up who is suspected for long."""
        if now < self._due:
            return
        due = now + PERIOD
        for link, watch in self._watches.items():
            if watch.suspected is not None:
                self._doubt(link, watch, now)
            elif watch.due is not None and now >= watch.due:
                self._late(link, watch, now)
            elif watch.due is None and link in self._neighbours and now >= watch.heard + watch.period:
                self._probe(link, watch, now)
            due = min(due, self._next_of(link, watch, due))
        self._due = max(due, now + GRAIN)

    def deadline(self) -> int | None:
        """When `tick` wants to be called, in monotonic nanoseconds."""
        return self._due if self._watches else None

    def _next_of(self, link: LinkId, watch: _Watch, otherwise: int) -> int:
        if watch.suspected is not None:
            return self._end_of(watch, watch.suspected)
        if watch.due is not None:
            return watch.due
        return watch.heard + watch.period if link in self._neighbours else otherwise

    def _probe(self, link: LinkId, watch: _Watch, now: int) -> None:
        watch.nonce, watch.asked = self._nonce(), now
        watch.due = now + min(watch.patience * (1 + self.health), MOST)
        self._due = min(self._due, watch.due)
        self._send(link, Probe(watch.nonce))

    def _late(self, link: LinkId, watch: _Watch, now: int) -> None:
        """No answer in time: whoever asked us hears that, and if it is a neighbour of ours we ask others."""
        self._tell(watch, Found.NO_ANSWER)
        if link not in self._neighbours:
            watch.due = None
            return
        watch.suspected = now
        self.health = min(self.health + 1, WORST)
        helpers = [other for other in self._neighbours if other in self._watches and self._watches[other].due is None]
        self._random.shuffle(helpers)
        for helper in helpers[:HELPERS]:
            nonce = self._nonce()
            self._asked[nonce] = helper, link
            self._send(helper, Probe(nonce, watch.node_id))

    def _doubt(self, link: LinkId, watch: _Watch, now: int) -> None:
        if watch.suspected is not None and now >= self._end_of(watch, watch.suspected):
            self._settle(link, watch)
            watch.heard = now  # should its link stand in spite of that, all begins anew
            self._effects.append(Silent(link))

    def _end_of(self, watch: _Watch, since: int) -> int:
        return since + (LONGEST if watch.vouched else SUSPICION + self.health * (LONGEST - SUSPICION) // WORST)

    def _settle(self, link: LinkId, watch: _Watch) -> None:
        """This peer is in doubt no longer."""
        watch.due = watch.suspected = None
        watch.vouched = False
        if self._asked:
            self._asked = {nonce: pair for nonce, pair in self._asked.items() if pair[1] != link}

    def _tell(self, watch: _Watch, found: Found) -> bool:
        """Answer who asked us for this peer; whether there was anybody."""
        waiting, watch.waiting = watch.waiting, []
        for asker, nonce in waiting:
            self._send(asker, ProbeAnswer(nonce, found))
        return bool(waiting)

    def _nonce(self) -> bytes:
        return self._random.randrange(1 << 8 * NONCE_SIZE).to_bytes(NONCE_SIZE, "big")
