"""Mutations: the rules of a node, each broken in one way, for mutants.py; every function is one rule that is forgotten.

They reach into what is private, on purpose: what they replace is the guard itself.
"""

# ruff: noqa: SLF001, ANN001, ANN002, ANN003, ANN202, ARG001 - as said above; what is replaced has its types
# mypy: disable-error-code="no-untyped-def"

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cards import AddressRecord, Memo, SignatureCache
from cards.facts import Facts
from cards.statements import verify
from cards.verification import _Check
from p2pnoise.gossip import PeerTable, Views, liveness, overlay, reconciliation
from p2pnoise.gossip.broadcast import Broadcast
from p2pnoise.gossip.encoding import decode
from p2pnoise.gossip.facts import FactExchange
from p2pnoise.gossip.intake import Intake
from p2pnoise.gossip.items import ItemIndex
from p2pnoise.gossip.lists import ListExchange
from p2pnoise.gossip.liveness import Liveness
from p2pnoise.gossip.messages import FINGERPRINT_SIZE, MessageError, Unknown
from p2pnoise.gossip.trust import Trust
from p2pnoise.gossip.wants import Wants
from p2pnoise.instant import SECOND, Instant
from p2pnoise.node import effects as io
from p2pnoise.node import gossiping, pairing
from p2pnoise.node.admission import Admission
from p2pnoise.node.dials import Dialler
from p2pnoise.node.frames import Code, FrameError
from p2pnoise.node.gossiping import Gossiping
from p2pnoise.node.link import Link, Stage
from p2pnoise.node.links import Links
from p2pnoise.node.pauses import Pauses
from p2pnoise.node.upkeep import Upkeep


class Patch:
    """Attributes that are replaced, and put back in the end."""

    def __init__(self) -> None:
        self._before: list[tuple[Any, str, Any]] = []

    def setattr(self, owner: Any, name: str, value: Any) -> None:
        """Replace what `owner` calls `name`."""
        self._before.append((owner, name, vars(owner)[name]))
        setattr(owner, name, value)

    def undo(self) -> None:
        """Put all back, the last first."""
        while self._before:
            setattr(*self._before.pop())


@contextmanager
def applied(mutation: Callable[[Patch], None]) -> Iterator[None]:
    """The rule is broken inside the block, in this process."""
    patch = Patch()
    try:
        mutation(patch)
        yield
    finally:
        patch.undo()


def skip_signatures(patch: Patch) -> None:
    patch.setattr(SignatureCache, "verify", lambda *_: True)


def skip_the_signatures_of_addresses(patch: Patch) -> None:
    patch.setattr(AddressRecord, "check", lambda *_, **__: None)
    patch.setattr(Memo, "check_record", lambda *_, **__: None)


def keep_links_to_liars(patch: Patch) -> None:
    patch.setattr(Gossiping, "_offended", lambda *_: None)


def refuse_what_came_garbled_from_everybody(patch: Patch) -> None:
    """As it was once: whoever answers first and wrongly keeps a card out for ten minutes."""
    honest = Intake._take_card

    def take(self, *given):
        *_, ids, now = given
        try:
            honest(self, *given)
        finally:
            self._wants.refuse([item for item in ids if item not in self._table.items], now.monotonic)

    patch.setattr(Intake, "_take_card", take)


def never_prune(patch: Patch) -> None:
    patch.setattr(Broadcast, "was_needless", lambda *_: None)


def never_graft(patch: Patch) -> None:
    """What nobody pushes is waited for: only the comparison of tables brings it."""
    patch.setattr(Broadcast, "_graft", lambda *_: None)


def take_a_card_under_any_noise_key(patch: Patch) -> None:
    honest = Trust.judge

    def judge(*args, **more):
        return honest(*args, **more | {"peer_static": None})

    patch.setattr(Trust, "judge", judge)


def forget_numbers(patch: Patch) -> None:
    patch.setattr(_Check, "history", lambda _self: None)


def take_older_addresses(patch: Patch) -> None:
    def offer_record(self, record, now):
        peer = self.by_node(record.node_id)
        if peer is None or (peer.record is not None and peer.record.raw == record.raw):
            return None, None
        changed = dataclasses.replace(peer, record=record)
        self._put(changed)
        return None, changed

    patch.setattr(PeerTable, "offer_record", offer_record)


def forget_refusals(patch: Patch) -> None:
    patch.setattr(Wants, "refuse", lambda *_given, **_named: None)


def count_before_the_first_frame(patch: Patch) -> None:
    """A first message alone, which may be a recording, ends an older link to the same node (P10)."""
    honest = Admission.judge

    def judge(self, connection, link, *presented):
        honest(self, connection, link, *presented)
        older = pairing.rival(self._links.all, connection) if link.stage is Stage.GREETING else None
        if older is not None and not link.initiator:
            self._links.close(older, Code.GOODBYE, presented[-1])

    patch.setattr(Admission, "judge", judge)


def prove_no_conflict(patch: Patch) -> None:
    patch.setattr(FactExchange, "_prove", lambda *_: None)


def wait_for_strangers(patch: Patch) -> None:
    honest = Upkeep._overdue

    def overdue(self, connection, link, now):
        if link.stage in (Stage.HANDSHAKE, Stage.GREETING):
            link.deadline = now.monotonic + 10**12
        else:
            honest(self, connection, link, now)

    patch.setattr(Upkeep, "_overdue", overdue)


def take_any_number_of_strangers(patch: Patch) -> None:
    patch.setattr(Links, "accepted", Links._open)


def keep_both_links(patch: Patch) -> None:
    patch.setattr(pairing, "rival", lambda *_: None)
    patch.setattr(Links, "drain", lambda *_: None)


def end_links_for_unknown_messages(patch: Patch) -> None:
    def read(data):
        message = decode(data)
        if isinstance(message, Unknown):
            raise MessageError("what is that?")
        return message

    patch.setattr(gossiping, "decode", read)


def end_links_for_unknown_frames(patch: Patch) -> None:
    honest = Link._frame

    def frame(self, kind, payload, now):
        if kind > 100:
            raise FrameError("what is that?")
        return honest(self, kind, payload, now)

    patch.setattr(Link, "_frame", frame)


def count_any_issuer(patch: Patch) -> None:
    patch.setattr(_Check, "have", lambda *_: 99)


def take_nonsense_for_later_versions(patch: Patch) -> None:
    def read(data):
        try:
            return decode(data)
        except MessageError:
            return Unknown()

    patch.setattr(gossiping, "decode", read)


def remember_signatures_by_their_first_half(patch: Patch) -> None:
    def check(self, key, signature, message):
        return self._facts.setdefault(key + signature[:32], verify(key, signature, message))

    patch.setattr(SignatureCache, "verify", check)


def never_tell_of_twins(patch: Patch) -> None:
    patch.setattr(Admission, "_refuse_clone", lambda *_: None)


def keep_lists_to_oneself(patch: Patch) -> None:
    patch.setattr(ListExchange, "accepted", lambda *_: None)


def keep_sessions(patch: Patch) -> None:
    patch.setattr(Admission, "recheck", lambda *_: None)


def ask_for_less(patch: Patch) -> None:
    """Of every batch that is due one item is asked for; the others are forgotten, and taken for asked."""
    honest = Wants.next_batch
    patch.setattr(Wants, "next_batch", lambda self, link, now: self._holding.first(honest(self, link, now), 1))


def fingerprints_of_nothing(patch: Patch) -> None:
    """Any two tables are alike when they are compared, so that nobody fetches what it missed."""
    patch.setattr(reconciliation, "FEW", 0)
    patch.setattr(ItemIndex, "fingerprint", lambda *_: bytes(FINGERPRINT_SIZE))


def never_expire(patch: Patch) -> None:
    patch.setattr(PeerTable, "expire", lambda *_: [])


def dial_again_at_once(patch: Patch) -> None:
    patch.setattr(Pauses, "failed", lambda *_, **__: 0.01)


def forget_teardown(patch: Patch) -> None:
    """The connection of a link that is over is kept."""
    honest = Links.drop

    def drop(self, connection, reason, now):
        honest(self, connection, reason, now)
        self._out[:] = [one for one in self._out if one != io.Disconnect(connection)]

    patch.setattr(Links, "drop", drop)


def turn_newcomers_away(patch: Patch) -> None:
    """A full node is full for ever: visitors neither go nor are sent away."""
    patch.setattr(Links, "crowded", False)
    patch.setattr(Views, "leave", lambda *_: None)


def never_dial_again(patch: Patch) -> None:
    """Whoever did not answer once is not dialled again for an hour, nor visited."""
    healthy = Pauses.failed
    patch.setattr(Pauses, "failed", lambda self, address, now: healthy(self, address, now + 3600 * SECOND))
    patch.setattr(Dialler, "_pays_visits", lambda *_: False)


def be_impatient(patch: Patch) -> None:
    """Who does not answer a probe in time is taken for dead at once, whoever hears it."""
    patch.setattr(liveness, "SUSPICION", 0)
    patch.setattr(liveness, "LONGEST", 0)


def never_give_up(patch: Patch) -> None:
    """Who has fallen silent is suspected for ever."""
    patch.setattr(Liveness, "_doubt", lambda *_: None)


def chatter(patch: Patch) -> None:
    """Tables are compared a thousand times as often."""
    patch.setattr(overlay, "ANTI_ENTROPY", overlay.ANTI_ENTROPY // 1_000)


def allow_no_leeway(patch: Patch) -> None:
    """A card that begins a second from now by our clock is refused."""
    patch.setattr(Facts, "leeway", lambda *_: 0)


def count_addresses_from_one(patch: Patch) -> None:
    """The number of an address record is one higher than the last that we remember, and nothing else."""
    patch.setattr(Instant, "unix_ms", property(lambda _: 0))


def go_on_when_told_to_stop(patch: Patch) -> None:
    """Nobody is told goodbye."""
    patch.setattr(Links, "close_all", lambda *_: None)
