"""`p2pnoise signer`: an issuing host whose memory never had the issuer's secret."""

import base64
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from cards import IssuerKey
from cli.signer import MAX_REQUEST
from cli.signer_serve import MAX_CONNECTIONS
from tests.patience import PATIENCE

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets here")

# Runs a command line as `p2pnoise` does, says how it ended, and stays for as long as standard input is open.
STAYING = """
import sys
from cli.main import root
try:
    root.main(sys.argv[1:])
except SystemExit as ended:
    print("ended", ended.code, flush=True)
sys.stdin.read()
"""
HOLDING = """
import sys
from pathlib import Path
from cards import IssuerKey
key = IssuerKey.from_pem(Path(sys.argv[1]).read_bytes())
print("ended 0", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def vault(place, issuer):
    """A folder with the key and issuer.toml; what stays in the issuer's folder is all but the key."""
    (place / "vault").mkdir()
    (place.issuer / "issuer.key").rename(place / "vault" / "issuer.key")
    (place / "vault" / "issuer.toml").write_bytes((place.issuer / "issuer.toml").read_bytes())
    return place / "vault"


@contextmanager
def serving(place, folder, *options):
    """A signer process that listens."""
    path = place / "signer"
    process = place.start(
        "signer", "serve", "--issuer-home", folder, "--socket", path, *options, stdout=-1, stderr=-1, text=True
    )
    try:
        assert any(line.startswith("socket") for line in process.stderr), process.communicate()
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def signer(place, vault):
    with serving(place, vault) as process:
        yield process


@contextmanager
def connected(place):
    """A connection to the signer that has heard its key."""
    with closing(socket.socket(socket.AF_UNIX)) as connection:
        connection.settimeout(10)
        connection.connect(str(place / "signer"))
        assert len(connection.recv(32)) == 32
        yield connection


def _has_ended(connection):
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:  # what was sent and not read
        return True


def test_an_issuing_host_works_without_the_key(place, signer):
    card = place / "card"
    place.ok("card", "issue", place.make_request(), "--signer", place / "signer", "-o", card)
    place.ok("revoke", "add", "db-03", "--signer", place / "signer")
    place.ok("revoke", "publish", "--signer", place / "signer")
    signer.send_signal(signal.SIGTERM)
    out, _ = signer.communicate(timeout=PATIENCE)
    assert [line.split()[:2] for line in out.splitlines()] == [["signed", "grant"], ["signed", "list"]]
    assert "grant 1 to db-03, id1" in out
    assert signer.returncode == 0
    assert not (place / "signer").exists()


def test_the_socket_is_its_owners_alone(place, signer):
    assert stat.S_IMODE((place / "signer").stat().st_mode) == 0o600


def test_the_signer_says_as_json_what_it_signed(place, vault):
    with serving(place, vault, "--json") as process:
        place.ok("revoke", "publish", "--signer", place / "signer")
        line = json.loads(process.stdout.readline())
    assert line["ok"]
    assert line["signed"].startswith("list 2, due")


def test_a_kind_that_the_signer_does_not_sign_is_refused_with_its_reason(place, vault):
    with serving(place, vault, "--sign", "list"):
        request = place.make_request()
        place.refuses("card", "issue", request, "--signer", place / "signer", says="refused: a grant; this", code=5)


def test_where_nobody_listens_the_next_step_is_how_to_start_one(place, vault):
    place.refuses("revoke", "publish", "--signer", place / "none", says="none does not exist", code=1)
    with closing(socket.socket(socket.AF_UNIX)) as gone:
        gone.bind(str(place / "gone"))
    place.refuses("revoke", "publish", "--signer", place / "gone", says="no signer listens on", code=1)


@pytest.mark.usefixtures("signer")
def test_the_signer_of_another_issuer_is_refused_before_it_is_asked(place):
    place.ok("issuer", "new", "other", "--network", "example-net", "--issuer-home", place / "other")
    (place / "other" / "issuer.key").unlink()
    arguments = ("revoke", "publish", "--issuer-home", place / "other", "--signer", place / "signer")
    place.refuses(*arguments, says="is the signer of another issuer", code=9)


@pytest.mark.usefixtures("signer")
def test_what_is_too_long_or_cut_short_ends_that_connection_and_no_other(place):
    for sent in ((MAX_REQUEST + 1).to_bytes(4, "big"), b"\xff\xff\xff\xff" + bytes(100), bytes(4)):
        with connected(place) as connection:
            connection.sendall(sent)
            assert _has_ended(connection)
    with connected(place) as connection:
        connection.sendall(b"\x00\x00\x00\x10half")
    place.ok("revoke", "publish", "--signer", place / "signer")


@pytest.mark.usefixtures("signer")
def test_a_refused_message_is_answered_and_the_connection_goes_on(place):
    with connected(place) as connection:
        for _ in range(2):
            connection.sendall(b"\x00\x00\x00\x06SSHSIG")
            size = int.from_bytes(connection.recv(4), "big")
            assert connection.recv(size).startswith(b"\x01")


@pytest.mark.usefixtures("signer")
def test_more_connections_than_it_holds_are_hung_up(place):
    many = [socket.socket(socket.AF_UNIX) for _ in range(MAX_CONNECTIONS)]
    for one in many:
        one.connect(str(place / "signer"))
        assert len(one.recv(32)) == 32
    place.refuses("revoke", "publish", "--signer", place / "signer", says="the signer hung up", code=1)
    for one in many:
        one.close()


def test_a_second_signer_does_not_take_the_place_of_one_that_listens(place, vault, signer):
    command = ("signer", "serve", "--issuer-home", vault, "--socket", place / "signer")
    place.refuses(*command, says="signer exists already", code=1)


def test_a_socket_that_a_killed_signer_left_is_taken_over_and_a_file_is_not(place, vault):
    with serving(place, vault) as process:
        process.kill()
    assert (place / "signer").exists()
    with serving(place, vault):
        place.ok("revoke", "publish", "--signer", place / "signer")
    (place / "signer").unlink(missing_ok=True)
    (place / "signer").write_text("mine")
    command = ("signer", "serve", "--issuer-home", vault, "--socket", place / "signer")
    place.refuses(*command, says="signer exists already", code=1)
    assert (place / "signer").read_text() == "mine"


def _memory(process):
    """Everything that a process of ours can read of itself, piece by piece."""
    regions = Path(f"/proc/{process.pid}/maps").read_text().splitlines()
    with Path(f"/proc/{process.pid}/mem").open("rb", buffering=0) as memory:
        for region in regions:
            low, high, rights = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", region).groups()
            if rights[0] == "r" and not region.endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
                memory.seek(int(low, 16))
                yield memory.read(int(high, 16) - int(low, 16))


def _holds_secret(place, seed, script, *arguments):
    """Whether the secret is anywhere in the memory of a process that has come to the end of `script`, and waits."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        env={**os.environ, **place.env},
        stdin=-1,
        stdout=-1,
        stderr=-1,
        text=True,
    )
    try:
        assert "ended 0\n" in process.stdout
        # As bytes and as a key file has them, where one byte before the seed fixes how base64 cuts it.
        needles = (seed, base64.b64encode(b"\x20" + seed))
        return any(needle in piece for piece in _memory(process) for needle in needles)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="looks into /proc/PID/mem, which Linux has")
def test_an_issuing_host_never_has_the_secret_in_its_memory(place, vault, signer):
    seed = IssuerKey.from_pem((vault / "issuer.key").read_bytes())._seed
    request = place.make_request()
    issue = ("card", "issue", request, "--json", "--force", "-o", place / "card")
    assert not _holds_secret(place, seed, STAYING, *issue, "--signer", place / "signer")
    # A process that does hold the key shows that it would have been found.
    assert _holds_secret(place, seed, HOLDING, vault / "issuer.key")
