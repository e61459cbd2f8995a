"""Renewal: our grants made anew over any peer that reaches an issuer, and what we answer to peers that ask for theirs.

A request is a card, and its answer the same card with newer grants: both are public, and asking twice gives the same
answer, so that whoever passes them on needs no proof and can gain nothing. The wire is in PROTOCOL.md.
"""

import random
import time
from collections.abc import Awaitable, Callable

import trio

from cards import Card, CardError, NodeId
from cli import documents, files
from cli.folders import NodeFolder
from cli.output import Fault
from p2pnoise.enrolment import MAX_ASK, REASONS, MessageError, Refused, Renew, Renewed, parse_renewal
from p2pnoise.errors import P2PNoiseError
from p2pnoise.events import GrantRenewed, RenewalFailed
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
ASK_TIMEOUT = 60.0  # seconds: more than one that is passed on takes
PASS_ON_TIMEOUT = 40.0  # seconds for all peers that one request is passed on to

Renewing = Callable[[Card], Awaitable[Renewed | Refused]]
"""How a node that is at an issuer renews a card."""


def answer_renewals(node: Node, renewing: Renewing | None = None) -> None:
    """Have the node answer peers that want a card renewed, by `renewing` or by asking its own peers."""
    node.handle(PROTOCOL, answering(_Answers(node, renewing).answer, max_request=MAX_ASK))


class _Answers:
    def __init__(self, node: Node, renewing: Renewing | None) -> None:
        self._node = node
        self._renewing = renewing
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
        found: Renewed | Refused = Refused("no-issuer")
        if self._renewing is not None:
            found = await self._renewing(card)
        if isinstance(found, Refused) and found.code == "no-issuer":
            found = await self._pass_on(asked, card, request.peer.node_id)
        return found.encode()

    async def _pass_on(self, asked: Renew, card: Card, peer: NodeId) -> Renewed | Refused:
        # For itself alone: nobody has us ask for others, and one peer keeps one question going at most.
        if not asked.hops or card.node_id != peer:
            return Refused("no-issuer")
        if peer in self._passing_on or len(self._passing_on) >= MAX_PASSED_ON:
            return Refused("busy")
        self._passing_on.add(peer)
        try:
            with trio.move_on_after(PASS_ON_TIMEOUT):
                return await self._inquiry.ask(Renew(asked.hops - 1, asked.card), leave_out=peer)
            return Refused("no-issuer", "no answer in time")
        finally:
            self._passing_on.discard(peer)


class _Inquiry:
    """Asks ourselves where we can renew, then linked peers: first whoever had an answer the last time."""

    def __init__(self, node: Node, renewing: Renewing | None = None) -> None:
        self._node = node
        self._renewing = renewing
        self._answered: NodeId | None = None

    async def ask(
        self,
        question: Renew,
        *,
        leave_out: NodeId | None = None,
        good: Callable[[Renewed], bool] = lambda _found: True,
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
                data = await self._node.request(
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
        linked = [peer for peer in self._node.peers if peer.linked and peer.node_id != leave_out]
        random.shuffle(linked)
        linked.sort(key=lambda peer: peer.node_id != self._answered)
        return linked[:MAX_ASKED]


async def keep_renewed(
    node: Node, home: NodeFolder, renewing: Renewing | None = None, *, clock: Callable[[], float] = time.time
) -> None:
    """Have the grants of the card in this folder renewed when two thirds of their life are over, until cancelled.

    The new card goes into card.pem, which the running node watches. What comes of it is told as `GrantRenewed` and
    `RenewalFailed`. A node that is at an issuer itself asks `renewing` first. `clock` gives seconds since 1970.
    """
    inquiry, failures, share = _Inquiry(node, renewing), 0, _share()
    table = node.core.table

    def now() -> float:
        return max(clock(), table.facts.clock(table.policy, int(clock())))

    while True:
        card = _read(home)
        due = renewal_due(card, share) if card is not None else None
        if card is None or due is None or now() < due:
            await trio.sleep(LOOK if due is None else min(due - now(), LOOK))
            continue
        why = await _renew(node, home, card, inquiry, clock)
        if why is None:
            failures, share = 0, _share()
            continue
        pause = min(RETRY * 2**failures, LONGEST_RETRY) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        failures = min(failures + 1, 16)
        left = min(one.not_after for one in card.grants) - int(now())
        node.tell(RenewalFailed(reason=_sentence(why), seconds_left=left, retry_in=pause))
        await trio.sleep(pause)


def renewal_due(card: Card, share: float = LIFE) -> float | None:
    """When the first of a card's grants is to be renewed, in seconds since 1970; None where it has none."""
    return min((one.issued_at + share * (one.not_after - one.issued_at) for one in card.grants), default=None)


def _share() -> float:
    return LIFE + random.uniform(-JITTER, JITTER)  # noqa: S311 - no secret


async def _renew(
    node: Node, home: NodeFolder, card: Card, inquiry: _Inquiry, clock: Callable[[], float]
) -> Refused | None:
    """Ask, and keep what comes of it; why nothing did."""
    if min(card.grants, key=lambda one: one.not_after).not_after >= card.not_after:
        return Refused("card-ends")
    found = await inquiry.ask(
        Renew(1, card.raw), good=lambda answer: _better(node, card, answer, int(clock())) is not None
    )
    if isinstance(found, Refused):
        return found
    new = _better(node, card, found, int(clock()))
    if new is None:
        return Refused("no-issuer")
    try:
        await trio.to_thread.run_sync(_put, home, card, new)
    except Fault as fault:
        return Refused("busy", str(fault))
    node.tell(GrantRenewed(node_id=new.node_id, not_after=min(one.not_after for one in new.grants)))
    return None


def _better(node: Node, card: Card, answer: Renewed, now: int) -> Card | None:
    """The card that was answered, if it is ours, counts, and lasts longer."""
    try:
        new = Card.parse(answer.card)
    except CardError:
        return None
    same = (new.body, new.key_signature, new.node_signature) == (card.body, card.key_signature, card.node_signature)
    ends = {one.kid: one.not_after for one in new.grants}
    kept = all(ends.get(one.kid, 0) >= one.not_after for one in card.grants)
    longer = min(ends.values(), default=0) > min(one.not_after for one in card.grants)
    if not (same and kept and longer) or len(new.grants) != len(card.grants):
        return None
    return new if node.core.table.judge(new, now, own=True).ok else None


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
