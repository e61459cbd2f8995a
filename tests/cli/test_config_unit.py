"""`p2pnoise config unit`: a systemd unit that systemd reads without a complaint, whatever the folder is called."""

import shutil
import subprocess

import pytest

from tests.patience import PATIENCE


def lines_of(place, *args):
    return place.ok("config", "unit", *args).stdout.splitlines()


def value(lines, key):
    (found,) = [line.partition("=")[2] for line in lines if line.startswith(f"{key}=")]
    return found


def test_it_names_the_folder_the_user_and_what_the_node_does_with_signals(place):
    lines = lines_of(place, "--user", "p2p")
    assert value(lines, "User") == "p2p"
    assert value(lines, "ReadWritePaths") == str(place.node)
    assert value(lines, "ExecStart").endswith(f"run --home {place.node}")
    assert value(lines, "ExecStart").startswith("/")
    assert (value(lines, "Type"), value(lines, "KillSignal")) == ("notify", "SIGTERM")
    assert (value(lines, "TimeoutStopSec"), value(lines, "AmbientCapabilities")) == ("15", "")


def test_a_relative_folder_becomes_an_absolute_one(place, monkeypatch):
    monkeypatch.chdir(place.path)
    assert value(lines_of(place, "--home", "node"), "ReadWritePaths") == str(place.node)


def test_the_configuration_is_heeded(place):
    place.node.mkdir()
    (place.node / "node.toml").write_text(
        'listen = ["0.0.0.0:443"]\nstop_timeout = "1m"\n[enrol]\nlisten = "0.0.0.0:7061"\nissuer_home = "/srv/issuer"'
    )
    lines = lines_of(place)
    assert value(lines, "TimeoutStopSec") == "65"
    assert value(lines, "AmbientCapabilities") == "CAP_NET_BIND_SERVICE"
    assert value(lines, "ReadWritePaths") == f"{place.node} /srv/issuer"


def test_a_broken_configuration_is_named(place):
    place.node.mkdir()
    (place.node / "node.toml").write_text("lissen = []")
    place.refuses("config", "unit", says="line 1, column 1", code=3)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here to ask")
@pytest.mark.parametrize("name", ["node", 'with "quotes" and \\ 100% $HOME; and # more'])
def test_systemd_reads_it_without_a_complaint(place, name):
    unit = place / "node.service"
    unit.write_text(place.ok("config", "unit", "--home", place / name, "--user", "root").stdout)
    done = subprocess.run(
        ["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, [line for line in done.stderr.splitlines() if str(unit) in line]) == (0, [])
