"""`p2pnoise signer`: keep an issuer's key in a process of its own, which signs what it has read and understood."""

# ruff: noqa: PLC0415 - trio is loaded only where a signer runs

import signal
import socket
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from cards import Card, CardError, Delegation, Grant, IssuerId, IssuerKey, Manifest, Retirement
from cards.revocation import read_head
from cards.statements import CARD_APP, DELEGATION, MANIFEST, RETIREMENT, REVOCATION, unframe

from . import options, passphrase, unix_socket
from .folders import IssuerFolder
from .output import answer, answer_json, rows, say, until
from .signer import MAX_ANSWER, MAX_REQUEST, REFUSED, SIGNED

if TYPE_CHECKING:
    import trio

MAX_CONNECTIONS = 16  # at once; a guess: an issuing host needs one
IDLE = 600.0  # seconds without a request; a guess
SKEW = 300  # seconds between the `iat` that we are asked to sign and our clock, as the leeway of policies
CARRIED = 90 * 86_400  # seconds by which a draft may be older, which is carried by hand; a guess

KINDS = {
    "grant": CARD_APP,
    "list": REVOCATION,
    "delegation": DELEGATION,
    "retirement": RETIREMENT,
    "manifest": MANIFEST,
}
"""What may be asked for, by the words of `--sign`."""


@dataclass(frozen=True, slots=True)
class Clerk:
    """Reads what it is asked to sign. It signs nothing but statements of these kinds, of its issuer, made now."""

    issuer: IssuerId
    network: str
    kinds: Collection[str]

    def read(self, message: bytes, now: int) -> str:
        """What the message says, for people. Raises `CardError` for everything that is not signed."""
        context, parts = unframe(message)
        kind = next((kind for kind, known in KINDS.items() if known == context), None)
        if kind is None:
            raise CardError("malformed", f"a statement of kind {context[:40]!r}, which is never signed here")
        if kind not in self.kinds:
            raise CardError("denied", f"a {kind}; this signer signs {' '.join(sorted(self.kinds))}")
        if len(parts) != (2 if kind == "grant" else 1):
            raise CardError("malformed", f"{len(parts)} parts in a {kind}")
        reading = _READERS[kind](*parts, now=now)
        if reading.network != self.network:
            raise CardError("wrong-network", f"a {kind} for network {reading.network}, this issuer's is {self.network}")
        if reading.signers and self.issuer not in reading.signers:
            whom = " ".join(IssuerId(key).short for key in reading.signers)
            raise CardError("unknown-issuer", f"a {kind} of {whom}, this is {self.issuer.short}")
        earliest = now - (CARRIED if reading.carried else SKEW)
        if not earliest <= reading.made <= now + SKEW:
            text = f"a {kind} made {reading.made - now} s from now, {earliest - now} to {SKEW} allowed"
            raise CardError("not-yet-valid", text)
        return reading.text


class _Reading(NamedTuple):
    network: str
    signers: Collection[bytes]  # none where the statement names none
    made: int
    text: str
    carried: bool = False  # as a draft from other signers


def _grant(body: bytes, attrs: bytes, *, now: int) -> _Reading:
    card, grant = Card.from_body(body, bytes(64), b""), Grant.parse(bytes(8), attrs, bytes(64))
    groups = f", groups {' '.join(grant.groups)}" if grant.groups else ""
    text = f"grant {grant.serial} to {card.label}, {card.identity}{groups}, until {until(grant.not_after, now)}"
    return _Reading(card.network, (), grant.issued_at, text)


def _list(head: bytes, *, now: int) -> _Reading:
    values = read_head(head)
    text = f"list {values['seq']}, due {until(values['next'], now)}"
    return _Reading(values["net"], (values["iss"],), values["iat"], text)


def _delegation(body: bytes, *, now: int) -> _Reading:
    one = Delegation.of_body(body)
    limits = [*one.limits.names, *one.limits.groups]
    text = f"delegation to {one.key}: {' '.join(limits) or 'all names and groups'}, {one.limits.depth} steps further"
    return _Reading(one.network, one.signers, one.issued_at, f"{text}, until {until(one.limits.not_after, now)}")


def _retirement(body: bytes, *, now: int) -> _Reading:  # noqa: ARG001 - as the others
    one = Retirement.of_body(body)
    by_others = one.issuer not in one.signers
    whom = str(one.issuer) if by_others else "this issuer"
    text = f"retirement of {whom}, reason {one.reason}"
    return _Reading(one.network, one.signers, one.issued_at, text, carried=by_others)


def _manifest(body: bytes, *, now: int) -> _Reading:  # noqa: ARG001
    one = Manifest.of_body(body)
    issuers = " ".join(str(IssuerId(key)) for key in sorted(one.issuers))
    text = f"manifest {one.version}: {one.threshold} of {issuers}"
    return _Reading(one.network, one.signers, one.issued_at, text, carried=True)


_READERS: dict[str, Callable[..., _Reading]] = {
    "grant": _grant,
    "list": _list,
    "delegation": _delegation,
    "retirement": _retirement,
    "manifest": _manifest,
}


@click.group()
def command() -> None:
    """Keep an issuer's key away from the machine's other work.

    \b
    Example:
      p2pnoise signer serve --socket /run/p2pnoise/signer
      p2pnoise card issue db-03.request --signer /run/p2pnoise/signer -o db-03.card
    """


@command.command()
@click.option("--socket", "path", required=True, type=options.PATH, help="where to listen")
@click.option(
    "--sign",
    "kinds",
    multiple=True,
    type=click.Choice(list(KINDS)),
    default=("grant", "list"),
    show_default=True,
    help="what it may sign; may be repeated",
)
@options.new_issuer_home
@passphrase.option
@options.as_json
def serve(*, path: Path, kinds: tuple[str, ...], folder: IssuerFolder, as_json: bool) -> None:
    """Sign for whoever may open the socket, until Ctrl-C.

    The socket is its owner's alone (0600). Each request is read and printed; only well-formed statements of this
    issuer, for its network, made within five minutes of now, of the kinds named with --sign are signed; what several
    issuers sign may have been drafted 90 days before. The folder here needs issuer.key and issuer.toml; the host that
    issues needs the others and issuer.toml.

    \b
    Examples:
      p2pnoise signer serve --socket /run/p2pnoise/signer
      p2pnoise signer serve --issuer-home /srv/ops --socket ./signer --sign grant --sign list --sign delegation
    """
    import trio

    key = folder.read_key()
    clerk = Clerk(key.public, folder.network, frozenset(kinds))
    listener = unix_socket.listen(path, backlog=MAX_CONNECTIONS, taken="name another place; stop the signer there")
    try:
        say(*rows(("signer", f"{key.public}"), ("signs", " ".join(kinds)), ("socket", str(path))))
        trio.run(partial(_serve, listener, key, clerk, as_json=as_json))
    finally:
        path.unlink(missing_ok=True)


async def _serve(listener: socket.socket, key: IssuerKey, clerk: Clerk, *, as_json: bool) -> None:
    import trio

    slots = trio.CapacityLimiter(MAX_CONNECTIONS)
    listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(listener))]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_stop_on_signal, nursery.cancel_scope)
        talk = partial(_talk, slots=slots, key=key, clerk=clerk, as_json=as_json)
        await trio.serve_listeners(talk, listeners)


async def _stop_on_signal(scope: "trio.CancelScope") -> None:
    import trio

    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()


async def _talk(
    stream: "trio.SocketStream", *, slots: "trio.CapacityLimiter", key: IssuerKey, clerk: Clerk, as_json: bool
) -> None:
    import trio

    with suppress(trio.WouldBlock, trio.BrokenResourceError):
        slots.acquire_on_behalf_of_nowait(stream)
        try:
            await stream.send_all(key.public)
            while (message := await _request(stream)) is not None:
                reply = _reply(message, key, clerk, as_json=as_json)
                await stream.send_all(len(reply).to_bytes(4, "big") + reply)
        finally:
            slots.release_on_behalf_of(stream)
    await stream.aclose()


async def _request(stream: "trio.SocketStream") -> bytes | None:
    """The next message; None at the end, after too long a silence, or for one that is too long."""
    import trio

    with trio.move_on_after(IDLE):
        size = int.from_bytes(await _exactly(stream, 4), "big")
        if 0 < size <= MAX_REQUEST:
            return await _exactly(stream, size) or None
    return None


async def _exactly(stream: "trio.SocketStream", size: int) -> bytes:
    """So many bytes; none where there are not as many."""
    data = b""
    while len(data) < size:
        more = await stream.receive_some(size - len(data))
        if not more:
            return b""
        data += more
    return data


def _reply(message: bytes, key: IssuerKey, clerk: Clerk, *, as_json: bool) -> bytes:
    try:
        text = clerk.read(message, options.now())
    except CardError as error:
        _tell("refused", str(error), as_json=as_json)
        return REFUSED + str(error).encode()[: MAX_ANSWER - 1]
    _tell("signed", text, as_json=as_json)
    return SIGNED + key.sign(message)


def _tell(what: str, text: str, *, as_json: bool) -> None:
    line: dict[str, Any] = {"ok": what == "signed", what: text}
    answer_json(line) if as_json else answer(f"{what:<8} {text}")
