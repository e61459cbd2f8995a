"""Checks that can fail: each guard of the node is taken away once, and the scenario that is to notice does."""

import dataclasses
from typing import NamedTuple

import pytest

from cards import AddressRecord, SignatureCache
from cards.statements import verify
from cards.verification import _Check
from p2pnoise.gossip import Overlay, PeerTable
from p2pnoise.gossip.messages import MessageError, Unknown, decode
from p2pnoise.gossip.wants import Wants
from p2pnoise.node import admission, links, pairing
from p2pnoise.node.admission import Admission
from p2pnoise.node.frames import Code, FrameError
from p2pnoise.node.link import Link, Stage
from p2pnoise.node.links import Links
from simulations import begin, find, run
from simulations.experiment import LOOK


def skip_signatures(patch):
    patch.setattr(SignatureCache, "verify", lambda *_: True)


def skip_the_signatures_of_addresses(patch):
    patch.setattr(AddressRecord, "check", lambda *_, **__: None)
    patch.setattr("cards.memo.Memo.check_record", lambda *_, **__: None)


def keep_links_to_liars(patch):
    patch.setattr(Links, "_offended", lambda *_: None)


def refuse_what_came_garbled_from_everybody(patch):
    """As it was once: whoever answers first and wrongly keeps a card out for ten minutes."""
    honest = Overlay._take_card

    def take(self, link, card, ids, now):
        try:
            honest(self, link, card, ids, now)
        finally:
            self._wants.refuse([item for item in ids if item not in self.table.items], now.monotonic)

    patch.setattr(Overlay, "_take_card", take)


def take_a_card_under_any_noise_key(patch):
    honest = PeerTable.judge

    def judge(*args, **more):
        return honest(*args, **more | {"peer_static": None})

    patch.setattr(PeerTable, "judge", judge)


def forget_numbers(patch):
    patch.setattr(_Check, "history", lambda _self: None)


def take_older_addresses(patch):
    def offer_record(self, record, now):
        peer = self.by_node(record.node_id)
        if peer is None or (peer.record is not None and peer.record.raw == record.raw):
            return None, None
        changed = dataclasses.replace(peer, record=record)
        self._put(changed)
        return None, changed

    patch.setattr(PeerTable, "offer_record", offer_record)


def forget_refusals(patch):
    patch.setattr(Wants, "refuse", lambda *_: None)


def count_before_the_first_frame(patch):
    """A first message alone, which may be a recording, ends an older link to the same node (P10)."""
    honest = Admission.judge

    def judge(self, connection, link, *presented):
        honest(self, connection, link, *presented)
        older = pairing.rival(self._links.all, connection) if link.stage is Stage.GREETING else None
        if older is not None and not link.initiator:
            self._links.close(older, Code.GOODBYE, presented[-1])

    patch.setattr(Admission, "judge", judge)


def prove_no_conflict(patch):
    patch.setattr(Overlay, "_prove", lambda *_: None)


def wait_for_strangers(patch):
    honest = Links._overdue

    def overdue(self, connection, link, now):
        if link.stage in (Stage.HANDSHAKE, Stage.GREETING):
            link.deadline = now.monotonic + 10**12
        else:
            honest(self, connection, link, now)

    patch.setattr(Links, "_overdue", overdue)


def take_any_number_of_strangers(patch):
    patch.setattr(Links, "accepted", Links._open)


def keep_both_links(patch):
    patch.setattr(pairing, "rival", lambda *_: None)
    patch.setattr(Links, "drain", lambda *_: None)


def end_links_for_unknown_messages(patch):
    def read(data):
        message = decode(data)
        if isinstance(message, Unknown):
            raise MessageError("what is that?")
        return message

    patch.setattr(links, "decode", read)


def end_links_for_unknown_frames(patch):
    honest = Link._frame

    def frame(self, kind, payload, now):
        if kind > 100:
            raise FrameError("what is that?")
        return honest(self, kind, payload, now)

    patch.setattr(Link, "_frame", frame)


def count_any_issuer(patch):
    patch.setattr(_Check, "have", lambda *_: 99)


def take_nonsense_for_later_versions(patch):
    def read(data):
        try:
            return decode(data)
        except MessageError:
            return Unknown()

    patch.setattr(links, "decode", read)


def remember_signatures_by_their_first_half(patch):
    def check(self, key, signature, message):
        return self._facts.setdefault(key + signature[:32], verify(key, signature, message))

    patch.setattr(SignatureCache, "verify", check)


def never_tell_of_twins(patch):
    patch.setattr(admission.Admission, "_refuse_clone", lambda *_: None)


class Mutant(NamedTuple):
    apply: object
    scenario: str
    seed: int
    caught_by: str  # the beginning of the name of a check
    parameters: dict = {}  # noqa: RUF012 - never changed


MUTANTS = [
    Mutant(skip_signatures, "forged-cards", 1, "S1"),
    Mutant(skip_the_signatures_of_addresses, "forged-cards", 1, "S1"),
    Mutant(keep_links_to_liars, "forged-cards", 1, "a plain lie ends its link"),
    Mutant(refuse_what_came_garbled_from_everybody, "forged-cards", 5, "all know all"),
    Mutant(take_a_card_under_any_noise_key, "stolen-card", 1, "S1"),
    Mutant(forget_numbers, "replay", 1, "S2, S3"),
    Mutant(forget_numbers, "equivocation", 1, "S2, S3"),
    Mutant(take_older_addresses, "replay", 1, "S2, S3"),
    Mutant(forget_refusals, "replay", 1, "nobody asks for the same replay"),
    Mutant(count_before_the_first_frame, "replay", 1, "at most 0 peer-lost"),
    Mutant(prove_no_conflict, "equivocation", 1, "all know of each equivocator"),
    Mutant(never_tell_of_twins, "cloned-key", 1, "at least 1 duplicate-node"),
    Mutant(wait_for_strangers, "slowloris", 1, "a connection without a greeting"),
    Mutant(take_any_number_of_strangers, "slowloris", 1, "S4", {"hosts": 3.0}),
    Mutant(keep_both_links, "duplicate-connections", 1, "one link a pair"),
    Mutant(end_links_for_unknown_messages, "mixed-versions", 1, "at most 0 peer-lost"),
    Mutant(end_links_for_unknown_frames, "mixed-versions", 1, "at least 20 messages and frames"),
    Mutant(count_any_issuer, "rogue-issuer", 1, "no sybil"),
    Mutant(take_nonsense_for_later_versions, "flooder", 1, "a plain lie ends its link"),
    Mutant(remember_signatures_by_their_first_half, "verification-cache", 1, "the same with the cache"),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: f"{one.apply.__name__} in {one.scenario}")
def test_a_node_without_one_of_its_guards_is_caught(mutant, monkeypatch):
    mutant.apply(monkeypatch)
    broken = broken_by(mutant)
    assert any(name.startswith(mutant.caught_by) for name in broken), broken


def broken_by(mutant):
    """The checks that are broken; a node without its guards may be busy for ever, so the first time is enough."""
    if find(mutant.scenario).run is not None:
        return [check.name for check in run(mutant.scenario, nodes=12, seed=mutant.seed).broken]
    with begin(mutant.scenario, nodes=12, seed=mutant.seed, parameters=mutant.parameters) as running:
        while not running.over:
            running.advance(running.now + LOOK)
            broken = [watch.name for watch in running.watching.watches if not watch.check.holds]
            if any(name.startswith(mutant.caught_by) for name in broken):
                return broken
        return [check.name for check in running.outcome().broken]
