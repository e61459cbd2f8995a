"""`p2pnoise card export`, `import` and `diff`: one card in every form that people pass around, and two compared."""

from collections.abc import Mapping

import click

from cards import Card, Grant, IssuerId
from cards.findings import USAGE

from . import card_view, documents, files, options
from .folders import NodeFolder
from .output import Fault, answer, answer_json, rows, say, until
from .qr import draw_qr, qr_svg


@click.command()
@click.argument("file", type=options.FILE, required=False)
@click.option("--line", "form", flag_value="line", help="one card1: line, for chat and mail")
@click.option(
    "--block", "form", flag_value="block", default="block", help="a block, for files; so it is without a form"
)
@click.option("--base32", "form", flag_value="base32", help="upper-case text, for a QR tool")
@click.option("--qr", "form", flag_value="qr", help="a QR code in the terminal")
@click.option("--svg", type=options.FILE, metavar="FILE", help="a QR code as a picture; - for stdout")
@click.option(
    "--issuer", "issuers", multiple=True, metavar="NAME", help="with the app signatures of this issuer; may be repeated"
)
@click.option("-o", "--output", type=options.FILE, default=files.STREAM, help="write here; stdout if not given")
@options.force
@options.home
@options.as_json
def export(
    *,
    file: str | None,
    form: str,
    svg: str | None,
    issuers: tuple[str, ...],
    output: str,
    force: bool,
    home: NodeFolder,
    as_json: bool,
) -> None:
    """Write a card in another form.

    The installed card if no FILE is given. With --issuer the app signatures of others are left out, which makes it
    smaller and never grants more; NAME is one of this node's policy, or issuer1...

    \b
    Examples:
      p2pnoise card export --line
      p2pnoise card export db-03.card --svg db-03.svg
      p2pnoise card export db-03.card --issuer ops -o smaller.card
    """
    card = _with_grants_of(card_view.document_of(file, home).card, issuers, home)
    if as_json:
        forms = {"line": card.to_text(), "block": documents.card_block(card), "base32": documents.to_qr(card)}
        answer_json({"ok": True, "card": card.to_json(), **forms})
    if svg is not None:
        files.write_output(svg, qr_svg(documents.to_qr(card)), force=force)
        if svg != files.STREAM:
            say(f"drawn: {svg}")
    elif not as_json:
        files.write_output(output, _form(card, form), force=force)


def _form(card: Card, form: str) -> str:
    match form:
        case "line":
            return f"{card.to_text()}\n"
        case "base32":
            return f"{documents.to_qr(card)}\n"
        case "qr":
            return draw_qr(documents.to_qr(card))
        case _:
            return documents.card_block(card)


def _with_grants_of(card: Card, issuers: tuple[str, ...], home: NodeFolder) -> Card:
    if not issuers:
        return card
    policy = home.read_policy() if any(not name.startswith("issuer1") for name in issuers) else None
    known: Mapping[str, IssuerId] = policy.issuers if policy is not None else {}
    hints = set()
    for name in issuers:
        key = known.get(name) or (IssuerId.parse(name) if name.startswith("issuer1") else None)
        if key is None:
            raise Fault(f"no issuer {name} in the policy of {home.path}", "give its key: issuer1...", code=USAGE)
        if not any(grant.kid == key.hint for grant in card.grants):
            raise Fault(f"{card.label} has no app signature of {name}", "p2pnoise card show FILE", code=USAGE)
        hints.add(key.hint)
    return Card.parse(card.with_grants(tuple(grant for grant in card.grants if grant.kid in hints)).raw)


@click.command("import")
@click.argument("file", type=options.FILE, default=files.STREAM)
@click.option("-o", "--output", type=options.FILE, default=files.STREAM, help="write here; stdout if not given")
@options.force
@options.as_json
def import_(*, file: str, output: str, force: bool, as_json: bool) -> None:
    """Read a card in any text form and write it as a block.

    That is a block, a card1: line, or the upper-case text of a QR code; stdin if no FILE is given. Lists and
    statements beside the card come along. Nothing is judged, and nothing installed.

    \b
    Examples:
      p2pnoise card import scanned.txt -o db-03.card
      p2pnoise card export --line | ssh node p2pnoise card import -o db-03.card
    """
    document = documents.read(file)
    if not document.cards:
        document.card  # noqa: B018 - says that there is none
    text = "".join(map(documents.card_block, document.cards)) + documents.fact_blocks(document.facts)
    where = files.hand_out(output, text, force=force, as_json=as_json)
    if as_json:
        answer_json({"ok": True, "cards": [card.to_json() for card in document.cards], "text": text, "file": where})
    elif where is not None:
        answer(*rows(*(("card", card.label) for card in document.cards), ("file", where)))


@click.command()
@click.argument("one", metavar="A", type=options.FILE)
@click.argument("other", metavar="B", type=options.FILE)
@options.as_json
def diff(*, one: str, other: str, as_json: bool) -> None:
    """Say in what two cards differ, and what that makes of them.

    Neither is verified. Differing is no failure: the exit code is 0 whenever both could be read.

    \b
    Examples:
      p2pnoise card diff db-03.card new.card
      ssh node p2pnoise card show --line | p2pnoise card diff db-03.card -
    """
    if one == other == files.STREAM:
        raise click.UsageError("stdin holds one card: name a file for the other")
    a, b = documents.read(one).card, documents.read(other).card
    differences = _differences(a, b)
    if as_json:
        found = [{"field": field, "a": left, "b": right} for field, left, right in differences]
        answer_json({"ok": True, "same": not differences, "relation": _relation(a, b), "differences": found})
        return
    answer(f"{a.label}: {_relation(a, b)}")
    width = max((len(field) for field, _, _ in differences), default=0)
    for field, left, right in differences:
        answer(f"    {field:<{width}}  {left}", f"    {'':<{width}}  {right}")


def _relation(a: Card, b: Card) -> str:
    if a.network != b.network:
        return "cards of two networks"
    if a.identity != b.identity:
        return "one node claimed by two identities" if a.node_id == b.node_id else "cards of two identities"
    if a.card_id == b.card_id:
        return "one card with other app signatures" if a.raw != b.raw else "the same card"
    if a.sequence == b.sequence:
        return "two different cards with one number: a restored backup, or a cloned image"
    first, last, which = (a, b, "the second") if a.sequence < b.sequence else (b, a, "the first")
    follows = ", made to follow the other" if last.previous == first.card_id else ""
    return f"{which} is newer{follows}"


def _differences(a: Card, b: Card) -> list[tuple[str, str, str]]:
    left, right = _values(a), _values(b)
    fields = dict.fromkeys((*left, *right))
    return [
        (field, left.get(field, "-"), right.get(field, "-"))
        for field in fields
        if left.get(field, "-") != right.get(field, "-")
    ]


def _values(card: Card) -> dict[str, str]:
    now = options.now()
    return {
        "network": card.network,
        "name": card.name or "-",
        "identity": str(card.identity),
        "node": str(card.node_id),
        "sequence": str(card.sequence),
        "valid from": until(card.not_before, now),
        "valid until": until(card.not_after, now),
        "previous card": card.previous.hex() if card.previous else "-",
        "next identity": card.next_key_digest.hex() if card.next_key_digest else "-",
        "card": card.card_id.hex(),
        **{f"issuer key id {grant.kid.hex()}": _grant(grant, now) for grant in card.grants},
    }


def _grant(grant: Grant, now: int) -> str:
    words = [f"serial {grant.serial}", f"until {until(grant.not_after, now)}"]
    words += [f"groups {' '.join(grant.groups)}"] if grant.groups else []
    words += [f"capabilities {' '.join(grant.capabilities)}"] if grant.capabilities else []
    return "  ".join(words)
