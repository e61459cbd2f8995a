"""`p2pnoise send`: messages and requests of a command to an application of a peer, over the daemon that runs."""

import json
import subprocess
import sys
from base64 import b64encode

import pytest

from tests.cli.daemons import Daemons
from tests.cli.processes import COMMAND
from tests.patience import PATIENCE

APPLICATION = """
import sys, trio
from p2pnoise import RequestRefused, StreamCode, answering, open_folder, receiving

async def note(message):
    with open("notes", "ab") as file:
        file.write(message.data)

async def add(request):
    try:
        return b"%d" % sum(map(int, request.data.split()))
    except ValueError:
        raise RequestRefused(StreamCode.FAILED) from None

async def late(request):
    await trio.sleep_forever()

async def large(request):
    return bytes(1024 * 1024 + 1)

async def main():
    handlers = {
        "note/1": receiving(note), "small/1": receiving(note, max_message=10),
        "add/1": answering(add), "late/1": answering(late), "late/2": receiving(late), "large/1": answering(large),
    }
    async with open_folder(".", listen=["127.0.0.1:0"], handlers=handlers) as node:
        print(f"{node.node_id}@{node.addresses[0]}", flush=True)
        await trio.to_thread.run_sync(sys.stdin.read)

trio.run(main)
"""


@pytest.fixture(scope="module")
def daemons(tmp_path_factory):
    """Ada's daemon, and bob's application, which she knows."""
    with Daemons(tmp_path_factory.mktemp("daemons")) as daemons:
        bob = daemons.member("bob")
        daemons.member("ada")
        with subprocess.Popen(
            [sys.executable, "-c", APPLICATION], cwd=bob, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as application:
            ada = daemons.run("ada", "--bootstrap", application.stdout.readline().strip())
            ada.wait("peer-verified", name="bob")
            yield daemons
            application.stdin.close()
            application.wait(PATIENCE)


@pytest.fixture
def send(daemons):
    """Run `p2pnoise send` at ada's."""

    def send(*arguments, data=b""):
        return subprocess.run(
            [*COMMAND, "send", *arguments, "--home", daemons.path / "ada"],
            input=data,
            capture_output=True,
            check=False,
            timeout=PATIENCE,
        )

    return send


def complaint(sent):
    assert sent.stdout == b""
    return sent.stderr.decode().splitlines()[0]


def test_a_message_is_taken_before_the_command_ends(daemons, send):
    sent = send("bob", "note/1", data=b"hello \x00\xff")
    assert (sent.returncode, sent.stdout) == (0, b"taken  8 bytes by bob\n")
    assert (daemons.path / "bob" / "notes").read_bytes() == b"hello \x00\xff"


def test_a_request_is_answered_byte_for_byte(send):
    sent = send("bob", "add/1", "--request", data=b"2 3")
    assert (sent.returncode, sent.stdout) == (0, b"5")


def test_a_file_is_sent(daemons, send):
    (daemons.path / "numbers").write_bytes(b"20 30")
    sent = send("bob", "add/1", daemons.path / "numbers", "--request", "--json")
    assert json.loads(sent.stdout) == {"ok": True, "answer": b64encode(b"50").decode()}


def test_a_protocol_that_nobody_serves_is_named(send):
    for more in ([], ["--request"]):
        sent = send("bob", "nope/1", *more)
        assert (sent.returncode, complaint(sent)) == (1, "bob did not take it: it serves no nope/1")


def test_an_application_may_refuse(send):
    assert (
        complaint(send("bob", "add/1", "--request", data=b"x")) == "bob did not take it: its application failed at it"
    )
    assert complaint(send("bob", "small/1", data=b"more than ten")) == "bob did not take it: it takes less for small/1"


def test_an_answer_that_is_too_long_is_refused(send):
    assert complaint(send("bob", "large/1", "--request")) == "an answer of more than 1048576 bytes to large/1"


def test_nobody_waits_longer_than_they_said(send):
    assert "no answer of" in complaint(send("bob", "late/1", "--request", "--timeout", "0.2"))
    late = "bob did not take the message within 0.2 s, as far as we know"
    assert complaint(send("bob", "late/2", "--timeout", "0.2", data=b"x")) == late


def test_nobody_of_that_name_is_told_with_whom_it_may_be(send):
    sent = send("bobb", "note/1")
    assert complaint(sent) == "no known peer is called 'bobb'"
    assert "did you mean bob?" in sent.stderr.decode()


def test_more_than_is_sent_at_once_is_refused(send):
    sent = send("bob", "note/1", data=bytes(1024 * 1024 + 1))
    assert "1048576" in complaint(sent)


@pytest.mark.parametrize("protocol", ["", "Note/1", "a b", "x" * 65, "\x1b[2J"])
def test_what_is_no_protocol_is_refused(place, protocol):
    place.refuses("send", "bob", protocol, "/dev/null", says="is no protocol", code=2)


@pytest.mark.usefixtures("installed")
def test_without_a_running_node_it_says_so(place):
    place.refuses("send", "bob", "note/1", "/dev/null", says="no node runs on", code=1)


def test_a_file_that_is_not_there_is_named(place):
    place.refuses("send", "bob", "note/1", place / "nope", says="nope", code=1)
