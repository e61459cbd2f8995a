"""`p2pnoise issuer`: the key whose signature lets nodes into a network, its beginning and its end."""

import os
from pathlib import Path

import click

from cards import IssuerId, IssuerKey, Retirement, make_list
from cards.findings import USAGE
from cards.revocation import REASONS

from . import documents, files, issuer_delegate, issuer_draft, issuer_list, options, passphrase
from .folders import IssuerFolder
from .output import Fault, answer, answer_json, rows, say
from .powers import Powers
from .registry import Registry
from .statement_view import statement_json


@click.group()
def command() -> None:
    """Make an issuer, whose signature lets nodes into a network; let others sign for it; agree with others; end it.

    \b
    Example:
      p2pnoise issuer new ops --network example-net
    """


command.add_command(issuer_delegate.delegate)
command.add_command(issuer_delegate.import_)
command.add_command(issuer_list.list_)
command.add_command(issuer_draft.manifest)
command.add_command(issuer_draft.sign)


@command.command()
@click.argument("name", callback=options.checked_name(64))
@options.network
@options.new_issuer_home
@passphrase.lock_option
@options.as_json
def new(*, name: str, network: str, folder: IssuerFolder, lock: bool, as_json: bool) -> None:
    """Make the issuer NAME of a network.

    That is its key, its registry and its first, empty revocation list. Keep a backup of the whole folder, away from
    every node. Nothing in it is ever replaced by this command. With --lock its key takes a passphrase when it signs.

    \b
    Examples:
      p2pnoise issuer new ops --network example-net
      p2pnoise issuer new ops --network example-net --issuer-home /media/stick/ops
      p2pnoise issuer new ops --network example-net --lock
    """
    files.make_folder(folder.path)
    with files.lock(folder.path):
        for path in (folder.about, folder.key, folder.registry, folder.revocations):
            if path.exists() or path.is_symlink():
                what = "an issuer" if folder.about.exists() else "an unfinished issuer"
                fix = "choose another folder with --issuer-home; an issuer's files are never replaced"
                raise Fault(f"{folder.path} holds {what} already: {path.name}", fix)
        key = IssuerKey.generate(os.urandom)
        files.write(folder.key, passphrase.pem(key, folder.key, lock=lock), secret=True)
        Registry.create(folder.registry, key.public, network)
        # issuer.toml last: where it is, the rest is whole.
        text = f'name = "{name}"\nnetwork = "{network}"\nkey = "{key.public}"\n'
        with Registry.open(folder.registry, key.public, network) as registry:
            first = make_list(key, network=network, sequence=registry.reserve_list(0), now=options.now())
        files.write(folder.revocations, documents.list_blocks([first]).encode())
        files.write(folder.about, text.encode())
    if as_json:
        answer_json(
            {
                "ok": True,
                "name": name,
                "network": network,
                "issuer": str(key.public),
                "home": str(folder.path),
                "revocations": {"sequence": first.sequence, "next_due": first.next_due},
            }
        )
    else:
        answer(*rows(("issuer", str(key.public)), ("name", name), ("network", network), ("folder", str(folder.path))))
    say(
        "next, on a node: p2pnoise id new; p2pnoise card request --network " + network + " -o node.request",
        "then here:       p2pnoise card issue node.request -o node.card",
        f"then there:      p2pnoise card install node.card --issuer {name}={key.public}",
    )


def _issuer_id(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> IssuerId | None:
    return None if value is None else IssuerId.parse(value)


def _issuer_ids(_ctx: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> tuple[IssuerId, ...]:
    return tuple(map(IssuerId.parse, values))


@command.command()
@click.option("--reason", type=click.Choice(REASONS), required=True, help="what nodes will show")
@click.option("-o", "--output", type=options.FILE, help="for later: sign it into this file alone; - for stdout")
@click.option("--yes", is_flag=True, help="it is meant: this cannot be taken back")
@click.option(
    "--other", metavar="issuer1...", callback=_issuer_id, help="draft the end of this one, whose key is lost or stolen"
)
@click.option(
    "--by", multiple=True, metavar="issuer1...", callback=_issuer_ids, help="with --other: who is to sign; repeat it"
)
@options.force
@options.issuer_home
@options.as_json
def retire(
    *,
    reason: str,
    output: str | None,
    yes: bool,
    other: IssuerId | None,
    by: tuple[IssuerId, ...],
    force: bool,
    folder: IssuerFolder,
    as_json: bool,
) -> None:
    """End this issuer for good, or with others another one.

    Nothing that it or its delegates granted counts any more, on every node that hears of it. With --output nothing
    ends yet: keep the file away from here, for the day on which the key is lost or stolen. Without that file others
    can end it: as many as the manifest asks for; where there is none, as many as must agree on a card, at least two
    where there are two. They sign what --other drafts, one after the other, with p2pnoise issuer sign.

    \b
    Examples:
      p2pnoise issuer retire --reason superseded --yes
      p2pnoise issuer retire --reason key-compromise -o /media/safe/ops-retirement.pem
      p2pnoise issuer retire --other issuer1... --reason lost --by issuer1... --by issuer1... -o lab.draft
    """
    if (other is None) != (not by):
        raise click.UsageError("--other names whom to end, and --by each who is to sign that")
    if other is not None:
        target = output or files.STREAM
        issuer_draft.retire_other(folder, other, by, reason=reason, output=target, force=force, as_json=as_json)
        return
    if output is None and not yes:
        fix = "add --yes if that is meant, or sign it for later: --output FILE"
        raise Fault("this ends the issuer for good, with all that it granted", fix, code=USAGE)
    if output not in (None, files.STREAM):
        files.check_target(Path(str(output)), force=force)
    with folder.open() as issuer, files.lock(folder.path):
        powers = Powers.read(folder, issuer)
        powers.check_alive()
        values = {
            "net": issuer.network,
            "iat": options.now(),
            "iss": bytes(issuer.key.public),
            "reason": reason,
        }
        end = Retirement.make(values, issuer.key)
        text = documents.fact_blocks([end])
        if output is None:
            held = documents.fact_blocks((*powers.document.facts, end))
            files.write(folder.statements, held.encode(), force=True)
    where: str | None = str(folder.statements)
    if output is not None:
        # Whoever reads it can end the issuer, today.
        where = files.hand_out(output, text, secret=True, force=force, as_json=as_json)
    if as_json:
        view = {"retirement": statement_json(end), "text": text, "file": where, "retired": output is None}
        answer_json({"ok": True, **view})
    elif where is not None:
        what = "retired" if output is None else "signed for later"
        answer(*rows((what, f"{issuer.name}  {issuer.key.public}"), ("reason", reason), ("file", where)))
    if output is None:
        say(f"next, on any one node: p2pnoise trust apply {folder.statements}")
    else:
        say("keep it where the key is not; on the day, on any one node: p2pnoise trust apply FILE")
