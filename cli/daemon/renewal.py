"""Renewal: our grants made anew over any peer that reaches an issuer, and what we answer to peers that ask for theirs.

A request is a card, and its answer the same card with newer grants: both are public, and asking twice gives the same
answer, so that whoever passes them on needs no proof and can gain nothing. The wire is in PROTOCOL.md.
"""

import math
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import trio

from cards import Card, CardError, Grant, NodeId
from cli import documents, files
from cli.folders import NodeFolder
from cli.output import Fault
from p2pnoise.enrolment import MAX_ASK, REASONS, MessageError, Refused, Renew, Renewed, parse_renewal
from p2pnoise.errors import P2PNoiseError
from p2pnoise.events import GrantRenewed, RenewalFailed
from p2pnoise.gossip.grants import renewed
from p2pnoise.node.driver.node import Node
from p2pnoise.node.driver.peers import Peer
from p2pnoise.node.driver.requests import Request, answering

__all__ = ["PROTOCOL", "Renewing", "answer_renewals", "keep_renewed", "renewal_due"]

PROTOCOL = "p2pnoise/renew/1"
LIFE = 2 / 3
"""Of a grant's life, after which it is renewed. Protocol rule P2."""
JITTER = 0.05
"""Of a grant's life, earlier or later: what was issued in one hour is not renewed in one. A guess."""
LOOK = 3600.0  # seconds between two looks at the clock and the card, which may have been replaced
RETRY, LONGEST_RETRY = 60.0, 3600.0  # seconds to the next try after a failure, doubled each time; guesses
MAX_ASKED = 8  # peers asked for one request; a guess: as many as a node wants links
MAX_PASSED_ON = 4  # requests that are passed on at once; a guess
MAX_OF_PEER = MAX_PASSED_ON + 1  # questions of one peer at an issuer at once: its own, and what it passes on
ASK_TIMEOUT = 60.0  # seconds: more than one that is passed on takes
PASS_ON_TIMEOUT = 40.0  # seconds for all peers that one request is passed on to

Renewing = Callable[[Card], Awaitable[Renewed | Refused]]
"""How a node that is at an issuer renews a card."""


def answer_renewals(node: Node, renewing: Renewing | None = None, *, clock: Callable[[], float] = time.time) -> None:
    """Have the node answer peers that want a card renewed, by `renewing` or by asking its own peers.

    `clock` gives seconds since 1970.
    """
    node.handle(PROTOCOL, answering(_Answers(node, renewing, clock).answer, max_request=MAX_ASK))


class _Answers:
    def __init__(self, node: Node, renewing: Renewing | None, clock: Callable[[], float]) -> None:
        self._node = node
        self._renewing = renewing
        self._clock = clock
        self._asking: Counter[NodeId] = Counter()  # questions at our issuer
        self._passing_on: set[NodeId] = set()  # for whom
        self._inquiry = _Inquiry(node)

    async def answer(self, request: Request) -> bytes:
        """What to say to a peer."""
        try:
            asked = parse_renewal(request.data)
            if not isinstance(asked, Renew):
                return Refused("request-invalid", "no question").encode()
            card = Card.parse(asked.card)
        except (MessageError, CardError) as error:
            return Refused("request-invalid", str(error)).encode()
        peer = request.peer.node_id
        found = await self._renew(card, peer)
        if isinstance(found, Refused) and found.code == "no-issuer":
            found = await self._pass_on(asked, card, peer)
        return found.encode()

    async def _renew(self, card: Card, peer: NodeId) -> Renewed | Refused:
        if self._renewing is None:
            return Refused("no-issuer")
        # All wait for one signer: a peer with many questions must not stand before all others.
        if self._asking[peer] >= MAX_OF_PEER:
            return Refused("busy")
        self._asking[peer] += 1
        try:
            return await self._renewing(card)
        finally:
            self._asking[peer] -= 1
            if not self._asking[peer]:
                del self._asking[peer]

    async def _pass_on(self, asked: Renew, card: Card, peer: NodeId) -> Renewed | Refused:
        # For itself alone: nobody has us ask for others, and one peer keeps one question going at most.
        if not asked.hops or card.node_id != peer:
            return Refused("no-issuer")
        if peer in self._passing_on or len(self._passing_on) >= MAX_PASSED_ON:
            return Refused("busy")
        self._passing_on.add(peer)
        others: list[Renewed] = []

        def good(found: Renewed) -> bool:
            if _newer(self._node, card, found, int(self._clock())) is not None:
                return True
            others.append(found)  # of an issuer that we do not know, or a lie: the peer can tell
            return False

        found: Renewed | Refused = Refused("no-issuer", "no answer in time")
        try:
            with trio.move_on_after(PASS_ON_TIMEOUT):
                found = await self._inquiry.ask(Renew(asked.hops - 1, asked.card), good, leave_out=peer)
            return others[0] if others and isinstance(found, Refused) else found
        finally:
            self._passing_on.discard(peer)


class _Inquiry:
    """Asks ourselves where we can renew, then linked peers: first whoever had an answer the last time."""

    def __init__(self, node: Node, renewing: Renewing | None = None) -> None:
        self.node = node
        self._renewing = renewing
        self._answered: NodeId | None = None

    async def ask(
        self, question: Renew, good: Callable[[Renewed], bool], *, leave_out: NodeId | None = None
    ) -> Renewed | Refused:
        """The first answer that is `good`, or the last reason why there was none."""
        why = Refused("no-issuer")
        if self._renewing is not None:
            ours = await self._renewing(Card.parse(question.card))
            if isinstance(ours, Renewed) and good(ours):
                return ours
            why = ours if isinstance(ours, Refused) else why
        for peer in self._order(leave_out):
            try:
                data = await self.node.request(
                    peer, PROTOCOL, question.encode(), timeout=ASK_TIMEOUT, max_response=MAX_ASK
                )
                found = parse_renewal(data)
            except P2PNoiseError:
                continue  # it left, knows no such thing, or is no honest one: the next
            if isinstance(found, Renewed) and good(found):
                self._answered = peer.node_id
                return found
            if isinstance(found, Refused) and found.code != "no-issuer":
                why = found
        return why

    def _order(self, leave_out: NodeId | None) -> list[Peer]:
        linked = [peer for peer in self.node.peers if peer.linked and peer.node_id != leave_out]
        random.shuffle(linked)
        linked.sort(key=lambda peer: peer.node_id != self._answered)
        return linked[:MAX_ASKED]


async def keep_renewed(
    node: Node, home: NodeFolder, renewing: Renewing | None = None, *, clock: Callable[[], float] = time.time
) -> None:
    """Have each grant of the card in this folder renewed when two thirds of its life are over, until cancelled.

    The new card goes into card.pem, which the running node watches. What comes of it is told as `GrantRenewed` and
    `RenewalFailed`. A node that is at an issuer itself asks `renewing` first. `clock` gives seconds since 1970.
    """
    inquiry, tries = _Inquiry(node, renewing), dict[bytes, _Try]()
    table = node.core.table

    def now() -> float:  # a clock that was never set goes by what the issuers have signed
        return max(clock(), table.facts.clock(table.policy, int(clock())))

    while True:
        card = _read(home)
        grants = card.grants if card is not None else ()
        tries = {one.kid: tries.get(one.kid) or _Try() for one in grants}
        waits = {one.kid: tries[one.kid].wait(one, now()) for one in grants}
        due = [one for one in grants if waits[one.kid] <= 0]
        if card is None or not due:
            await trio.sleep(min(LOOK, *waits.values()) if waits else LOOK)
            continue
        failed = await _renew(home, card, due, inquiry, clock)
        for one in due:
            why = failed.get(one.kid)
            if why is None:
                del tries[one.kid]
                continue
            pause = tries[one.kid].failed()
            left, issuer = one.not_after - int(now()), _issuer_name(node, one)
            node.tell(RenewalFailed(issuer=issuer, reason=_sentence(why), seconds_left=left, retry_in=pause))


def renewal_due(grant: Grant, share: float = LIFE) -> float:
    """When a grant is to be renewed, in seconds since 1970."""
    return grant.issued_at + share * (grant.not_after - grant.issued_at)


class _Try:
    """Of one issuer's grant: which share of its life is waited for, and what came to nothing since."""

    def __init__(self) -> None:
        self._share = LIFE + random.uniform(-JITTER, JITTER)  # noqa: S311 - no secret
        self._failures = 0
        self._again = -math.inf

    def wait(self, grant: Grant, now: float) -> float:
        """Seconds until it is asked for; none or less when it is time."""
        return max(renewal_due(grant, self._share) - now, self._again - trio.current_time())

    def failed(self) -> float:
        """Seconds until the next try."""
        pause: float = min(RETRY * 2**self._failures, LONGEST_RETRY) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        self._failures = min(self._failures + 1, 16)
        self._again = trio.current_time() + pause
        return pause


async def _renew(
    home: NodeFolder, card: Card, due: Sequence[Grant], inquiry: _Inquiry, clock: Callable[[], float]
) -> dict[bytes, Refused]:
    """Ask, and keep what comes of it: why grants that are due were not renewed, by their hints.

    One issuer that is gone must not stop what the others renew, so whatever is newer is taken.
    """
    node, new = inquiry.node, card
    failed = {one.kid: why for one in due if (why := _hopeless(node, card, one)) is not None}
    asked = [one for one in due if one.kid not in failed]
    if not asked:
        return failed

    def enough(answer: Renewed) -> bool:
        nonlocal new
        new = _newer(node, new, answer, int(clock())) or new
        return not any(one in new.grants for one in asked)

    found = await inquiry.ask(Renew(1, card.raw), enough)
    if new is not card:
        try:
            await trio.to_thread.run_sync(_put, home, card, new)
        except Fault as fault:
            return failed | {one.kid: Refused("busy", str(fault)) for one in asked}
        end = min(one.not_after for one in new.grants if one not in card.grants)
        node.tell(GrantRenewed(node_id=new.node_id, not_after=end))
    why = found if isinstance(found, Refused) else Refused("no-issuer")
    return failed | {one.kid: why for one in asked if one in new.grants}


def _hopeless(node: Node, card: Card, grant: Grant) -> Refused | None:
    """Why it is no use to ask for this grant."""
    if grant.not_after >= card.not_after:
        return Refused("card-ends")
    if not node.core.table.keys_of(grant.kid):  # an answer could not be told from a forged one
        return Refused("no-issuer", "our policy does not accept its issuer")
    return None


def _newer(node: Node, card: Card, answer: Renewed, now: int) -> Card | None:
    """The card with those of the answered grants that are newer and count, each by itself; None where none is.

    Whoever passes an answer on could have put anything beside a good grant.
    """
    try:
        claim = Card.parse(answer.card)
        if claim.card_id != card.card_id:
            return None
        verdict = node.core.table.judge(claim, now, own=True)
        new = renewed(card, (one for one in verdict.weighed if one.problem is None))
        return new if new.raw != card.raw else None
    except CardError:  # also: more than an envelope holds
        return None


def _issuer_name(node: Node, grant: Grant) -> str:
    """What our policy calls the issuer of a grant; its hint where it does not know it."""
    table = node.core.table
    return next((table.policy.issuer_name(key) for key in table.keys_of(grant.kid)), grant.kid.hex())


def _read(home: NodeFolder) -> Card | None:
    try:
        return home.read_card()
    except Fault:
        return None  # the watcher says so


def _put(home: NodeFolder, old: Card, new: Card) -> None:
    """Write the card, unless somebody installed another one meanwhile."""
    with files.lock(home.path):
        installed = home.read_card()
        if installed is not None and installed.raw == old.raw:
            files.write(home.card, documents.card_block(new).encode(), force=True)


def _sentence(why: Refused) -> str:
    reason = REASONS.get(why.code)
    text = reason.text if reason is not None else why.code
    return f"{text} ({why.text})" if why.text else text
