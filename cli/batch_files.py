"""Files of a batch: the requests, the expected identities, and where the cards and their lists go."""

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from cards import Card, CardError, IdentityId, RevocationList
from cards.fields import name as name_field
from cards.findings import MALFORMED, USAGE
from cards.text import MAX_ARMOR, fingerprint

from . import documents, files
from .output import Fault, answer_json, naming, os_fault, say

MAX_EXPECTED = 16 * 1024 * 1024  # bytes; 10,000 rows make about 1.2 million
MAX_GROUPS = 16

_OURS = b'{"item": '  # how a line of `Lines` begins
_MAX_LINE = 4 * MAX_ARMOR  # bytes; a request in JSON, with the view of its card, makes about 2,000

_HOW = "p2pnoise card issue --help shows the form of the file"


@dataclass(frozen=True, slots=True)
class Item:
    """One request of a batch: what it is called, and its document or why there is none."""

    name: str
    content: documents.Document | Fault


def read_items(source: str) -> Iterator[Item]:
    """The requests in a folder, by file name, or in JSON lines from a file or stdin, one at a time."""
    if source != files.STREAM and Path(source).is_dir():
        for path in sorted(Path(source).iterdir()):
            if path.is_file() and not path.name.startswith("."):
                yield Item(path.name, _tried(documents.read, path))
        return
    for number, line in enumerate(_lines(source), 1):
        if line.strip():
            yield Item(f"line {number}", _tried(_from_line, f"line {number}", line))


def _lines(source: str) -> Iterator[bytes]:
    """The lines of a file or of stdin; of one that is too long the beginning, which is no JSON."""
    try:
        stdin = source == files.STREAM
        with nullcontext(files.stdin("batch")) if stdin else Path(source).open("rb") as stream:
            while line := stream.readline(_MAX_LINE):
                yield line
                while len(line) == _MAX_LINE and not line.endswith(b"\n"):
                    line = stream.readline(_MAX_LINE)
    except OSError as error:
        raise os_fault(error, source) from None


def _tried(read: Any, *arguments: Any) -> documents.Document | Fault:
    try:
        document: documents.Document = read(*arguments)
    except Fault as fault:
        return fault
    return document


def _from_line(name: str, line: bytes) -> documents.Document:
    """The request in an object as `card request --json` prints it."""
    try:
        request = json.loads(line)["request"].encode()
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        fix = "one object a line, as p2pnoise card request --json prints it"
        raise Fault(f"{name} is no JSON object with a text named request", fix, code=MALFORMED) from None
    if not request:
        raise Fault(f"{name} has an empty request", "run p2pnoise card request --json again", code=MALFORMED)
    return documents.parse(name, request)


@dataclass(frozen=True, slots=True)
class Expected:
    """One row: who is expected, under which name (any, where there is none), and the groups to grant."""

    row: int
    identity: str
    name: str | None
    groups: tuple[str, ...]


def read_expected(path: Path) -> Mapping[str, Expected]:
    """By identity or its fingerprint, as the file has it. Raises `Fault` that names the row."""
    data = files.read(path, limit=MAX_EXPECTED, what="list of expected identities")
    try:
        # utf-8-sig: spreadsheets put a mark at the beginning.
        rows = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        columns = set(rows.fieldnames or ())
        if "identity" not in columns or not columns <= {"identity", "name", "groups"}:
            first = ", ".join(rows.fieldnames or ())[:80]
            text = f"{path}: columns {first!r}; identity, name and groups expected"
            raise Fault(text, _HOW, code=USAGE)
        found: dict[str, Expected] = {}
        for row in rows:
            one = _expected(row, rows.line_num, path)
            if one.identity in found:
                text = f"{path}, line {one.row}: {one.identity} is in line {found[one.identity].row} already"
                raise Fault(text, "leave one out", code=USAGE)
            found[one.identity] = one
    except UnicodeDecodeError as error:
        raise Fault(f"{path}: byte {error.start} is not UTF-8", "save the file as UTF-8", code=MALFORMED) from None
    except csv.Error as error:
        raise Fault(f"{path} is no CSV: {error}", _HOW, code=MALFORMED) from None
    return found


def _expected(row: Mapping[str | None, Any], line: int, path: Path) -> Expected:
    with naming(f"{path}, line {line}", _HOW):
        if None in row or None in row.values():
            raise CardError("malformed", "another number of columns than the first line has")
        identity, name = row["identity"].strip(), row.get("name", "").strip()
        groups = tuple(row.get("groups", "").split())
        if identity.startswith("id1"):
            IdentityId.parse(identity)
        elif len(identity) != len(fingerprint("")):
            raise CardError("text-invalid", f"{identity[:40]!r} is neither id1... nor a fingerprint")
        if len(groups) > MAX_GROUPS:
            raise CardError("malformed", f"{len(groups)} groups, a grant holds {MAX_GROUPS}")
        for group in groups:
            name_field(32)(group, "group")
        return Expected(line, identity, name_field(64)(name, "name") if name else None, groups)


class Results(Protocol):
    """Where cards go. What is there already is not made again."""

    def put_lists(self, lists: Sequence[RevocationList]) -> None:
        """Keep the lists that go with all cards, before any card. Raises `Fault` where something else is there."""

    def handed_out(self, card: Card) -> Card | None:
        """The card as it was handed out before, if it was. Raises `Fault` where something else is in its place."""

    def put(self, name: str, card: Card, text: str) -> dict[str, str]:
        """Keep a card with what goes with it; what to say of that. Raises `Fault`."""

    def sync(self) -> None:
        """What was put is on the disk when this returns."""


class Stream:
    """No place but the line that says what became of a request; nothing is remembered."""

    def put_lists(self, lists: Sequence[RevocationList]) -> None:
        text = documents.list_blocks(lists)
        answer_json({"ok": True, "item": None, "status": "revocations", "text": text})

    def handed_out(self, card: Card) -> Card | None:  # noqa: ARG002 - as the others
        return None

    def put(self, name: str, card: Card, text: str) -> dict[str, str]:  # noqa: ARG002
        return {"text": text}

    def sync(self) -> None:
        pass


class Folder:
    """A file for each card, called by its name, or by its node where it has none, and one for the lists."""

    def __init__(self, path: Path, *, force: bool) -> None:
        self._path = path
        self._force = force
        files.make_folder(path)

    def put_lists(self, lists: Sequence[RevocationList]) -> None:
        path = self._path / documents.BESIDE
        files.check_target(path, force=True)
        if path.exists() and not self._force:
            fix = "name a folder for the cards alone, or replace it with --force"
            held = documents.read(path, fix=fix)
            ours = {one.issuer for one in lists}
            if held.cards or held.statements or any(one.issuer not in ours for one in held.lists):
                raise Fault(f"{path} holds more than the lists that go with these cards", fix)
        files.write(path, documents.list_blocks(lists).encode(), force=True)
        say(f"the revocation list goes with every card: it is in {path}, where card install looks for it")

    def handed_out(self, card: Card) -> Card | None:
        path = self._file(card)
        files.check_target(path, force=True)
        if self._force or not path.exists():
            return None
        before = documents.read(path, fix="remove it, or replace it with --force").card
        if before.identity != card.identity:
            raise Fault(f"{path} holds the card of another identity", "remove it, or replace it with --force")
        return before

    def put(self, name: str, card: Card, text: str) -> dict[str, str]:  # noqa: ARG002
        path = self._file(card)
        # Only what `handed_out` has looked at is replaced: an older card of the same identity.
        files.write(path, text.encode(), force=True, sync=False)
        return {"file": str(path)}

    def sync(self) -> None:
        files.sync_all()  # once for a portion: for each file it takes four times as long as all the rest

    def _file(self, card: Card) -> Path:
        return self._path / f"{card.name or card.node_id}.card"


class Lines:
    """JSON lines, appended to a file, the lists as one of them; one that a crash cut short at the end is taken off.

    Raises `Fault` where the torn line is somebody else's.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self._path = path
        self._cards: dict[bytes, Card] = {}
        self._lists = ""  # as they stand in the file
        whole = file.seek(0)
        for line in file:
            if not line.endswith(b"\n"):
                if line[: len(_OURS)] != _OURS[: len(line)]:
                    raise Fault(f"the last line of {path} is no card and has no end", "name a file for the cards alone")
                file.truncate(whole)
                break
            whole += len(line)
            with suppress(ValueError, LookupError, TypeError, AttributeError, Fault):  # not one of ours: left alone
                row = json.loads(line)
                self._lists = row.get("revocations", self._lists)
                card = documents.parse(str(path), row["text"].encode()).card
                self._cards[card.card_id] = card

    def put_lists(self, lists: Sequence[RevocationList]) -> None:
        text = documents.list_blocks(lists)
        if text != self._lists:
            self._file.write(json.dumps({"item": None, "revocations": text}).encode() + b"\n")
        say(f"the revocation list goes with every card: it is in {self._path}, in the last line with revocations")

    def handed_out(self, card: Card) -> Card | None:
        return self._cards.get(card.card_id)

    def put(self, name: str, card: Card, text: str) -> dict[str, str]:
        line = {"item": name, "label": card.label, "card": card.to_json(), "text": text}
        self._file.write(json.dumps(line).encode() + b"\n")
        return {"file": str(self._path)}

    def sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())


@contextmanager
def open_results(output: str, *, force: bool) -> Iterator[Results]:
    """By the form of the name: `-`, a file that ends in .jsonl, or a folder, which is made where there is none."""
    if output == files.STREAM:
        yield Stream()
    elif output.endswith(".jsonl"):
        path = Path(output)
        files.check_target(path, force=True)
        with path.open("a+b") as file:
            yield Lines(file, path)
    else:
        yield Folder(Path(output), force=force)
