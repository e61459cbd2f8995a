"""Options that several verbs share, and the clock: here alone the command line asks what time it is."""

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from cards import CardError, IssuerId
from cards.fields import name as name_field

from . import passphrase
from .folders import IssuerFolder, NodeFolder

Command = TypeVar("Command", bound=Callable[..., Any])

DAY = 86400  # seconds
MAX_DAYS = 3653  # ten years, the longest validity of anything
_SIGNER = "cli.options.signer"  # where click keeps --signer for the command that runs
# Whether it can be read, reading says better.
FILE = click.Path(allow_dash=True, path_type=str, readable=False)
PATH = click.Path(path_type=Path, readable=False)


def duration(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    """A click callback: seconds from a text like 30d, 12h, 5m or 90s."""
    if value is None:
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,8})([smhd])", value)
    if found is None:
        raise click.BadParameter(f"{value!r} is no time like 30d, 12h, 5m or 90s")
    return int(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": DAY}[found[2]]


def now() -> int:
    """Seconds since 1970."""
    return int(time.time())


def _data_folder(name: str) -> Callable[[], Path]:
    def default() -> Path:
        from platformdirs import user_data_path  # noqa: PLC0415 - not for --help and not where a folder is named

        return user_data_path("p2pnoise") / name

    return default


def home(command: Command) -> Command:
    """`--home`: the node folder, handed on as `home`."""
    return click.option(
        "--home",
        envvar="P2PNOISE_HOME",
        type=PATH,
        default=_data_folder("node"),
        show_default="your data folder, p2pnoise/node",
        callback=lambda _ctx, _parameter, value: NodeFolder(value),
        help="folder of this node; also P2PNOISE_HOME",
    )(command)


def issuer_home(command: Command) -> Command:
    """`--issuer-home`, of an issuer that is there, whose key may be locked or elsewhere; handed on as `folder`."""
    signer = click.option(
        "--signer",
        envvar="P2PNOISE_SIGNER",
        type=PATH,
        is_eager=True,  # the folder is told of it
        expose_value=False,
        callback=lambda ctx, _parameter, value: ctx.meta.__setitem__(_SIGNER, value),
        help="socket of the signer that has the key, see p2pnoise signer; also P2PNOISE_SIGNER",
    )
    return signer(passphrase.option(new_issuer_home(command)))


def new_issuer_home(command: Command) -> Command:
    """`--issuer-home`: the issuer's folder, handed on as `folder`."""
    return click.option(
        "--issuer-home",
        "folder",
        envvar="P2PNOISE_ISSUER_HOME",
        type=PATH,
        default=_data_folder("issuer"),
        show_default="your data folder, p2pnoise/issuer",
        callback=lambda ctx, _parameter, value: IssuerFolder(value, ctx.meta.get(_SIGNER)),
        help="folder of the issuer; also P2PNOISE_ISSUER_HOME",
    )(command)


def as_json(command: Command) -> Command:
    """`--json`: one JSON object on stdout, handed on as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="one JSON object on stdout")(command)


def force(command: Command) -> Command:
    return click.option("--force", is_flag=True, help="replace files that exist")(command)


def network(command: Command) -> Command:
    return click.option(
        "--network", required=True, callback=checked_name(32), metavar="NET", help="name of the network"
    )(command)


def checked_name(limit: int) -> Callable[[click.Context, click.Parameter, str | None], str | None]:
    """A click callback: a name, or None, as cards and lists allow it. Raises `CardError` bad-name."""

    def check(_ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
        return None if value is None else str(name_field(limit)(value, parameter.human_readable_name.lower()))

    return check


def issuers(_ctx: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> Mapping[str, IssuerId]:
    """A click callback: issuers by our name for them, from `issuer1…` or `NAME=issuer1…`. Raises `CardError`."""
    found: dict[str, IssuerId] = {}
    for value in values:
        name, _, text = value.rpartition("=")
        key = IssuerId.parse(text)
        name = name_field(64)(name or str(key)[:14], "issuer name")
        if found.setdefault(name, key) != key:
            raise CardError("policy-invalid", f"two issuers are given the name {name}")
    return found
