"""`p2pnoise config`: the configuration of a running node, and the systemd unit that runs it."""

import json
from pathlib import Path
from typing import Any

import click

from . import options
from .config_example import example
from .config_unit import unit
from .folders import NodeFolder
from .output import answer, answer_json, rows, say


@click.group()
def command() -> None:
    """Write, check and use the configuration of a node.

    \b
    Example:
      p2pnoise config example > node.toml
      p2pnoise config check node.toml
      p2pnoise config unit > p2pnoise.service
    """


command.add_command(example)
command.add_command(unit)


@command.command()
@click.argument("file", required=False, type=options.PATH)
@options.home
@options.as_json
def check(*, file: Path | None, home: NodeFolder, as_json: bool) -> None:
    """Say what would be in force by a configuration.

    FILE is node.toml of the node's folder where none is given; without one there every key has its default.

    \b
    Examples:
      p2pnoise config check
      p2pnoise config check node.toml --json
    """
    from .daemon import config  # noqa: PLC0415 - not for the other verbs

    path = file or home.config
    given = file is not None or path.exists()
    read = config.DaemonConfig.read(path) if given else config.DaemonConfig()
    values, default = config.values(read), config.values(config.DaemonConfig())
    if as_json:
        answer_json({"ok": True, "file": str(path) if given else None, "values": values})
        return
    answer(*rows(*((key, _text(value, is_default=value == default.get(key))) for key, value in values.items())))
    say(f"{path} can be used" if given else f"there is no {path}: every key has its default")


def _text(value: Any, *, is_default: bool) -> str:
    match value:
        case []:
            text = "none"
        case list():
            text = ", ".join(one if isinstance(one, str) else json.dumps(one) for one in value)
        case None:
            text = "none"
        case bool():
            text = str(value).lower()
        case _:
            text = str(value)
    return f"{text}  (default)" if is_default else text
