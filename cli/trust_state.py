"""What a node goes by: its policy, facts and pins as one `TrustStore`, and the cards that it knows.

The facts are those of its files and of its database, whether it runs or not. Nothing is changed here.
"""

import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from cards import (
    Card,
    Conflict,
    Delegation,
    Fact,
    Facts,
    Finding,
    Manifest,
    Mark,
    Policy,
    Retirement,
    RevocationList,
    SelfRevocation,
    SignatureCache,
    Succession,
    TrustStore,
)
from cards.findings import UNTRUSTED

from . import control, documents, pins
from .folders import NodeFolder
from .output import Fault, say
from .pins import Pins

if TYPE_CHECKING:
    from p2pnoise.node.bans import Ban
    from p2pnoise.store import Row, StoredTable

_Content = TypeVar("_Content")

# Each can need those before it: a delegate's list of powers its delegation, and that an issuer that is not yet retired.
_ORDER = (RevocationList, Manifest, Delegation, Succession, SelfRevocation, Conflict, Retirement)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A card that this node knows. `live`: our node runs, and is linked with its node, as far as it says."""

    card: Card
    own: bool
    live: bool
    row: "Row | None"

    @property
    def origin(self) -> str:
        if self.own:
            return "this node"
        return "linked" if self.live else "in the table"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What a folder says. `unused` are the facts in its files that do not count, each with its finding.

    `bans` are those in force, by key; they change no verdict of `store`, since gossip takes no notice of them.
    """

    store: TrustStore
    facts: tuple[Fact, ...]  # all that there are, from files and database, counted or not
    unused: tuple[tuple[Fact, Finding], ...]
    known: tuple[Known, ...]
    table: "StoredTable | None"  # as the database has it; None where the node never ran
    running: bool
    signatures: SignatureCache
    bans: "Mapping[bytes, Ban]"


def warn(fault: Fault) -> None:
    say(f"warning: not used: {fault}", f"fix: {fault.hint}")


def refuse(fault: Fault) -> None:
    raise fault


def read(home: NodeFolder, now: int, *, most: int | None = None, about: str | None = None) -> Trust:
    """What the folder says, with at most so many peers of its table, or those alone `about` a name or a key.

    What cannot be read of lists, statements, pins, bans is named and left out, as by a node.

    Raises `Fault` where there is no policy, or card or database are damaged.
    """
    policy = home.read_policy()
    if policy is None:
        fix = "p2pnoise card install FILE --issuer NAME=issuer1..., or name the folder with --home"
        raise Fault(f"no policy in {home.path}", fix, code=UNTRUSTED)
    return under(policy, home, now, unreadable=warn, most=most, about=about)


def under(
    policy: Policy,
    home: NodeFolder,
    now: int,
    *,
    unreadable: Callable[[Fault], None],
    most: int | None = None,
    about: str | None = None,
) -> Trust:
    """As `read`, by any policy; `unreadable` is told of each file that cannot be read."""
    table, running = read_table(home, most, about=about), is_running(home)
    held: list[Fact] = []
    for path in (home.revocations, home.statements):
        held += _lenient(path, file_facts, (), unreadable)
    if table is not None:
        held += (*table.lists, *table.statements)
    signatures = SignatureCache()
    known = _known(home, table, linked=_linked(home, table) if running else frozenset())
    from p2pnoise.folder import bans  # noqa: PLC0415 - it stands on the node, which verbs about one card need not load

    nobody: tuple[Ban, ...] = ()
    marks = {
        **(table.marks if table is not None else {}),
        **{bytes(one.card.identity): mark(one.card) for one in known},
    }
    facts, unused = believe(policy, held, now, signatures, marks)
    return Trust(
        store=TrustStore(
            policy=policy,
            facts=facts,
            # A pin by hand outweighs that of a first use, as on the node.
            pins=_lenient(home.pins, pins.read, Pins(), unreadable).over(table.pins if table is not None else {}),
            marks=marks,
        ),
        facts=tuple(held),
        unused=unused,
        known=known,
        table=table,
        running=running,
        signatures=signatures,
        bans={bytes(ban.key): ban for ban in _lenient(home.bans, bans.read, nobody, unreadable) if ban.holds(now)},
    )


def mark(card: Card) -> Mark:
    """What is remembered of an identity that this card was accepted from."""
    return Mark(card.sequence, card.card_id, card.next_key_digest)


def believe(
    policy: Policy,
    facts: Iterable[Fact],
    now: int,
    signatures: SignatureCache | None = None,
    marks: Mapping[bytes, Mark] | None = None,
) -> tuple[Facts, tuple[tuple[Fact, Finding], ...]]:
    """What these facts come to, in whatever order they lie in files; and those that do not count, with the reason."""
    state, signatures = Facts(), signatures or SignatureCache()
    told: list[tuple[Fact, Finding]] = []
    # The oldest list first: then no order of files counts as a rollback, and nothing that it revoked is lost.
    waiting = sorted(facts, key=lambda one: (_ORDER.index(type(one)), _number(one)))
    while True:
        before = state
        refused: list[tuple[Fact, Finding]] = []
        for fact in waiting:
            after, finding = state.add(fact, policy=policy, now=now, marks=marks, signatures=signatures)
            if finding is not None:
                (refused if after is state else told).append((fact, finding))
            state = after
        if state is before:
            return state, (*told, *refused)
        # Whoever signed these may be known by what came after them, or may now delegate further.
        waiting = [fact for fact, _ in refused]


def _number(fact: Fact) -> int:
    return fact.version if isinstance(fact, Manifest) else getattr(fact, "sequence", 0)


def file_facts(path: Path) -> tuple[Fact, ...]:
    """The lists and statements in a file of the folder, none where there is no file. Raises `Fault`."""
    return documents.read(path, fix=f"restore {path.name}, or remove it").facts if path.exists() else ()


def read_table(home: NodeFolder, most: int | None = None, *, about: str | None = None) -> "StoredTable | None":
    """The node's table, or some rows of it; None where it never ran. Raises `Fault`."""
    from p2pnoise.store import read_table  # noqa: PLC0415 - not for --help

    path = home.path / "node.db"
    if not path.exists() or not path.stat().st_size:
        return None
    with store_faults():
        return read_table(path, most, about=about)


def names(home: NodeFolder) -> list[str]:
    """The names of all whom the node's table knows. Raises `Fault`."""
    from p2pnoise.store.reading import names  # noqa: PLC0415 - not for --help

    with store_faults():
        return names(home.database)


@contextmanager
def store_faults() -> Iterator[None]:
    """What is wrong with a database, as a `Fault`."""
    from p2pnoise.store import StoreError  # noqa: PLC0415 - not for --help

    try:
        yield
    except StoreError as error:
        raise Fault(str(error), error.hint) from None


def is_running(home: NodeFolder) -> bool:
    """Whether a node runs in this folder, which its lock tells."""
    if sys.platform == "win32":
        return False
    import fcntl  # noqa: PLC0415 - not on every platform

    try:
        descriptor = os.open(home.path / ".node.lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def _lenient(
    path: Path, read: Callable[[Path], _Content], nothing: _Content, unreadable: Callable[[Fault], None]
) -> _Content:
    try:
        return read(path)
    except Fault as fault:
        unreadable(fault)
        return nothing


def _linked(home: NodeFolder, table: "StoredTable | None") -> Collection[str]:
    """The Node IDs of those that the running node is linked with."""
    try:
        links: dict[str, object] = control.ask(home, "links")["links"]
    except control.NotRunning:  # one that an application runs has no control socket: those that it ever met
        rows = table.rows if table is not None else ()
        return {str(row.card.node_id) for row in rows if row.provenance == "live"}
    return links.keys()


def _known(home: NodeFolder, table: "StoredTable | None", *, linked: Collection[str]) -> tuple[Known, ...]:
    installed = home.read_card()
    known = []
    if installed is not None:
        known.append(Known(card=installed, own=True, live=False, row=None))
    for row in table.rows if table is not None else ():
        if installed is not None and row.card.identity == installed.identity:
            continue  # the file says which card it goes by now
        live = str(row.card.node_id) in linked
        known.append(Known(card=row.card, own=False, live=live, row=row))
    return tuple(known)
