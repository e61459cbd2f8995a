"""`p2pnoise peers export`: the cards and address records of a node's table, in a file that another node can take."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO

import click

from p2pnoise.folder import writing
from p2pnoise.store.reading import envelopes

from . import files, options, peer_file, trust_state
from .bench.rounds import Progress, progress_bar
from .folders import NodeFolder
from .output import Fault, say
from .peer_file import Row

EVERY = 500  # rows from one look at the progress to the next


@click.command()
@click.option(
    "-o", "--output", default=files.STREAM, type=options.FILE, help="where to; - is standard output, the default"
)
@options.home
@options.force
@click.option("--json", "as_lines", is_flag=True, help="as lines of JSON")
def command(*, output: str, home: NodeFolder, force: bool, as_lines: bool) -> None:
    """Write the cards and addresses that a node knows to a file.

    They are written as they were signed, this node's own among them, whether the node runs or not, and nothing else:
    whoever takes them judges each for himself. Nobody can change them unnoticed, but the file says whom you know.

    \b
    Examples:
      p2pnoise peers export -o example-net.peers
      p2pnoise peers export --json | gzip > peers.json.gz
    """
    policy = home.read_policy()
    if policy is None:
        raise Fault(f"no policy in {home.path}", "p2pnoise card install FILE, or name the folder with --home")
    if output == files.STREAM and not as_lines and sys.stdout.isatty():
        raise Fault("these bytes are nothing for a terminal", "name a file with -o, or take --json")
    now, target = options.now(), _stdout() if output == files.STREAM else writing.replacing(Path(output), force=force)
    with (
        trust_state.store_faults(),
        target as stream,
        envelopes(home.database) as (total, found),
        progress_bar("writing", as_json=False) as progress,
    ):
        rows = watched((Row(*one) for one in found), total, progress)
        count = peer_file.write(stream, rows, network=policy.network, made=now, as_lines=as_lines)
    say(f"{count} cards of {policy.network} written" + ("" if output == files.STREAM else f" to {output}"))


def _stdout() -> AbstractContextManager[BinaryIO]:
    return nullcontext(sys.stdout.buffer)


def watched(rows: Iterable[Row], total: int, progress: Progress) -> Iterator[Row]:
    """Those that fit into a peer file, which all do that a node wrote; and a look at the progress now and then."""
    for number, row in enumerate(rows):
        if number % EVERY == 0:
            progress(number / total)
        if peer_file.fits(row):
            yield row
