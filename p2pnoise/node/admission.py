"""Admission: which peers come in and stay, from the card of a handshake to the last change of trust (P7, P10 to P13).

This is the only place that binds a Noise static key to a card.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from cards import Card, Finding, NodeId, Verdict
from p2pnoise import events
from p2pnoise.config import NodeConfig
from p2pnoise.errors import RemoteProtocolError
from p2pnoise.gossip import Overlay
from p2pnoise.instant import SECOND, Instant, ns

from . import effects as io
from . import pairing, telling
from .bans import Bans
from .dials import Dialler
from .frames import VISIT, Code, Hello
from .link import Link, Stage

if TYPE_CHECKING:
    from .links import Links

VISITED = 2 * SECOND  # how long whoever comes to a node with enough neighbours may take to learn of others; a guess
MAX_SHOWN = 10_000  # identities, before those of peers that are gone are forgotten; a guess
MAX_BROKEN = 1_000  # broken links that are remembered, to be replaced by name; the others are found out by their pings


class Admission:
    """Judges the peers of `links`: by their cards, by their lists, and whenever trust or time has changed."""

    def __init__(
        self,
        links: "Links",
        config: NodeConfig,
        *,
        boot_id: bytes,
        overlay: Overlay,
        dialler: Dialler,
        bans: Bans,
    ) -> None:
        self._links = links
        self._config = config
        self._boot_id = boot_id
        self._overlay = overlay
        self._table = overlay.table
        self._dialler = dialler
        self._bans = bans
        self._contests = pairing.Contests()
        self._shown: set[bytes] = set()  # the identities that linked peers have shown, and some that are gone
        self._last_hash: dict[bytes, bytes] = {}  # Node ID -> handshake hash of the last link that broke

    def configure(self, config: NodeConfig) -> None:
        """Other times from now on."""
        self._config = config

    # Coming in

    def judge(self, connection: io.ConnectionId, link: Link, raw: bytes, rs: bytes, now: Instant) -> None:
        """The card of a handshake. Until the peer's first transport frame nothing here may touch any state (P10)."""
        verdict = self._judge_bearer(raw, rs, now)
        if link.expected is not None and rs != link.expected and verdict.claim is not None:
            verdict = self._judge_fallback(link.expected, verdict.claim, verdict)
        link.verdict = verdict
        if verdict.claim is None or not (verdict.ok or waits_for_lists(verdict)):
            if link.expected not in (None, rs):
                self._dialler.hosts.elsewhere(link.address, rs, now.monotonic)
            self._refuse(connection, link, verdict, now)
            return
        link.node_id = verdict.claim.node_id
        try:
            features = (VISIT,) if link.visit else ()
            link.accept(Hello(self._boot_id, self._last_hash.get(link.node_id, b""), features), now.monotonic)
        except RemoteProtocolError as error:
            self._links.drop(connection, str(error), now)

    def _judge_bearer(self, card: bytes | Card, rs: bytes, now: Instant) -> Verdict:
        """Whoever proved `rs` and shows this card; by the newer one of the same node that we hold, where we do (P6).

        A node that was restored from a backup shows what it had then. It proves the key that the newer card names, too,
        which whoever found an old card cannot; and it will have that card from us.
        """
        verdict = self._table.judge(card, now.unix, peer_static=rs)
        row, claim = self._table.by_node(rs), verdict.claim
        if not verdict.ok and row is not None and verdict.card is not None and claim is not None:
            same = claim.node_id == rs and claim.identity == row.card.identity
            if same and (claim.sequence < row.card.sequence or claim.card_id == row.card.card_id):
                verdict = self._table.judge(row.card, now.unix, peer_static=rs)
        return self._bans.weigh(verdict)

    def _judge_fallback(self, dialled: NodeId, claim: Card, verdict: Verdict) -> Verdict:
        """Fallback never changes the peer: a dialled Node ID is answered by its own identity with a newer card (P12).

        Or by the one identity to which that has handed over. Any member could stand on the path, garble our first
        message and answer for itself.
        """
        known = self._table.last_card(dialled)
        if known is not None:
            heir = self._table.facts.successor(known.identity, known.next_key_digest)
            if claim.identity == heir or (claim.identity == known.identity and claim.sequence > known.sequence):
                return verdict
        why = "of which no card is known" if known is None else "without a newer card of the same identity"
        finding = Finding("node-mismatch", f"{claim.node_id.short} answered for {dialled.short}, {why}")
        return replace(verdict, level="reject", findings=(*verdict.findings, finding))

    def _refuse(self, connection: io.ConnectionId, link: Link, verdict: Verdict, now: Instant) -> None:
        """Send a peer away: with a reason if an accepted issuer vouched for it once, in silence otherwise (P13)."""
        code = Code.of(verdict.errors)
        told = link.refuse(code if verdict.endorsed else None, now.monotonic)
        link.told_of = True
        self._links.emit(telling.refused(link, code.label, told=told))
        self._links.drop(connection, code.label, now)
        if link.initiator and verdict.claim is not None:  # who answers us lives; who dials may be a recording (P10)
            self._links.gossip.apply(self._overlay.card_refused(verdict.claim, now), now)

    def greeted(self, connection: io.ConnectionId, link: Link, hello: Hello, now: Instant) -> None:
        """The peer lives: from here on it counts. Its older link, if there is one, decides what comes next (P11)."""
        if link.ending:
            return
        link.visit = VISIT in hello.features if not link.initiator else link.visit
        self._note_shown(link.verdict)
        older = pairing.rival(self._links.all, connection)
        other = self._links.all[older] if older is not None else None
        if older is None or other is None:
            self._compare_lists(connection, link, now)
        elif not pairing.same_start(other, hello):
            # Another start of the same node, or another node with its key: the old link says which.
            other.ping(now.monotonic)
            self._links.agenda.touch(older)
            link.stage = Stage.CONTESTED
            self._links.moved(connection)
            link.deadline = now.monotonic + ns(self._config.clone_timeout)
            self._contests.begin(connection, older)
        elif pairing.newcomer_stays(self._table.own, link, other, hello):
            self._compare_lists(connection, link, now)  # the older one goes on until this one is up
        else:
            self._links.close(connection, Code.GOODBYE, now)

    def contested_by(self, newcomer: io.ConnectionId) -> io.ConnectionId | None:
        """The older link that this newcomer waits for."""
        return self._contests.older(newcomer)

    def answered(self, older: io.ConnectionId, now: Instant) -> None:
        """A link answered a ping: it lives, and newcomers that wait for it are clones."""
        for newcomer in self._contests.against(older):
            self._refuse_clone(newcomer, older, now)

    def _refuse_clone(self, newcomer: io.ConnectionId, older: io.ConnectionId, now: Instant) -> None:
        """The older link answered, so two nodes that live use one key: both are told, and our operator."""
        link = self._links.all.get(newcomer)
        if link is not None and link.stage is Stage.CONTESTED and link.node_id is not None:
            self._links.emit(
                events.DuplicateNode(node_id=link.node_id, name=self._links.name(link), address=link.address)
            )
            self._links.all[older].tell_of_twin(link.address, now.monotonic)
            self._links.agenda.touch(older)
            self.close_refused(newcomer, Code.DUPLICATE_NODE, now)

    def _take_over(self, newcomer: io.ConnectionId, now: Instant) -> None:
        """The older link is gone, so the newcomer may begin, unless another newcomer was faster."""
        self._contests.over(newcomer)
        link = self._links.all.get(newcomer)
        if link is not None and link.stage is Stage.CONTESTED and link.hello is not None:
            self.greeted(newcomer, link, link.hello, now)

    def _compare_lists(self, connection: io.ConnectionId, link: Link, now: Instant) -> None:
        if link.node_id is None:
            return
        link.stage = Stage.COMPARING
        self._links.moved(connection)
        link.deadline = now.monotonic + ns(self._config.handshake_timeout)
        greeted = self._overlay.peer_greeted(connection, link.node_id, now, ours=link.initiator, address=link.address)
        self._links.gossip.apply(greeted, now)
        held, link.held = link.held, []
        for data in held:
            self._links.gossip.take(connection, data, now)

    def page_came(self, connection: io.ConnectionId, now: Instant) -> None:
        """A long list comes by a slow line: the rest may take as long again."""
        link = self._links.all.get(connection)
        if link is not None and link.stage is Stage.COMPARING:
            link.deadline = now.monotonic + ns(self._config.handshake_timeout)
            self._links.agenda.touch(connection)
            # Our silence would end the link after a while: the peer's own question waits behind the list.
            link.ping(now.monotonic)

    def lists_compared(self, connection: io.ConnectionId, now: Instant) -> None:
        """We know all that the peer knows of revocations: its card is judged for good."""
        link = self._links.all.get(connection)
        if link is None or link.stage is not Stage.COMPARING or link.verdict is None or link.verdict.claim is None:
            return
        claim = link.verdict.claim
        self._links.gossip.apply(self._overlay.card_presented(claim, now), now)
        if link.ending:
            return
        link.verdict = self._judge_bearer(claim, claim.node_id, now)
        if not link.verdict.ok:
            self.close_refused(connection, Code.of(link.verdict.errors), now)
            return
        link.admit(now.monotonic)
        self._links.moved(connection)
        link.deadline = _end_of(link.verdict, now)
        self._dialler.succeeded(link.address)
        if link.initiator:
            self._dialler.hosts.answered(link.address, claim.node_id)
        self._last_hash.pop(claim.node_id, None)
        older = [
            number
            for number, other in self._links.all.items()
            if other is not link and other.counted_up and other.node_id == claim.node_id
        ]
        if link.visit and older:
            self._links.close(connection, Code.GOODBYE, now)
            return
        first = not (older or link.counted_up or link.visit)
        link.was_up = True
        link.counted_up = not link.visit  # of a visit nobody hears
        self._links.gossip.apply(self._overlay.offer_card(claim, now, live=True), now)
        if link.expected is not None and link.expected != claim.node_id:
            self._links.emit(telling.key_changed(link, link.expected, claim.node_id))
        if first:
            self._links.emit(telling.verified(link, claim.node_id, len(self._table)))
        self._links.gossip.apply(self._overlay.peer_up(connection, link.verdict, now, visit=link.visit), now)
        if link.visit:
            link.leaves_at = now.monotonic + ns(self._config.idle_timeout)
        elif not link.initiator and (connection not in self._overlay.views.active or self._links.crowded):
            link.leaves_at = now.monotonic + VISITED
        for number in older:
            if link.hello is not None and link.hello.replaces == self._links.all[number].handshake_hash:
                self._links.close(number, Code.GOODBYE, now)  # the peer knows that it is broken
            else:
                self._links.drain(number, now)

    # Staying and leaving

    def recheck(self, now: Instant) -> None:
        """Trust or time changed: cut every live link whose peer no longer counts."""
        for connection in list(self._links.all):
            self.judge_again(connection, now)

    def judge_again(self, connection: io.ConnectionId, now: Instant) -> None:
        """Cut this link if its peer no longer counts."""
        link = self._links.all.get(connection)
        if link is None or not link.greeted or link.verdict is None or link.verdict.claim is None:
            return
        # Gossip may have brought a newer card of this peer, or a newer grant, than it showed us: that is judged.
        row = self._table.by_node(link.verdict.claim.node_id)
        claim = row.card if row is not None else link.verdict.claim
        verdict = self._table.judge(claim, now.unix, peer_static=link.node_id, established=True)
        verdict = self._bans.weigh(verdict)
        if link.stage is not Stage.UP and waits_for_lists(verdict):
            return
        link.verdict = verdict
        self._note_shown(verdict)
        if not verdict.ok:
            self.close_refused(connection, Code.of(verdict.errors), now)
        elif link.stage is Stage.UP:
            link.deadline = _end_of(verdict, now)
            self._links.agenda.touch(connection)

    def _note_shown(self, verdict: Verdict | None) -> None:
        if verdict is None or verdict.claim is None:
            return
        self._shown.add(verdict.claim.identity)
        if len(self._shown) > MAX_SHOWN + 2 * len(self._links.all):
            verdicts = (link.verdict for link in self._links.all.values())
            self._shown = {one.claim.identity for one in verdicts if one is not None and one.claim is not None}

    def follow(self, card: Card, now: Instant) -> None:
        """Where an identity has moved to another node, the link to the one that it left is cut."""
        if card.identity not in self._shown:  # nearly all that gossip brings
            return
        claims = [link.verdict.claim for link in self._links.all.values() if link.greeted and link.verdict is not None]
        if any(claim and claim.identity == card.identity and claim.node_id != card.node_id for claim in claims):
            self.recheck(now)

    def broke(self, link: Link) -> None:
        """A link to a peer broke without a goodbye: the next one names it."""
        if link.node_id is not None:
            self._last_hash[link.node_id] = link.handshake_hash
            if len(self._last_hash) > MAX_BROKEN:
                del self._last_hash[next(iter(self._last_hash))]

    def gone(self, connection: io.ConnectionId, now: Instant) -> None:
        """A link is gone, or has stepped back: newcomers that waited for it may begin."""
        self._contests.over(connection)
        for newcomer in self._contests.against(connection):
            self._take_over(newcomer, now)

    def close_refused(self, connection: io.ConnectionId, code: Code, now: Instant) -> None:
        """End a link to a peer that does not count, or not any more."""
        self._links.emit(telling.refused(self._links.all[connection], code.label, told=True))
        self._links.close(connection, code, now, reason=code.label)


def waits_for_lists(verdict: Verdict) -> bool:
    """Whether all that keeps a card from counting is a list that we lack: its bearer may bring it."""
    codes = {finding.code for finding in verdict.errors} - {"threshold"}
    return verdict.endorsed and bool(codes) and codes <= {"revocation-missing", "revocation-stale"}


def _end_of(verdict: Verdict, now: Instant) -> int:
    return now.monotonic + max(0, verdict.valid_until - now.unix) * SECOND
