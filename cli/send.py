"""`p2pnoise send`: one message or request to an application of a peer, through the running node."""

import sys
from base64 import b64decode, b64encode
from contextlib import nullcontext
from pathlib import Path

import click

from cards.findings import MALFORMED, USAGE
from p2pnoise.node.streams import is_protocol

from . import control, files, options
from .folders import NodeFolder
from .output import Fault, answer, answer_json, os_fault


@click.command()
@click.argument("peer")
@click.argument("protocol")
@click.argument("message", metavar="[FILE]", type=options.FILE, default=files.STREAM)
@click.option("--request", is_flag=True, help="wait for an answer, and print it")
@click.option("--timeout", type=click.FloatRange(0.1, 3600), default=30.0, show_default=True, metavar="SECONDS")
@options.home
@options.as_json
def command(
    *, peer: str, protocol: str, message: str, request: bool, timeout: float, home: NodeFolder, as_json: bool
) -> None:
    """Send what a FILE or standard input holds to the application of a peer that serves PROTOCOL.

    Its handler is of `receiving`, or with --request of `answering`, see APPLICATIONS.md. Without --request the exit
    code 0 says that the application has taken the message. At most 1 MiB either way; most applications take 64 KiB.

    \b
    Examples:
      echo hello | p2pnoise send db-03 note/1
      p2pnoise send node1... add/1 numbers.txt --request
      p2pnoise send db-03 status/1 /dev/null --request --timeout 5 --json
    """
    if not is_protocol(protocol):
        text = f"{protocol[:80]!r} is no protocol: 1 to 64 characters of a-z 0-9 . _ / - expected"
        raise Fault(text, "it is the name that the application of the peer serves, for example note/1", code=USAGE)
    data = _read(message)
    text = b64encode(data).decode()
    said = control.ask(home, "send", peer=peer, protocol=protocol, data=text, request=request, timeout=timeout)
    if as_json:
        answer_json({"ok": True, **said})
    elif request:
        sys.stdout.buffer.write(b64decode(said["answer"]))
    else:
        answer(f"taken  {len(data)} bytes by {peer}")


def _read(source: str) -> bytes:
    """All of it, which may be nothing. Raises `Fault`."""
    try:
        with nullcontext(files.stdin("message")) if source == files.STREAM else Path(source).open("rb") as file:
            data = file.read(control.MAX_DATA + 1)
    except OSError as error:
        raise os_fault(error, source) from None
    if len(data) > control.MAX_DATA:
        raise Fault(f"more than {control.MAX_DATA} bytes to send", "send less at once", code=MALFORMED)
    return data
