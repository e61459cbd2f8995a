"""The `p2pnoise` command: a table of verbs loaded by name, and the one place where errors become sentences.

Nothing heavy is imported here, so that help, version and usage errors come at once; a verb pays for what it uses.
"""

# ruff: noqa: PLC0415 - imports happen late on purpose

import difflib
import os
import re
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import click

from .lazy import LazyGroup

if TYPE_CHECKING:  # the fault's module stands on cards, which --version must not wait for
    from .output import Fault

VERBS: Mapping[str, tuple[str, str]] = {
    "id": ("cli.id", "make the keys of a node and its owner"),
    "card": ("cli.card", "request, issue, install, show and verify cards"),
    "issuer": ("cli.issuer", "make an issuer, whose signature lets nodes into a network"),
    "signer": ("cli.signer_serve", "keep an issuer's key in a process of its own"),
    "join": ("cli.join", "let new machines in, one token each"),
    "revoke": ("cli.revoke", "take cards back and publish the list that says so"),
    "trust": ("cli.trust", "see, plan and change whom a node believes"),
    "run": ("cli.run", "run a peer node"),
    "config": ("cli.config", "write and check the configuration of a node, and run it by systemd"),
    "status": ("cli.status", "show how a node is"),
    "peers": ("cli.peers", "show the peers that a node knows"),
    "explain": ("cli.explain", "say why a peer is linked, or is not"),
    "connect": ("cli.live:connect", "have a running node link with a peer"),
    "disconnect": ("cli.live:disconnect", "have a running node end its link with a peer"),
    "ping": ("cli.live:ping", "measure the way to a peer and back"),
    "events": ("cli.live:events", "follow what happens in a running node"),
    "reload": ("cli.live:reload", "have a running node take up its files now"),
    "ban": ("cli.ban:ban", "refuse a peer, for a time or until it is lifted"),
    "unban": ("cli.ban:unban", "lift a ban"),
    "bans": ("cli.ban:bans", "show who is banned, until when and why"),
    "expose": ("cli.forward:expose", "let peers use a TCP service of this machine"),
    "forward": ("cli.forward:forward", "use a TCP service of a peer at an address here"),
    "send": ("cli.send", "send a message or a request to an application of a peer"),
    "backup": ("cli.backup:backup", "write a folder, keys and all, to one file"),
    "restore": ("cli.backup:restore", "make a folder of what backup has written"),
    "doctor": ("cli.doctor", "check a folder, and say what is wrong or will be soon"),
    "demo": ("cli.demo", "run a whole network on this machine and watch it"),
    "simulate": ("cli.simulate", "simulate networks of real nodes, with whatever may go wrong"),
    "bench": ("cli.bench.command", "measure it against what you would use instead"),
}

_NO_COMMAND = re.compile(r"No such command '(.+)'")
_DID_YOU_MEAN = re.compile(r"\. \(?Did you mean (.+?)\?\)?$")  # click's own
_INTERRUPTED = 130  # 128 + SIGINT, as shells report it


class _Root(LazyGroup):
    """All verbs, and the exit code of each."""

    verbs: ClassVar[Mapping[str, tuple[str, str]]] = VERBS

    def main(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        **extra: Any,
    ) -> NoReturn:
        """Run a command line and exit; whatever goes wrong ends as a sentence and an exit code."""
        arguments = sys.argv[1:] if args is None else list(args)
        extra["standalone_mode"] = False
        try:
            code = super().main(arguments, prog_name or "p2pnoise", **extra)
        except click.Abort:  # Ctrl-C, which needs no words
            sys.exit(_INTERRUPTED)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            sys.exit(error.exit_code)
        except Exception as error:  # noqa: BLE001 - the last place where an error can become a sentence
            _exit(error, as_json="--json" in arguments)
        sys.exit(code if isinstance(code, int) else 0)


def _version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's signature
    if value:
        from p2pnoise import __version__

        click.echo(f"p2pnoise {__version__}")
        ctx.exit()


@click.command(
    "p2pnoise",
    cls=_Root,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
    epilog="Exit codes: 0 ok, 1 input or output, 2 usage, 3 malformed, 4 bad signature, 5 not trusted, 6 time, "
    "7 revoked, 8 conflict, 9 keys and card do not belong together.",
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="print the version")
def root() -> None:
    """A private peer-to-peer network: keys, cards, and nodes that trust them.

    \b
    Example:
      p2pnoise issuer new ops --network example-net
      p2pnoise id new
      p2pnoise card request --name db-03 --network example-net -o db-03.request
      p2pnoise card issue db-03.request -o db-03.card
      p2pnoise card install db-03.card --issuer ops=issuer1...
    """


def main() -> None:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):  # a terminal that cannot show a character gets its escape
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    root.main()


def _exit(error: Exception, *, as_json: bool) -> NoReturn:
    if os.environ.get("P2PNOISE_DEBUG") == "1":
        traceback.print_exception(error)
    from . import output

    fault = _fault(error)
    try:
        output.fail(fault, as_json=as_json)
    except OSError:  # stdout is what failed: a person may still hear of it
        output.fail(fault, as_json=False)
    sys.exit(fault.code)


def _fault(error: Exception) -> "Fault":
    from cards import CardError

    from .output import Fault, os_fault

    if isinstance(error, Fault):
        return error
    if isinstance(error, click.ClickException):
        return _usage_fault(error)
    if isinstance(error, CardError):
        return Fault(str(error), error.finding.hint, code=error.finding.exit, findings=(error.finding,))
    if isinstance(error, OSError):
        return os_fault(error, error.filename or "standard input or output")
    return Fault(
        f"unexpected: {type(error).__name__}: {error}",
        "run it again with P2PNOISE_DEBUG=1 and report what it prints, with the output of p2pnoise --version",
    )


def _usage_fault(error: click.ClickException) -> "Fault":
    from .output import USAGE, Fault

    context: click.Context | None = getattr(error, "ctx", None)
    where = context.command_path if context else "p2pnoise"
    sentence = " ".join(error.format_message().split()).rstrip(".")
    meant = ""
    if near := _DID_YOU_MEAN.search(sentence):
        sentence, meant = sentence[: near.start()], near[1]
    if context and isinstance(context.command, click.Group) and (found := _NO_COMMAND.search(sentence)) and not meant:
        names = difflib.get_close_matches(found[1], context.command.list_commands(context), 1)
        meant = f"{where} {names[0]}" if names else ""
    fix = f"did you mean {meant}?" if meant else f"{where} --help"
    return Fault(sentence[:1].lower() + sentence[1:], fix, code=USAGE)
