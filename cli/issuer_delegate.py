"""`p2pnoise issuer delegate` and `issuer import`: an issuer lets another key sign for it, and that one takes it up."""

from pathlib import Path
from shlex import quote

import click

from cards import CardError, Delegation, Fact, IssuerId, Policy, RevocationList, Succession
from cards.findings import BINDING, USAGE
from cards.limits import MAX_DEPTH, pattern
from cards.text import MAX_ARMOR

from . import documents, files, options
from .folders import IssuerFolder
from .options import DAY, MAX_DAYS
from .output import Fault, answer, answer_json, rows, say, until
from .powers import Powers, ways
from .statement_view import statement_json
from .trust_show import limits_text


def _issuer_id(_ctx: click.Context, _parameter: click.Parameter, value: str) -> IssuerId:
    return IssuerId.parse(value)


def _patterns(_ctx: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        try:
            pattern(value, "--name")
        except CardError as error:
            raise Fault(str(error), "for all below dc7.example write '*.dc7.example'", code=USAGE) from None
    return tuple(sorted(set(values)))


@click.command()
@click.argument("key", metavar="KEY", callback=_issuer_id)
@click.option(
    "--name", "names", multiple=True, metavar="PATTERN", callback=_patterns, help="names that it may sign: db or *.dc7"
)
@click.option("--group", "groups", multiple=True, metavar="G", help="a group that it may grant; may be repeated")
@click.option("--max-lifetime", callback=options.duration, metavar="30d", help="longest grant that it may sign")
@click.option(
    "--depth", type=click.IntRange(0, MAX_DEPTH - 1), default=0, show_default=True, help="steps that may follow"
)
@click.option("--valid", callback=options.duration, default="365d", show_default=True, help="from now on")
@click.option("-o", "--output", type=options.FILE, default=files.STREAM, help="write here; stdout if not given")
@options.force
@options.issuer_home
@options.as_json
def delegate(
    *,
    key: IssuerId,
    names: tuple[str, ...],
    groups: tuple[str, ...],
    max_lifetime: int | None,
    depth: int,
    valid: int,
    output: str,
    force: bool,
    folder: IssuerFolder,
    as_json: bool,
) -> None:
    """Let the issuer with KEY sign for this one, within limits.

    What is not limited, it may sign without limit: without --name any name, without --group any group and capability.
    Nodes go on believing this issuer alone, and go by its revocation list: revoke KEY itself to take everything back.
    KEY is what p2pnoise issuer new prints on the other machine.

    \b
    Examples:
      p2pnoise issuer delegate issuer1... --name '*.dc7.example' --group sensors --max-lifetime 30d -o site-7.pem
      p2pnoise issuer delegate issuer1... --valid 90d --depth 1 > site-7.pem
    """
    if output != files.STREAM:
        files.check_target(Path(output), force=force)
    if valid > MAX_DAYS * DAY:
        raise click.UsageError(f"--valid is {valid} s, at most {MAX_DAYS}d")
    now = options.now()
    with folder.open() as issuer, files.lock(folder.path):
        own, powers = folder.read_revocations(issuer), Powers.read(folder, issuer)
        powers.check_alive()
        if key == issuer.key.public:
            raise Fault("KEY is this issuer's own", "give the key of the issuer that is to sign for it", code=USAGE)
        values = {
            "net": issuer.network,
            "iat": now,
            "iss": bytes(issuer.key.public),
            "key": bytes(key),
            "name": list(names),
            "grp": sorted(set(groups)),
            "ttl": max_lifetime,
            "path": depth,
            "nbf": now,
            "exp": now + valid,
        }
        new = Delegation.make(values, issuer.key)
        powers.check_delegation(new)
        text = documents.fact_blocks((*powers.handed_on(own), new))
        # Kept before anybody sees it: what is out there can always be found and revoked.
        held = documents.fact_blocks((*powers.document.facts, new))
        files.write(folder.statements, held.encode(), force=True)
    where = files.hand_out(output, text, force=force, as_json=as_json)
    if as_json:
        answer_json({"ok": True, "delegation": statement_json(new), "text": text, "file": where})
    elif where is not None:
        answer(*rows(("delegate", str(key)), ("may sign", limits_text(new.limits, now)), ("file", where)))
    say(f"next, at that issuer: p2pnoise issuer import {quote(where) if where else 'FILE'}")


@click.command("import")
@click.argument("file", type=options.FILE)
@options.issuer_home
@options.as_json
def import_(*, file: str, folder: IssuerFolder, as_json: bool) -> None:
    """Take up what another issuer lets this one sign, and who hands over to whom.

    FILE is what p2pnoise issuer delegate wrote there, or a newer revocation list of that issuer. From then on card
    issue keeps to these limits and hands both on. Or it is what p2pnoise id rotate --identity wrote: then card issue
    knows the new identity as the heir of the old one, whatever its request brings along.

    \b
    Examples:
      p2pnoise issuer import site-7.pem
      p2pnoise issuer import db-03.request
      ssh head p2pnoise issuer delegate issuer1... | p2pnoise issuer import -
    """
    document, now = documents.read(file), options.now()
    with folder.open() as issuer, files.lock(folder.path):
        powers, key = Powers.read(folder, issuer), issuer.key.public
        new: list[Fact] = []
        for fact in document.facts:
            finding = fact.check(network=issuer.network, now=now, leeway=Policy(network=issuer.network).leeway)
            if finding is not None:
                raise Fault(f"{document.name}: {finding.message}", code=finding.exit, findings=(finding,))
            new += [fact] if isinstance(fact, Delegation | RevocationList | Succession) else []
        successions = [one for one in new if isinstance(one, Succession)]
        delegations = [one for one in new if isinstance(one, Delegation)]
        facts = dict.fromkeys((*powers.document.statements, *delegations, *successions))
        chains = ways(key, tuple(facts))
        if not chains and not successions:
            fix = f"have it made for this key: p2pnoise issuer delegate {key}"
            raise Fault(f"{document.name} lets this issuer sign nothing", fix, code=BINDING)
        roots = {way.root for way in chains}
        lists = documents.newest(powers.document.lists, (one for one in new if isinstance(one, RevocationList)))
        lists = tuple(one for one in lists if one.issuer in roots)
        text = documents.fact_blocks((*lists, *facts))
        if len(text) > MAX_ARMOR:
            fix = "keep the successions of long ago elsewhere"
            raise Fault(f"{folder.statements} would have {len(text)} bytes, at most {MAX_ARMOR} are read", fix)
        files.write(folder.statements, text.encode(), force=True)
    mine = [one for one in facts if isinstance(one, Delegation) and one.key == key]
    if as_json:
        answer_json(
            {
                "ok": True,
                "delegations": [statement_json(one) for one in mine],
                "lists": [{"issuer": str(one.issuer), "sequence": one.sequence} for one in lists],
                "successions": [statement_json(one) for one in successions],
            }
        )
    else:
        answer(*rows(*((f"for {one.issuer.short}", limits_text(one.limits, now)) for one in mine)))
        answer(*(f"{one.old.short} hands over to {one.new.short}" for one in successions))
        answer(*rows(*(("list", f"{one.sequence} of {one.issuer.short}") for one in lists)))
    for root in roots - {one.issuer for one in lists}:
        say(f"warning: no revocation list of {root.short}, without which no node believes its delegates")
        say("fix: p2pnoise issuer import LIST, which p2pnoise revoke publish writes there")
    for one in lists:
        if now >= one.next_due:
            say(f"warning: list {one.sequence} was due {until(one.next_due, now)}", "fix: import its newest list")
    say("next: p2pnoise card issue REQUEST -o FILE")
