"""Enroller: what an issuer's side answers to joiners, and to nodes whose grant is to be renewed. It waits for the disk
and the signer, so it is called in threads.

Two steps: a token is used up and its request kept before anything is signed, so that a crash or a signer that is down
leaves a request which is granted when its joiner asks again.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from cards import Card, CardError, IssuerKey
from cards.findings import UNEXPECTED
from cli import documents, options
from cli.folders import Issuer, IssuerFolder
from cli.granting import examine, sign
from cli.join_table import Desk, JoinTable, Request
from cli.output import Fault
from cli.powers import Powers
from cli.registry import Granted as Recorded
from p2pnoise.config import Bootstrap
from p2pnoise.enrolment import Granted, Join, Pending, Refused, Renewed, Settled, refusal, settled
from p2pnoise.enrolment.messages import MAX_PEERS

__all__ = ["MAX_WAITING", "MAX_WAITING_PER_SOURCE", "Enroller", "Granting"]

LIFETIME = 30 * options.DAY
"""Of a grant where nothing says. A guess: long enough for a month without an issuer, and renewed after twenty days."""
LAPSE = 7 * options.DAY
"""After its end a grant is not renewed by itself. A guess: a node that was off for a week comes back as if it had not
been, and a machine that turns up after years does not."""
MAX_WAITING = 1000
"""Requests that are not settled, in all. A guess: about a megabyte, and more than anybody decides in a day."""
MAX_WAITING_PER_SOURCE = 100
"""Of these, from one address. A guess: a rack that is installed at once, behind one address."""
SIGNER_PAUSE = 15  # seconds after which who waits for the signer asks again; a guess

Peers = Callable[[], Sequence[Bootstrap]]


class _Settled(Exception):  # noqa: N818 - says what happened
    """The request was settled otherwise meanwhile; nothing is kept of what was signed."""


class _NotSigned(Exception):  # noqa: N818 - says what happened
    """The signer is down, or does not sign; `fault` says why. The request stays."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Granting:
    """What came of granting: the answer, and what the operator is to know beside it."""

    answer: Granted | Pending | Refused
    note: str = ""
    new: bool = False
    """Whether the card was granted just now."""


class Enroller:
    """One issuer's answers. `grant` and `renew` open what they need; the other methods are for one thread at a time.

    Every method raises `Fault` where the issuer's files cannot do their work.
    """

    def __init__(
        self, folder: IssuerFolder, looking: Issuer, key: IssuerKey | None, peers: Peers, lifetime: int
    ) -> None:
        """For `open`."""
        self._folder = folder
        self._looking = looking
        self._key = key
        self._peers = peers
        self._lifetime = lifetime

    @classmethod
    @contextmanager
    def open(cls, folder: IssuerFolder, peers: Peers, *, lifetime: int = LIFETIME) -> "Iterator[Enroller]":
        """For an issuer's folder, whose key is read now where no signer has it. `peers` are for nodes to begin with.

        `lifetime`, in seconds, is that of a grant by a token that does not say, and the longest of one that is renewed.
        """
        key = folder.read_key() if folder.signer is None else None
        with folder.look() as looking:
            # What stands in the files is checked now, or the first joiner would find out what is missing.
            folder.read_revocations(looking)
            Powers.read(folder, looking).check_alive()
            yield cls(replace(folder, checked=True), looking, key, peers, lifetime)

    @property
    def name(self) -> str:
        """What the issuer is called."""
        return self._looking.name

    @property
    def network(self) -> str:
        """The issuer's network."""
        return self._looking.network

    @property
    def _joins(self) -> JoinTable:
        return self._looking.registry.joins

    def stand(self, desk: Desk) -> None:
        """Keep where joiners find us, for the tokens to come."""
        self._joins.set_desk(desk)

    def look_up(self, token_id: bytes) -> bytes | None:
        """The psk of an open token; None of any other. Nothing is used up."""
        now = options.now()
        self._joins.forget_expired(now)
        return self._joins.psk(token_id, now)

    def knows(self, token_id: bytes) -> bool:
        """Whether there is, or was, a token of this number."""
        return self._joins.token(token_id) is not None

    def take(self, token_id: bytes, rs: bytes, join: Join, source: str) -> Refused | Pending | None:
        """Use the token up for a request, which is kept; None where it is to be granted now."""
        now = options.now()
        facts = self._joins.facts(token_id)
        try:
            card = Card.parse(join.card)
        except CardError as error:
            return Refused("request-invalid", str(error))
        refused = refusal(facts, rs=rs, proof=join.proof, card=card, network=self.network, now=now)
        if refused is not None:
            return refused
        of_source, of_all = self._joins.count_waiting(source)
        if of_source >= MAX_WAITING_PER_SOURCE or of_all >= MAX_WAITING:
            return Refused("busy", f"{of_all} requests wait to be settled")
        token = self._joins.token(token_id)
        if token is None:
            return Refused("token-unknown")
        try:
            powers = Powers.read(self._folder, self._looking)
            lifetime = token.lifetime or self._lifetime
            wish = examine(_document(card), self._looking, powers, now=now, lifetime=lifetime, groups=token.groups)
            self._looking.registry.refuse(wish.card, wish.handed)
        except (Fault, CardError) as error:
            return Refused("not-granted", _sentence(error))
        state: Settled = "waiting" if token.approve else "accepted"
        self._joins.spend(Request(token_id, card.with_grants(()), source, now, state), now)
        return self.settle(token_id, rs)  # which says as well if somebody was first

    def settle(self, token_id: bytes, rs: bytes) -> Refused | Pending | None:
        """What who proved this static key hears of its request; None where it is to be granted, or was."""
        request = self._joins.request(token_id)
        return settled(
            self._joins.facts(token_id),
            request.state if request is not None else None,
            request.reason if request is not None else None,
            rs=rs,
            now=options.now(),
        )

    def request(self, token_id: bytes) -> Request | None:
        """What was asked with a token."""
        return self._joins.request(token_id)

    def grant(self, token_id: bytes) -> Granting:
        """The card for a request that is accepted or granted, granted now unless it was."""
        with self._folder.look() as looking:
            joins = looking.registry.joins
            request, token = joins.request(token_id), joins.token(token_id)
            if request is None or token is None:
                return Granting(Refused("token-unknown"))
            if (other := self._otherwise(joins, token_id)) is not None:
                return Granting(other)
            kept = joins.kept_card(request.card.card_id) if request.state == "granted" else None
            if kept is not None:
                return self._again(looking, kept[0])
        try:
            with self._signing() as issuer:
                card = self._sign(
                    issuer,
                    request.card,
                    lifetime=token.lifetime or self._lifetime,
                    groups=token.groups,
                    settles=token_id,
                    final=token.lifetime > 0,  # the operator said for how long
                )
                return Granting(self._answer(issuer, card), new=True)
        except _Settled:
            with self._folder.look() as looking:
                return Granting(self._otherwise(looking.registry.joins, token_id) or Refused("token-unknown"))
        except _NotSigned as error:
            return Granting(Pending("signer-down", SIGNER_PAUSE), _sentence(error.fault))
        except (Fault, CardError) as error:
            if isinstance(error, Fault) and error.code == UNEXPECTED:
                raise  # of our files, which says nothing about the request
            with self._folder.look() as looking:
                looking.registry.joins.settle(token_id, ("accepted",), "denied", _sentence(error))
            return Granting(Refused("denied", _sentence(error)), _sentence(error))

    def _again(self, looking: Issuer, card: Card) -> Granting:
        """The card for who was granted it before: what was revoked since stays out, what is about to end is renewed."""
        newest = self.renew(card)
        if isinstance(newest, Renewed):
            return Granting(self._answer(looking, Card.parse(newest.card)))
        if newest.code == "denied" or max(one.not_after for one in card.grants) <= options.now():
            return Granting(Pending(newest.code, SIGNER_PAUSE) if newest.code == "signer-down" else newest)
        return Granting(self._answer(looking, card))

    @staticmethod
    def _otherwise(joins: JoinTable, token_id: bytes) -> Refused | Pending | None:
        """What whoever used the token hears; None where its request is to be granted, or was."""
        facts, request = joins.facts(token_id), joins.request(token_id)
        if facts is None or facts.spent_by is None or request is None:
            return Refused("token-unknown")
        return settled(facts, request.state, request.reason, rs=facts.spent_by, now=options.now())

    def renew(self, card: Card) -> Renewed | Refused:
        """The same card with its newest grant of ours, made anew where more than half of its life is over.

        Not where it was given for a time, nor long after it ended: then the operator is to say so.
        """
        now = options.now()
        with self._folder.look() as looking:
            before = looking.registry.latest(card.identity)
            if before is None or before.card_id != card.card_id.hex():
                return Refused("no-issuer", f"{self.name} did not grant this card")
            if (end := looking.registry.revocation(card.identity)) or (
                end := looking.registry.revocation(card.card_id)
            ):
                return Refused("denied", f"revoked, reason {end.reason}")
            kept = looking.registry.joins.kept_card(card.card_id)
            if now - before.issued_at <= (before.not_after - before.issued_at) / 2:
                ours = looking.key.public.hint
                if any(one.kid == ours and one.serial == before.serial for one in card.grants):
                    return Renewed(card.raw)
                if kept is not None and kept[1] == before.serial:
                    return Renewed(_merged(card, kept[0], ours).raw)
            elif (why := _no_more(before, card, now)) is not None:
                return why
        try:
            with self._signing() as issuer:
                lifetime = min(before.not_after - before.issued_at, self._lifetime)
                return Renewed(self._sign(issuer, card, lifetime=lifetime, groups=before.group_names.split()).raw)
        except _NotSigned as error:
            return Refused("signer-down", _sentence(error.fault))
        except (Fault, CardError) as error:
            return Refused("denied", _sentence(error))

    @contextmanager
    def _signing(self) -> Iterator[Issuer]:
        """The issuer with its key. Raises _NotSigned where the signer is not there."""
        with ExitStack() as opened:
            try:
                issuer = opened.enter_context(self._folder.open(self._key))
            except Fault as fault:
                raise _NotSigned(fault) from None
            yield issuer

    def _sign(
        self,
        issuer: Issuer,
        card: Card,
        *,
        lifetime: int,
        groups: Sequence[str],
        settles: bytes | None = None,
        final: bool = False,
    ) -> Card:
        powers = Powers.read(self._folder, issuer)
        wish = examine(_document(card), issuer, powers, now=options.now(), lifetime=lifetime, groups=groups)
        registry = issuer.registry
        serial, before = registry.reserve_serial(wish.card, wish.handed)
        try:
            issued = sign(wish, issuer, serial, before)
        except Fault as fault:
            raise _NotSigned(fault) from None
        with registry.together():
            # First, or who was told that it is denied would find it granted.
            if settles is not None and not registry.joins.settle(settles, ("accepted", "granted"), "granted"):
                raise _Settled
            registry.record(issued.record._replace(final=int(final)), wish.card, wish.handed)
            registry.joins.keep_card(issued.card, serial)
        return issued.card

    def _answer(self, issuer: Issuer, card: Card) -> Granted:
        own, powers = self._folder.read_revocations(issuer), Powers.read(self._folder, issuer)
        text = documents.card_block(card) + documents.fact_blocks(powers.handed_on(own))
        name = issuer.name if not powers.ways else str(powers.ways[0].root)[:14]
        return Granted(text.encode(), name, tuple(self._peers())[:MAX_PEERS])


def _no_more(before: Recorded, card: Card, now: int) -> Refused | None:
    """Why no grant follows this one by itself; None where one does."""
    if before.not_after >= card.not_after:
        return Refused("card-ends", f"on {card.not_after}")
    if before.final:
        return Refused("not-renewed", "it was given for a time")
    if now >= before.not_after + LAPSE:
        return Refused("not-renewed", f"it ended more than {LAPSE // options.DAY} days ago")
    return None


def _document(card: Card) -> documents.Document:
    return documents.Document("request", cards=(card,))


def _merged(card: Card, newer: Card, kid: bytes) -> Card:
    """`card` with the grant of one issuer as it stands in `newer`."""
    others = tuple(one for one in card.grants if one.kid != kid)
    return card.with_grants((*others, *(one for one in newer.grants if one.kid == kid)))


def _sentence(error: Fault | CardError) -> str:
    """What an issuer's operator would read, on one line."""
    findings = "; ".join(finding.message for finding in getattr(error, "findings", ()))
    return f"{error}: {findings}" if findings and findings not in str(error) else str(error)
