"""Configuration of a running node: node.toml in its folder, or the file of `run --config`, as frozen values.

`DaemonConfig.read` has a fault for everything that is wrong, with line and column; `p2pnoise config example` has a
comment for every key. What a command line says goes before the file.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, TypeVar

from cards import Address, CardError
from cards.findings import MALFORMED
from cards.toml_file import (
    DAY,
    Check,
    Wrong,
    as_table,
    as_text,
    check_known,
    dotted,
    one_of,
    seconds,
    several,
)
from cards.toml_file import Path as Keys
from cards.toml_file import read as read_toml
from cli.output import Fault
from p2pnoise.config import Bootstrap, NodeConfig, listen_address
from p2pnoise.folder import reading

from .service import Exposed, Forwarded

__all__ = ["DaemonConfig", "Enrol", "Log", "Metrics", "diff", "values"]

MAX_FILE = 64 * 1024  # bytes; a thousand peers by their Node IDs fit
_MAX_ADDRESSES = 8  # as many as an address record holds
_MAX_PEERS = 1_000
_MAX_SERVICES = 100
_MEBI = 1024 * 1024
_S = TypeVar("_S", Exposed, Forwarded)

RESTART = ("listen", "metrics", "enrol")
"""Keys and tables that hold sockets or keys, and stay as they were when the node started; all else is in force at
once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """How events are told on stdout."""

    format: Literal["text", "json"] = "text"
    level: Literal["info", "warning"] = "info"
    """Everything, or what an operator should look at."""
    repeat: int = 60
    """Seconds within which the same again is counted, and told as one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Where Prometheus may fetch metrics."""

    listen: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrol:
    """An issuer whose joiners this node lets in, and whose grants it renews."""

    listen: Address
    issuer_home: Path
    advertise: tuple[Address, ...] = ()
    """Where joiners are told to connect, if that is not where it listens."""
    signer: Path | None = None
    """The socket of whoever has the issuer's key, where it is not in its folder."""
    lifetime: int = 30 * DAY
    """Seconds that a grant lasts which is given here, where its token does not say, and at most one that is renewed."""
    renew: bool = True
    """Whether grants of the issuer are renewed for whoever asks in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonConfig:
    """All that an operator can say of how a node runs."""

    listen: tuple[Address, ...] = (Address("127.0.0.1", 7060),)
    advertise: tuple[Address, ...] = ()
    stop_timeout: int = 10
    """Seconds from the word to stop until the node has stopped, whatever is still open."""
    node: NodeConfig = field(default_factory=NodeConfig)
    """`peers`, `accept` and what `[limits]` says."""
    log: Log = field(default_factory=Log)
    metrics: Metrics | None = None
    enrol: Enrol | None = None
    expose: tuple[Exposed, ...] = ()
    forward: tuple[Forwarded, ...] = ()

    @classmethod
    def read(cls, path: Path) -> "DaemonConfig":
        """What a file says. Raises `Fault` that names it, with line and column of what is wrong."""
        # A file may be empty, which `reading.read` takes for one that was cut.
        empty = path.is_file() and path.stat().st_size == 0
        data = b"" if empty else reading.read(path, limit=MAX_FILE, what="configuration")
        return cls.parse(reading.utf8(data, path), path)

    @classmethod
    def parse(cls, text: str, path: Path) -> "DaemonConfig":
        """The same of a text; paths in it begin at the folder of `path`."""
        try:
            return read_toml(text, "configuration", MAX_FILE, lambda table: _read(table, path.parent))
        except Wrong as wrong:
            fix = "mend that line; p2pnoise config example has a comment for every key"
            raise Fault(f"{path}: {wrong}", fix, code=MALFORMED) from None

    def with_options(
        self,
        *,
        listen: tuple[Address, ...] = (),
        advertise: tuple[Address, ...] = (),
        peers: tuple[Bootstrap, ...] = (),
        as_json: bool = False,
    ) -> "DaemonConfig":
        """With what a command line says in place of what the file does."""
        return replace(
            self,
            listen=listen or self.listen,
            advertise=advertise or self.advertise,
            node=replace(self.node, bootstrap=peers or self.node.bootstrap),
            log=replace(self.log, format="json") if as_json else self.log,
        )


def values(config: DaemonConfig) -> dict[str, Any]:
    """Every value in force by the name of its key, as JSON has it. What stands in tables is named with them."""
    node = config.node
    return {
        "listen": _texts(config.listen),
        "advertise": _texts(config.advertise),
        "peers": _texts(node.bootstrap),
        "accept": list(node.accept),
        "stop_timeout": config.stop_timeout,
        **{f"limits.{key}": getattr(node, key) for key in LIMITS},
        **{f"log.{one.name}": getattr(config.log, one.name) for one in fields(Log)},
        **({"metrics.listen": str(config.metrics.listen)} if config.metrics is not None else {}),
        **(_enrol_values(config.enrol) if config.enrol is not None else {}),
        "expose": [{"service": one.service, "to": str(one.to), "groups": list(one.groups)} for one in config.expose],
        "forward": [{"listen": str(one.listen), "to": one.target} for one in config.forward],
    }


def diff(old: DaemonConfig, new: DaemonConfig) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of what differs: what can be in force at once, and what needs a restart."""
    before, after = values(old), values(new)
    # In the order of the file, and by what is gone last.
    changed = [key for key in {**after, **before} if before.get(key) != after.get(key)]
    restart = tuple(key for key in changed if key.partition(".")[0] in RESTART)
    return tuple(key for key in changed if key not in restart), restart


def _texts(some: tuple[Any, ...]) -> list[str]:
    return [str(one) for one in some]


def _enrol_values(enrol: Enrol) -> dict[str, Any]:
    return {
        "enrol.listen": str(enrol.listen),
        "enrol.advertise": _texts(enrol.advertise),
        "enrol.issuer_home": str(enrol.issuer_home),
        "enrol.signer": str(enrol.signer) if enrol.signer is not None else None,
        "enrol.lifetime": enrol.lifetime,
        "enrol.renew": enrol.renew,
    }


# Reading


def _parsed(parse: Callable[[str], Any]) -> Check:
    """A text that `parse` makes something of."""

    def check(value: Any, path: Keys) -> Any:
        try:
            return parse(as_text(value, path))
        except CardError as error:
            raise Wrong(f"{dotted(path)}: {error}", *path) from None

    return check


def _whole(least: int, most: int) -> Check:
    def check(value: Any, path: Keys) -> int:
        if type(value) is not int or not least <= value <= most:
            raise Wrong(f"{dotted(path)} is {value!r:.80}, a number from {least} to {most} expected", *path)
        return value

    return check


def _truth(value: Any, path: Keys) -> bool:
    if type(value) is not bool:
        raise Wrong(f"{dotted(path)} is {value!r:.80}, true or false expected", *path)
    return value


def _patterns(value: Any, path: Keys) -> tuple[Any, ...]:
    patterns: tuple[Any, ...] = tuple(dict.fromkeys(several(one_of("XX", "IK"), 2)(value, path)))
    if not patterns:
        raise Wrong(f"{dotted(path)} is empty: nobody could connect to this node", *path)
    return patterns


def _listens(value: Any, path: Keys) -> tuple[Address, ...]:
    addresses: tuple[Address, ...] = several(_parsed(listen_address), _MAX_ADDRESSES)(value, path)
    for number, address in enumerate(addresses):
        if address.port and address in addresses[:number]:
            raise Wrong(f"{dotted(path)} names {address} twice", *path, number)
    return addresses


_addresses = several(_parsed(Address.parse), _MAX_ADDRESSES)

TOP: Mapping[str, Check] = {
    "listen": _listens,
    "advertise": _addresses,
    "peers": several(_parsed(Bootstrap.parse), _MAX_PEERS),
    "accept": _patterns,
    "stop_timeout": seconds(600, least=1),
}

LIMITS: Mapping[str, Check] = {
    "target_links": _whole(0, 1_000),
    "max_links": _whole(1, 10_000),
    "max_handshakes": _whole(1, 10_000),
    "max_handshakes_per_host": _whole(1, 10_000),
    "handshake_timeout": seconds(300, least=1),
    "ping_interval": seconds(3600, least=1),
    "ping_timeout": seconds(300, least=1),
    "close_timeout": seconds(60, least=1),
    "backoff_limit": seconds(DAY, least=1),
    "max_streams": _whole(1, 10_000),
    "stream_window": _whole(NodeConfig().stream_window, 64 * _MEBI),
    "idle_timeout": seconds(DAY, least=1),
    "rekey_interval": seconds(DAY, least=10),
    "rekey_bytes": _whole(_MEBI, 1024**4),
    "record_refresh": seconds(3 * DAY, least=60),
    "list_warning": seconds(400 * DAY),
}
"""The limits of `NodeConfig` that an operator may set."""

LOG: Mapping[str, Check] = {
    "format": one_of("text", "json"),
    "level": one_of("info", "warning"),
    "repeat": seconds(DAY, least=1),
}

METRICS: Mapping[str, Check] = {"listen": _parsed(listen_address)}


def _enrol_checks(folder: Path) -> Mapping[str, Check]:
    def path(value: Any, keys: Keys) -> Path:
        text = as_text(value, keys)
        wrong = Wrong(f"{dotted(keys)} is {text!r:.80}, which is no path here", *keys)
        if not text or "\0" in text:
            raise wrong
        try:
            return folder / Path(text).expanduser()
        except RuntimeError:  # ~ of somebody who is not there
            raise wrong from None

    return {
        "listen": _parsed(listen_address),
        "advertise": _addresses,
        "issuer_home": path,
        "signer": path,
        "lifetime": seconds(3653 * DAY, least=60),
        "renew": _truth,
    }


ENROL = tuple(_enrol_checks(Path()))
EXPOSE = ("service", "to", "groups")
FORWARD = ("listen", "to")
TABLES = ("limits", "log", "metrics", "enrol", "expose", "forward")


def _read(table: Mapping[str, Any], folder: Path) -> DaemonConfig:
    check_known(table, (*TOP, *TABLES), (), "the configuration")
    top = _checked(table, TOP, ())
    limits = _section(table, "limits", LIMITS)
    node = NodeConfig(bootstrap=top.pop("peers", ()), accept=top.pop("accept", NodeConfig().accept), **limits)
    if node.target_links > node.max_links:
        text = f"limits.target_links is {node.target_links}, more than limits.max_links, which is {node.max_links}"
        raise Wrong(text, "limits", "target_links" if "target_links" in limits else "max_links")
    more: dict[str, Any] = {"log": Log(**_section(table, "log", LOG))}
    if "metrics" in table:
        if find_spec("prometheus_client") is None:
            raise Wrong('metrics needs what is not installed: pip install "p2pnoise[metrics]"', "metrics")
        more["metrics"] = Metrics(**_section(table, "metrics", METRICS, needed=("listen",)))
    if "enrol" in table:
        needed = ("listen", "issuer_home")
        more["enrol"] = Enrol(**_section(table, "enrol", _enrol_checks(folder), needed=needed))
    more["expose"] = _services(table, "expose", _exposed, lambda one: one.service)
    more["forward"] = _services(table, "forward", _forwarded, lambda one: one.listen if one.listen.port else None)
    return DaemonConfig(node=node, **top, **more)


def _checked(table: Mapping[str, Any], checks: Mapping[str, Check], path: Keys) -> dict[str, Any]:
    return {key: check(table[key], (*path, key)) for key, check in checks.items() if key in table}


def _section(
    table: Mapping[str, Any], name: str, checks: Mapping[str, Check], needed: tuple[str, ...] = ()
) -> dict[str, Any]:
    section = as_table(table.get(name, {}), (name,), 1_000)
    check_known(section, tuple(checks), (name,))
    for key in needed:
        if key not in section:
            raise Wrong(f"{name} needs {key}", name)
    return _checked(section, checks, (name,))


def _services(
    table: Mapping[str, Any], name: str, read: Callable[[Any, Keys], Any], unlike: Callable[[Any], object]
) -> tuple[Any, ...]:
    """The tables of an array, no two of which may be alike in what `unlike` gives, where it gives anything."""
    found: tuple[Any, ...] = several(read, _MAX_SERVICES)(table.get(name, []), (name,))
    seen: set[object] = set()
    for number, one in enumerate(found):
        if unlike(one) in seen:
            raise Wrong(f"{name} has {unlike(one)} twice", name, number)
        seen.add(unlike(one) or number)
    return found


def _exposed(value: Any, path: Keys) -> Exposed:
    entry = _entry(value, path, EXPOSE)
    groups = several(as_text, 100)(entry["groups"], (*path, "groups"))
    texts = {key: as_text(entry[key], (*path, key)) for key in ("service", "to")}
    return _service(lambda: Exposed.parse(texts["service"], texts["to"], groups), path)


def _forwarded(value: Any, path: Keys) -> Forwarded:
    entry = _entry(value, path, FORWARD)
    texts = {key: as_text(entry[key], (*path, key)) for key in FORWARD}
    return _service(lambda: Forwarded.parse(texts["listen"], texts["to"]), path)


def _entry(value: Any, path: Keys, keys: tuple[str, ...]) -> dict[str, Any]:
    entry = as_table(value, path, 100)
    check_known(entry, keys, path)
    for key in keys:
        if key not in entry:
            raise Wrong(f"{dotted(path)} needs {key}", *path)
    return entry


def _service(make: Callable[[], _S], path: Keys) -> _S:
    try:
        return make()
    except (CardError, Fault) as error:
        raise Wrong(f"{dotted(path)}: {error}", *path) from None
