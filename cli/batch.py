"""`card issue --batch`: many requests, each with a status of its own; run again after a crash, it goes on.

Requests are taken in portions: the serials of one are kept in one transaction before anything is signed, its grants in
another before anybody sees them. A crash may skip the numbers of a portion and never uses one twice.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from cards import Card, CardError, RevocationList, SignatureCache
from cards.findings import CONFLICT, EXIT_ORDER, MALFORMED, UNEXPECTED, UNTRUSTED
from cards.text import fingerprint

from . import documents, files, options
from .batch_files import Expected, Item, Results, open_results, read_expected, read_items
from .bench.rounds import progress_bar
from .folders import Issuer, IssuerFolder
from .granting import Issued, Wish, examine, sign
from .output import Fault, fault_json, say
from .powers import Powers
from .registry import Granted

PORTION = 250  # requests; two commits for each portion cost little beside its signatures

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def issue_batch(
    source: str,
    *,
    expect: Path,
    output: str,
    days: int,
    dry_run: bool,
    force: bool,
    as_json: bool,
    folder: IssuerFolder,
) -> None:
    """Grant what is expected among the requests in `source`; a JSON line on stdout says what became of each.

    Raises `Fault`, after all of them, where some were refused.
    """
    expected = read_expected(expect)
    where = nullcontext() if dry_run else open_results(output, force=force)
    with folder.open() as issuer, where as results:
        own, powers = folder.read_revocations(issuer), Powers.read(folder, issuer)
        batch = _Batch(issuer, powers, expected, results, lifetime=days * options.DAY)
        facts = powers.handed_on(own)
        lists = [one for one in facts if isinstance(one, RevocationList)]
        # Once, and not in every card: a full one is of 800,000 bytes.
        batch.beside = documents.fact_blocks(one for one in facts if not isinstance(one, RevocationList))
        if results is not None and lists:
            results.put_lists(lists)
        items = read_items(source)
        with progress_bar("card issue", as_json=as_json) as progress:
            while portion := list(islice(items, PORTION)):
                batch.take(portion)
                progress(min(1.0, batch.counts.total() / max(1, len(expected))))
    batch.conclude("standard input" if source == files.STREAM else source)


class _Reserved(NamedTuple):
    wish: Wish
    serial: int
    before: Granted | None


class _Signed(NamedTuple):
    wish: Wish
    issued: Issued


class _Batch:
    """One run. `results` are None where nothing is granted and only looked at."""

    def __init__(
        self,
        issuer: Issuer,
        powers: Powers,
        expected: Mapping[str, Expected],
        results: Results | None,
        *,
        lifetime: int,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.beside = ""  # the statements that go with every card
        self._issuer = issuer
        self._powers = powers
        self._expected = expected
        self._results = results
        self._lifetime = lifetime
        self._now = options.now()
        self._exits: set[int] = set()
        self._sent: dict[str, str] = {}  # which item brought an expected identity
        self._lines: dict[str, dict[str, Any]] = {}  # of this portion, by item
        self._signatures = SignatureCache(limit=4 * PORTION)  # what was examined is not verified again to be signed

    def take(self, portion: list[Item]) -> None:
        """Grant a portion, keep it, and then say so."""
        registry = self._issuer.registry
        with registry.together():
            reserved = self._each(((item, item) for item in portion), self._reserve)
        signed = self._each(reserved, self._sign)
        with registry.together():
            recorded = self._each(signed, self._record)
        self._each(recorded, self._hand_out)
        if self._results is not None:
            self._results.sync()
        for item in portion:
            click.echo(json.dumps(self._lines[item.name]))
        self._lines.clear()

    def conclude(self, source: str) -> None:
        """The sum of it. Raises `Fault` where not all was granted, or there was nothing."""
        if not self.counts:
            fix = "name a folder of requests, or JSON lines as p2pnoise card request --json prints them"
            raise Fault(f"no request in {source}", fix, code=MALFORMED)
        missing = [row for identity, row in self._expected.items() if identity not in self._sent]
        say(", ".join(f"{count} {status}" for status, count in sorted(self.counts.items())))
        if missing:
            say(f"{len(missing)} expected identities sent no request that fits, the first in line {missing[0].row}")
        if self._exits:
            code = next((code for code in EXIT_ORDER if code in self._exits), UNEXPECTED)
            fix = "mend what the lines with status refused say and run it again: what is granted is left as it is"
            raise Fault(f"{self.counts['refused']} of {self.counts.total()} requests were refused", fix, code=code)

    def _each(
        self, items: Iterable[tuple[Item, _In]], work: Callable[[Item, _In], _Out | None]
    ) -> list[tuple[Item, _Out]]:
        """What the work makes of each; what is wrong with one ends that one alone."""
        done = []
        for item, value in items:
            try:
                result = work(item, value)
            except CardError as error:
                finding = error.finding
                self._refuse(item, Fault(str(error), finding.hint, code=finding.exit, findings=(finding,)))
            except Fault as fault:
                self._refuse(item, fault)
            else:
                if result is not None:
                    done.append((item, result))
        return done

    def _reserve(self, item: Item, _: Item) -> _Reserved | None:
        if isinstance(item.content, Fault):
            raise item.content
        card, registry = item.content.card, self._issuer.registry
        row = self._row(item, card)
        wish = examine(
            item.content,
            self._issuer,
            self._powers,
            now=self._now,
            lifetime=self._lifetime,
            groups=row.groups,
            signatures=self._signatures,
        )
        if self._results is None:
            registry.refuse(card, wish.handed)
            self._say(item, "grantable", card, groups=list(row.groups))
            return None
        held = self._results.handed_out(card)
        if held is not None and self._stands(held, card, row):
            self._say(item, "already", card)
            return None
        return _Reserved(wish, *registry.reserve_serial(card, wish.handed))

    def _sign(self, _: Item, reserved: _Reserved) -> _Signed:
        return _Signed(reserved.wish, sign(reserved.wish, self._issuer, reserved.serial, reserved.before))

    def _record(self, _: Item, signed: _Signed) -> Issued:
        self._issuer.registry.record(signed.issued.record, signed.wish.card, signed.wish.handed)
        return signed.issued

    def _hand_out(self, item: Item, issued: Issued) -> None:
        text = documents.card_block(issued.card) + self.beside + documents.fact_blocks(issued.handed)
        where = self._results.put(item.name, issued.card, text) if self._results is not None else {}
        groups = issued.record.group_names.split()
        old = issued.taken_over
        self._say(
            item,
            "granted",
            issued.card,
            serial=issued.record.serial,
            groups=groups,
            **({"takes_over": old.identity} if old is not None else {}),
            **where,
        )

    def _row(self, item: Item, card: Card) -> Expected:
        """What is expected of this card. Raises `Fault` where nothing is, or something else, or it came before."""
        identity = str(card.identity)
        key = identity if identity in self._expected else fingerprint(identity)
        row = self._expected.get(key)
        if row is None:
            fix = "compare it with its owner, and add a line to the file of --expect"
            raise Fault(f"nobody expects {card.label}, identity {identity}", fix, code=UNTRUSTED)
        if row.name is not None and row.name != card.name:
            fix = "have the owner request that name, or mend the file of --expect"
            raise Fault(f"line {row.row} expects the name {row.name}, the card has {card.label}", fix, code=UNTRUSTED)
        first = self._sent.setdefault(key, item.name)
        if first != item.name:
            fix = "leave all but the newest out"
            raise Fault(f"{first} is a request of the same identity", fix, code=CONFLICT)
        return row

    def _stands(self, held: Card, card: Card, row: Expected) -> bool:
        """Whether what was handed out before is what would be handed out now."""
        ours = [one for one in held.grants if one.kid == self._issuer.key.public.hint]
        return held.card_id == card.card_id and any(
            one.groups == tuple(sorted(set(row.groups))) and self._now < one.not_after for one in ours
        )

    def _say(self, item: Item, status: str, card: Card, **more: Any) -> None:
        self.counts[status] += 1
        about = {"label": card.label, "identity": str(card.identity), "card_id": card.card_id.hex()}
        self._lines[item.name] = {"ok": True, "item": item.name, "status": status, **about, **more}

    def _refuse(self, item: Item, fault: Fault) -> None:
        self.counts["refused"] += 1
        self._exits.add(fault.code)
        self._lines[item.name] = {**fault_json(fault), "item": item.name, "status": "refused"}
