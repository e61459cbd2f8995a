"""`p2pnoise bench cards`: reading, judging and issuing cards, against the bare Ed25519 operations that each asks for.

Each card has an identity and a node of its own and is met for the first time, but in the case that says so. Our side
begins with the bytes of a card and ends with a verdict, under a policy with one issuer (or four) whose revocation list
is held. The floor is what `cryptography` takes to verify the same signatures, with keys from their bytes as the card
carries them and the issuers' parsed beforehand; for a grant, to verify the two of the request and to make one.

All but one case are with `cryptography` on both sides; that one with libsodium where the extra `fast` is installed.
Times are of the processor, so that what else runs on the machine is no part of them; on two threads, and for a batch,
which waits for the disk, they are of the clock on the wall, on both sides.
"""

import gc
import io
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from itertools import count, cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from cards import (
    Card,
    Facts,
    IdentityKey,
    IssuerKey,
    NodeKey,
    Policy,
    TrustStore,
    VerdictCache,
    grant,
    make_card,
    statements,
)
from cards.edwards import edwards_image
from cards.issuing import make_list
from cards.statements import CARD_APP, CARD_KEY, CARD_NODE, frame
from cli import issuer as issuer_verbs
from cli.batch import issue_batch
from cli.bench.report import Case, Result, at_most, compare
from cli.bench.rounds import Progress, interleave
from cli.documents import card_block
from cli.folders import IssuerFolder

__all__ = ["run"]

_NETWORK = "example-net"
_SLICE = 50  # cards of one sample, some 15 ms: long for the clock, short for whoever shares the machine
_BATCH = 250  # requests of one batch
_APPS = 4
_AGAIN = 20  # times that a card is met again in a sample, which takes a hundredth of the first time

_CASES: tuple[Case, ...] = (
    Case(name="parse / one verification", ours="parse", other="1", unit="us"),
    Case(name="verify key / its verification", ours="key", other="1", unit="us"),
    Case(name="verify key, node / their 2", ours="node", other="2", unit="us"),
    Case(name="verify key, node, app / their 3", ours="app", other="3", unit="us", target=at_most(1.15)),
    Case(name="the same on 2 threads / on 2", ours="app, 2", other="3, 2", unit="us", target=at_most(1.15)),
    Case(name="verify key, node, 4 apps / their 6", ours="apps", other="6", unit="us"),
    Case(name="the second time / their 3", ours="again", other="3", unit="us", target=at_most(0.02)),
    Case(name="issue / 2 and a signature", ours="issue", other="2 + 1", unit="us"),
    Case(name="batch / 2 and a signature each", ours="batch", other="2 + 1 each", unit="us"),
)

_FAST = Case(name="the same by libsodium / their 3", ours="app, fast", other="3", unit="us", target=at_most(1.15))

_Job = tuple[Ed25519PublicKey | bytes, bytes, bytes]
"""A bare verification: a key, which is bytes where it comes with the card, the signature, the message."""


@dataclass(frozen=True, slots=True)
class _Forms:
    """One card as bytes, with more and more signatures, and the bare verifications of all of them."""

    key: bytes
    node: bytes
    app: bytes
    apps: bytes
    request: Card
    jobs: tuple[_Job, ...]


_Work = Callable[[Sequence[_Forms]], object]


def run(*, seconds: float, cards: int, progress: Progress) -> list[Result]:
    """Measure for about so many seconds, with so many different cards."""
    now = int(time.time())
    issuers = [IssuerKey.generate(os.urandom) for _ in range(_APPS)]
    forms = [_make(issuers, serial, now) for serial in range(1, cards + 1)]
    gc.collect()
    gc.freeze()  # the collector walks what we judge, not what we keep to be judged
    with ThreadPoolExecutor(2) as pool, _issuing(forms[:_BATCH]) as batch:
        sides = {
            **_reading(issuers, forms, now),
            **_on_two_threads(pool, issuers, forms, now),
            "again": _again(_store(issuers[:1], now), forms, now),
            "batch": batch,
        }
        cases, fast = _CASES, sides["app"]
        sides = {name: _by("cryptography", side) for name, side in sides.items()}
        if "libsodium" in statements.ENGINES:
            cases, sides["app, fast"] = (*cases, _FAST), _by("libsodium", fast)
        times = interleave(sides, seconds=seconds, progress=progress)
    gc.unfreeze()
    return compare("cards", cases, times)


def _by(engine: str, sample: Callable[[], float]) -> Callable[[], float]:
    """The sample with this library verifying, whichever does otherwise."""

    def measured() -> float:
        used, statements.ENGINE = statements.ENGINE, engine
        try:
            return sample()
        finally:
            statements.ENGINE = used

    return measured


def _make(issuers: Sequence[IssuerKey], serial: int, now: int) -> _Forms:
    identity, node = IdentityKey.generate(os.urandom), NodeKey.generate(os.urandom)
    request = make_card(identity, node, network=_NETWORK, name=f"n{serial}.dc1.example", now=now)
    cards = [request]
    for issuer in issuers:
        cards.append(grant(issuer, cards[-1], serial=serial, now=now, entropy=os.urandom, groups=["agents"]))
    binding = frame(CARD_NODE, _NETWORK.encode(), request.identity, request.node_id)
    jobs: list[_Job] = [
        (bytes(request.identity), request.key_signature, frame(CARD_KEY, request.body)),
        (request.node_id.signing_key, request.node_signature, binding),
    ]
    for issuer, one in zip(issuers, cards[-1].grants, strict=True):
        public = Ed25519PublicKey.from_public_bytes(issuer.public)
        jobs.append((public, one.signature, frame(CARD_APP, request.body, one.attrs)))
    bare = Card.from_body(request.body, request.key_signature, b"")
    return _Forms(bare.raw, request.raw, cards[1].raw, cards[-1].raw, request, tuple(jobs))


def _store(issuers: Sequence[IssuerKey], now: int) -> TrustStore:
    """What a node holds that trusts these issuers."""
    policy = Policy(network=_NETWORK, issuers={f"ops-{number}": one.public for number, one in enumerate(issuers)})
    facts = Facts()
    for one in issuers:
        facts, _ = facts.add(make_list(one, network=_NETWORK, sequence=1, now=now), policy=policy, now=now)
    return TrustStore(policy=policy, facts=facts)


def _reading(issuers: Sequence[IssuerKey], forms: Sequence[_Forms], now: int) -> dict[str, Callable[[], float]]:
    one, four = _store(issuers[:1], now), _store(issuers, now)
    secret, serials = Ed25519PrivateKey.generate(), count(1)

    def issue(some: Sequence[_Forms]) -> None:
        for form in some:
            # Parsed anew, as a request that was just received.
            card = Card.parse(form.node)
            grant(issuers[0], card, serial=next(serials), now=now, entropy=os.urandom, groups=["agents"])

    works: dict[str, _Work] = {
        "parse": lambda some: [Card.parse(form.app) for form in some],
        "key": lambda some: [one.verify(form.key, now) for form in some],
        "node": lambda some: [one.verify(form.node, now) for form in some],
        "app": lambda some: [one.verify(form.app, now) for form in some],
        "apps": lambda some: [four.verify(form.apps, now) for form in some],
        "issue": issue,
        **{str(size): _bare(size) for size in (1, 2, 3, 6)},
        "2 + 1": _bare(2, secret),
    }
    sides = {name: _sampler(work, forms) for name, work in works.items()}
    return {**sides, "2 + 1 each": _sampler(_bare(2, secret), forms, clock=time.perf_counter)}


def _bare(size: int, secret: Ed25519PrivateKey | None = None) -> _Work:
    """The first so many verifications of each card, and a signature where there is a key."""

    def primitives(some: Sequence[_Forms]) -> None:
        for form in some:
            for key, signature, message in form.jobs[:size]:
                public = Ed25519PublicKey.from_public_bytes(key) if isinstance(key, bytes) else key
                public.verify(signature, message)
            if secret is not None:
                secret.sign(form.jobs[2][2])

    return primitives


def _sampler(
    work: _Work, forms: Sequence[_Forms], *, clock: Callable[[], float] = time.process_time
) -> Callable[[], float]:
    """Microseconds a card, over the next ones in turn."""
    turn = cycle(forms)

    def sample() -> float:
        some = list(islice(turn, _SLICE))
        edwards_image.cache_clear()  # or a card that comes round would not be met for the first time
        begun = clock()
        work(some)
        return (clock() - begun) / _SLICE * 1e6

    return sample


def _on_two_threads(
    pool: ThreadPoolExecutor, issuers: Sequence[IssuerKey], forms: Sequence[_Forms], now: int
) -> dict[str, Callable[[], float]]:
    store, half = _store(issuers[:1], now), _SLICE // 2

    def twice(work: _Work) -> _Work:
        return lambda some: list(pool.map(work, (some[:half], some[half:])))

    works = {"app, 2": lambda some: [store.verify(form.app, now) for form in some], "3, 2": _bare(3)}
    return {name: _sampler(twice(work), forms, clock=time.perf_counter) for name, work in works.items()}


def _again(store: TrustStore, forms: Sequence[_Forms], now: int) -> Callable[[], float]:
    """Microseconds to judge a card whose verdict is remembered."""
    turn, verdicts = cycle(forms), VerdictCache()

    def sample() -> float:
        some = list(islice(turn, _SLICE))
        for form in some:
            verdicts.verify(store, form.app, now)
        begun = time.process_time()
        for _ in range(_AGAIN):
            for form in some:
                verdicts.verify(store, form.app, now)
        return (time.process_time() - begun) / _SLICE / _AGAIN * 1e6

    return sample


@contextmanager
def _issuing(forms: Sequence[_Forms]) -> Iterator[Callable[[], float]]:
    """An issuer's folder and a batch of requests; microseconds a card of the whole command."""
    with TemporaryDirectory() as name:
        place = Path(name)
        folder, numbers = IssuerFolder(place / "issuer"), count()
        requests = [json.dumps({"request": card_block(form.request)}) for form in forms]
        (place / "requests.jsonl").write_text("\n".join(requests))
        (place / "expected.csv").write_text("\n".join(["identity", *(str(form.request.identity) for form in forms)]))
        with _silence():
            issuer_verbs.new.callback(name="bench", network=_NETWORK, folder=folder, lock=False, as_json=True)  # type: ignore[misc]

        def sample() -> float:
            begun = time.perf_counter()
            with _silence():
                issue_batch(
                    str(place / "requests.jsonl"),
                    expect=place / "expected.csv",
                    output=str(place / f"{next(numbers)}.jsonl"),
                    days=365,
                    dry_run=False,
                    force=False,
                    as_json=True,
                    folder=folder,
                )
            return (time.perf_counter() - begun) / len(forms) * 1e6

        yield sample


@contextmanager
def _silence() -> Iterator[None]:
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield
