"""`p2pnoise card show` and `card verify`: what a card and what goes with it say, and whether to believe it."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from shlex import quote

import click

from cards import Fact, Facts, IdentityId, IssuerId, Policy, RevocationList, verify_card
from cards.findings import MALFORMED, UNTRUSTED

from . import documents, options, pins, trust_state
from .folders import NodeFolder, read_policy
from .output import Fault, answer, answer_json, card_lines, list_line, say, verdict_lines
from .qr import draw_qr
from .statement_view import statement_json, statement_line


@click.command()
@click.argument("file", type=options.FILE, required=False)
@click.option("--line", is_flag=True, help="as one card1: line, for chat and mail")
@click.option("--qr", is_flag=True, help="as a QR code in the terminal")
@options.home
@options.as_json
def show(*, file: str | None, line: bool, qr: bool, home: NodeFolder, as_json: bool) -> None:
    """Print what a card says, without judging it.

    The installed card if no FILE is given.

    \b
    Examples:
      p2pnoise card show
      p2pnoise card show db-03.card --line
      p2pnoise card show db-03.card --qr
    """
    document, now = document_of(file, home), options.now()
    cards = document.cards or ((document.card,) if line or qr or not document.facts else ())
    if as_json:
        answer_json(
            {
                "ok": True,
                "cards": [{**card.to_json(), "line": card.to_text(), "qr": documents.to_qr(card)} for card in cards],
                "revocation_lists": [_list_json(one) for one in document.lists],
                "statements": [statement_json(one) for one in document.statements],
            }
        )
    elif line:
        answer(*(card.to_text() for card in cards))
    elif qr:
        for card in cards:
            click.echo(draw_qr(documents.to_qr(card)), nl=False)
    else:
        for card in cards:
            answer(*card_lines(card, now))
        answer(*(list_line(one, now) for one in document.lists))
        answer(*(statement_line(one, now) for one in document.statements))
        say("nothing of this was verified; to have it judged: p2pnoise card verify")


@click.command()
@click.argument("file", type=options.FILE, required=False)
@click.option(
    "--issuer",
    "issuers",
    multiple=True,
    metavar="[NAME=]issuer1...",
    callback=options.issuers,
    help="judge as one who believes this issuer alone; may be repeated",
)
@click.option("--policy", "policy_file", type=options.PATH, help="judge by this policy file")
@click.option("--revocations", multiple=True, type=options.FILE, help="a revocation list to go by; may be repeated")
@click.option("--statements", multiple=True, type=options.FILE, help="statements to go by; may be repeated")
@options.home
@options.as_json
def verify(
    *,
    file: str | None,
    issuers: Mapping[str, IssuerId],
    policy_file: Path | None,
    revocations: tuple[str, ...],
    statements: tuple[str, ...],
    home: NodeFolder,
    as_json: bool,
) -> None:
    """Judge a card, with every reason.

    Without FILE it is the installed card. The policy of this node is asked unless --issuer or --policy names another.
    Revocation lists and statements (delegations, successions, what ended a key) count when they are in FILE, lists
    also in revocations.pem beside it where it has none, named with --revocations or --statements or, with this node's
    policy, held here; so do its pins. With another policy it is told where this node's folder knows more.

    \b
    Examples:
      p2pnoise card verify db-03.card
      p2pnoise card verify db-03.card --issuer ops=issuer1...
      p2pnoise card verify db-03.card --issuer ops=issuer1... --statements ended.pem
      p2pnoise card verify - --policy policy.toml --revocations revocations.pem < db-03.card
    """
    if issuers and policy_file:
        raise click.UsageError("--issuer and --policy are two answers to one question")
    document = documents.read_handed_out(file) if file is not None else document_of(None, home)
    card, now = document.card, options.now()
    facts = list(document.facts)
    for path, what in (*((path, "lists") for path in revocations), *((path, "statements") for path in statements)):
        given = documents.read(path)
        if not (given.lists if what == "lists" else given.statements):
            raise Fault(f"{given.name} holds no {what}", "leave it out, or name the file that does", code=MALFORMED)
        facts += given.facts
    pinned: Mapping[str, IdentityId] = {}
    if issuers:
        policy, looked_at = Policy(network=card.network, issuers=issuers), bool(facts)
    elif policy_file:
        policy, looked_at = read_policy(policy_file), bool(facts)
    else:
        policy, looked_at = _home_policy(home), True
        facts += [*home.read_revocations(), *home.read_statements()]
        table = trust_state.read_table(home, most=0)
        if table is not None:  # what came to the node by itself
            facts += [*table.lists, *table.statements]
        pinned = pins.read(home.pins).over(table.pins if table is not None else {})
    held, findings = trust_state.believe(policy, facts, now)
    verdict = documents.with_findings(
        verify_card(card, policy=policy, now=now, facts=held if looked_at else None, pins=pinned),
        documents.notes(findings),
    )
    if issuers or policy_file:
        say(*_left_out(home, policy, facts, held, now))
    if as_json:
        answer_json({"card_id": card.card_id.hex(), **verdict.to_json()})
    else:
        answer(*verdict_lines(verdict, policy, now))
    raise click.exceptions.Exit(verdict.exit_code)


def _left_out(home: NodeFolder, policy: Policy, given: Sequence[Fact], looked_at: Facts, now: int) -> tuple[str, ...]:
    """The warning that this node's folder holds what is newer than what was given; nothing where it does not."""
    with suppress(Fault, OSError):  # it was not asked for, so it may be as broken as it likes
        table = trust_state.read_table(home, most=0)
        sources: dict[str, tuple[Fact, ...]] = {
            f"--revocations {quote(str(home.revocations))}": home.read_revocations(),
            f"--statements {quote(str(home.statements))}": home.read_statements(),
            "": (*table.lists, *table.statements) if table is not None else (),
        }
        newer = [
            source
            for source, facts in sources.items()
            if _knows_more(trust_state.believe(policy, (*given, *facts), now)[0], looked_at)
        ]
        if newer:
            to_add = " ".join(filter(None, newer))
            fix = f"add {to_add}" if to_add else "p2pnoise trust explain goes by what came to this node by itself, too"
            return f"warning: not looked at: newer lists or statements in {home.path}", f"fix: {fix}"
    return ()


def _knows_more(one: Facts, other: Facts) -> bool:
    held = other.revocations.by_issuer
    lists = one.revocations.by_issuer.items()
    return bool(one.statements.keys() - other.statements.keys()) or any(
        issuer not in held or state.sequence > held[issuer].sequence for issuer, state in lists
    )


def document_of(file: str | None, home: NodeFolder) -> documents.Document:
    if file is None and not home.card.exists():
        fix = "name a file, or install a card first: p2pnoise card install FILE"
        raise Fault(f"no card is installed in {home.path}", fix)
    return documents.read(home.card if file is None else file)


def _home_policy(home: NodeFolder) -> Policy:
    policy = home.read_policy()
    if policy is None:
        fix = "say whom to believe: --issuer issuer1... or --policy FILE, or install this node's card first"
        raise Fault(f"no policy in {home.path} to judge by", fix, code=UNTRUSTED)
    return policy


def _list_json(one: RevocationList) -> dict[str, object]:
    return {
        "issuer": str(one.issuer),
        "network": one.network,
        "sequence": one.sequence,
        "issued_at": one.issued_at,
        "next_due": one.next_due,
        "entries": [
            {"subject": entry.subject.hex(), "at": entry.at, "reason": entry.reason, "until": entry.until}
            for entry in one.entries
        ],
    }
