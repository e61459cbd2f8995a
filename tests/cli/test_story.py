"""Stories told through real processes: what a person types, and what comes back."""

import os
import re
import signal
import subprocess
import sys

import pytest

from tests.patience import PATIENCE


def test_a_node_is_enrolled_verified_revoked_and_then_refused(place):
    made = place.shell("issuer", "new", "ops", "--network", "example-net")
    assert made.returncode == 0
    key = re.search(r"issuer1[a-z0-9]{58}", made.stdout)[0]

    assert place.shell("id", "new").stdout.startswith("identity  id1")
    assert place.shell("card", "request", "--name", "db-03", "--network", "example-net", "-o", "db.req").returncode == 0
    assert place.shell("card", "issue", "db.req", "--group", "agents", "-o", "db.card").returncode == 0
    installed = place.shell("card", "install", "db.card", "--issuer", f"ops={key}")
    assert (installed.returncode, installed.stdout.splitlines()[0]) == (0, "installed  db-03")

    good = place.shell("card", "verify", "db.card")
    assert good.returncode == 0
    assert good.stdout.splitlines()[0] == "OK  db-03  verified"
    assert re.search(r"app signatures  1 of 1 needed  ops  serial 1  groups agents  until \d{4}-\d\d-\d\d", good.stdout)

    assert place.shell("revoke", "add", "db-03", "--reason", "lost").returncode == 0
    assert place.shell("revoke", "publish", "--output", "node/revocations.pem").returncode == 0
    bad = place.shell("card", "verify", "db.card")
    assert bad.returncode == 7
    assert bad.stdout.splitlines()[0] == "NOT TRUSTED  db-03"
    assert re.search(r"revoked +by ops at .* UTC, reason lost, list 2\n +fix: ", bad.stdout)
    assert bad.stderr == ""


def test_a_card_travels_through_pipes_alone(place):
    key = place.make_issuer()
    place.ok("id", "new")
    request = place.shell("card", "request", "--network", "example-net", "-o", "-").stdout
    card = place.shell("card", "issue", "-", input=request).stdout
    assert place.shell("card", "install", "-", "--issuer", key, input=card).returncode == 0
    assert place.shell("card", "verify").returncode == 0


@pytest.mark.usefixtures("installed")
def test_a_line_from_chat_is_a_card_too(place):
    line = place.shell("card", "show", "--line").stdout
    assert place.shell("card", "verify", "-", input=line).returncode == 0


@pytest.mark.usefixtures("issuer")
def test_ctrl_c_exits_130_without_a_word(place):
    command = place.start("card", "verify", "-", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    # It waits for stdin once its imports are done; a second is ample on a slow machine.
    with pytest.raises(subprocess.TimeoutExpired):
        command.wait(1)
    command.send_signal(signal.SIGINT)
    out, err = command.communicate(timeout=PATIENCE)
    assert (command.returncode, out.strip(), err.strip()) == (130, b"", b"")


@pytest.mark.usefixtures("installed")
def test_a_reader_that_went_away_is_no_traceback(place):
    read, write = os.pipe()
    os.close(read)
    command = place.start("card", "show", "--line", stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert command.communicate(timeout=PATIENCE)[1] == b""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
@pytest.mark.usefixtures("installed")
def test_a_full_disk_behind_stdout_is_a_sentence(place):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        command = place.start("card", "show", "--line", stdout=full, stderr=subprocess.PIPE)
        assert command.communicate(timeout=PATIENCE)[1].startswith(b"no space left for ")
    assert command.returncode == 1


def test_a_terminal_without_unicode_gets_escapes(place, installed):
    place.env["PYTHONIOENCODING"] = "latin-1"
    shown = place.shell("card", "show", installed)
    assert shown.returncode == 0
    assert "\\u2026" in shown.stdout


@pytest.mark.parametrize(
    ("args", "never"),
    [
        (["--version"], {"cards", "cryptography", "rich", "trio", "sqlite3", "platformdirs"}),
        (["--help"], {"cards", "cryptography", "rich", "trio", "sqlite3", "platformdirs"}),
        (["card", "show"], {"rich", "trio", "sqlite_utils", "segno", "p2pnoise.node"}),
    ],
)
@pytest.mark.usefixtures("installed")
def test_a_verb_loads_only_what_it_uses(place, args, never):
    code = f"import sys; sys.argv[1:] = {args!r}\nfrom cli.main import main\ntry: main()\nfinally: print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **place.env}, capture_output=True, text=True, check=True
    )
    assert not never & set(done.stdout.splitlines()[-1].split())
