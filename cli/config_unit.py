"""`p2pnoise config unit`: the systemd unit that runs this node."""

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import options
from .folders import NodeFolder
from .output import answer_text, say

if TYPE_CHECKING:
    from .daemon.config import DaemonConfig

MARGIN = 5  # seconds after `stop_timeout` that the process itself may take to end; a guess

UNIT = """\
[Unit]
Description=p2pnoise node in {home}
Documentation=man:systemd.service(5)
Wants=network-online.target
After=network-online.target

[Service]
# Ready once it listens, alive as long as it says so, and told to read its files again by systemctl reload.
Type=notify
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
User={user}
KillSignal=SIGTERM
TimeoutStopSec={stop}
WatchdogSec=60
Restart=on-failure
RestartSec=2

# It writes to its own folder{beside} and nowhere else.
ProtectSystem=strict
ReadWritePaths={writes}
UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet={capabilities}
AmbientCapabilities={capabilities}
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
LockPersonality=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""


@click.command()
@click.option("--user", metavar="NAME", help="who it is to run as; who you are, where none is given")
@options.home
@options.as_json
def unit(*, user: str | None, home: NodeFolder, as_json: bool) -> None:
    """Print a systemd unit for this node.

    It names this executable, the node's folder and, where it lies beside it, the folder of its issuer; nothing else can
    be written to. Its ports, the time that it may take to stop and its issuer come from node.toml: print it again when
    those have changed.

    \b
    Example:
      p2pnoise config unit --user p2pnoise | sudo tee /etc/systemd/system/p2pnoise.service
      sudo systemctl daemon-reload && sudo systemctl enable --now p2pnoise
    """
    from .daemon.config import DaemonConfig  # noqa: PLC0415 - not for the other verbs

    config = DaemonConfig.read(home.config) if home.config.exists() else DaemonConfig()
    answer_text(_unit(home.path.absolute(), config, user or getpass.getuser()), as_json=as_json)
    say("systemd keeps its log: journalctl -u p2pnoise")


def _unit(home: Path, config: "DaemonConfig", user: str) -> str:
    issuer = [config.enrol.issuer_home.absolute()] if config.enrol is not None else []
    return UNIT.format(
        home=_escaped(str(home)),
        command=" ".join(_word(part).replace("$", "$$") for part in (*_executable(), "run", "--home", str(home))),
        user=_escaped(user),
        stop=config.stop_timeout + MARGIN,
        beside=" and its issuer's" if issuer else "",
        writes=" ".join(_word(str(path)) for path in (home, *issuer)),
        capabilities="CAP_NET_BIND_SERVICE" if any(port < 1024 for port in _ports(config)) else "",
    )


def _executable() -> tuple[str, ...]:
    """This command, by a name that means the same everywhere."""
    script = Path(sys.executable).parent / "p2pnoise"
    return (str(script),) if script.exists() else (sys.executable, "-m", "cli")


def _ports(config: "DaemonConfig") -> list[int]:
    listens = [*config.listen, *(one.listen for one in config.forward)]
    listens += [section.listen for section in (config.metrics, config.enrol) if section is not None]
    return [address.port for address in listens if address.port]


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _word(text: str) -> str:
    """One word of a command line or of a list, as systemd.syntax(7) reads it."""
    escaped = _escaped(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"' if set(text) & set("\\\"' \t;") else escaped
