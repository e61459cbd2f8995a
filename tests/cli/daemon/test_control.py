"""The control socket: one call a connection, whatever whoever opens it may say; and nobody but the owner."""

import json
import os
import socket
import stat
from functools import partial

import pytest
import trio

from cards import CardError
from cli import control as words
from cli import unix_socket
from cli.daemon import control
from cli.folders import NodeFolder
from cli.output import Fault

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets here")


async def echo(call):
    return {"said": call.text("text")}


async def count(call):
    for number in range(int(call.number("to", most=9))):
        await call.send({"number": number})
    return {}


async def refuse(_call):
    raise Fault("no", "ask for less", code=5)


async def mistype(_call):
    raise CardError("bad-name", "a name of 99 characters")


async def break_down(_call):
    raise ZeroDivisionError("division by zero")


VERBS = {"echo": echo, "count": count, "refuse": refuse, "mistype": mistype, "break": break_down}


@pytest.fixture
def home(tmp_path):
    return NodeFolder(tmp_path)


@pytest.fixture
async def served(home, nursery):
    await nursery.start(control.serve, words.path_of(home), VERBS)
    return home


async def ask(home, verb, **arguments):
    return await trio.to_thread.run_sync(partial(words.ask, home, verb, **arguments))


async def say(home, data):
    """What is answered to these bytes, as one who speaks no language of ours."""
    async with await trio.open_unix_socket(str(words.path_of(home))) as stream:
        await stream.send_all(data)
        await stream.send_eof()
        return b"".join([chunk async for chunk in stream])


async def test_a_call_is_answered(served):
    assert await ask(served, "echo", text="hello") == {"said": "hello"}


async def test_items_come_one_by_one_before_the_answer(served):
    def listen():
        with words.call(served, "count", to=3) as items:
            return [item["number"] for item in items]

    assert await trio.to_thread.run_sync(listen) == [0, 1, 2]


async def test_the_socket_is_its_owners_alone_and_goes_with_the_node(home, nursery):
    await nursery.start(control.serve, words.path_of(home), VERBS)
    assert stat.S_IMODE(words.path_of(home).lstat().st_mode) == 0o600
    nursery.cancel_scope.cancel()
    with trio.CancelScope(shield=True):
        await trio.testing.wait_all_tasks_blocked()
    assert not words.path_of(home).exists()


async def test_another_user_is_hung_up_on(served, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    credentials = (1).to_bytes(4, "little") + (17).to_bytes(4, "little") + bytes(4)
    monkeypatch.setattr(trio.SocketStream, "getsockopt", lambda *_: credentials)
    if os.uname().sysname != "Linux":
        pytest.skip("only Linux tells who connects")
    with pytest.raises(Fault, match="went away"):
        await ask(served, "echo", text="hello")


@pytest.mark.parametrize(
    ("verb", "arguments", "says", "code"),
    [
        ("refuse", {}, "no", 5),
        ("mistype", {}, "a name of 99 characters", 3),
        ("echo", {}, "text is missing", 2),
        ("echo", {"text": 7}, "text is missing, or no text", 2),
        ("count", {"to": 10}, "no number from 0 to 9", 2),
        ("count", {"to": True}, "no number from 0 to 9", 2),
        ("fly", {}, "this node knows no 'fly'", 2),
        ("x" * 1000, {}, "this node knows no 'xxx", 2),
    ],
)
async def test_what_is_wrong_comes_back_as_a_fault_with_its_next_step(served, verb, arguments, says, code):
    with pytest.raises(Fault, match=says) as caught:
        await ask(served, verb, **arguments)
    assert caught.value.code == code
    assert caught.value.hint


async def test_a_verb_that_breaks_down_takes_nobody_with_it(served):
    with pytest.raises(Fault, match="unexpected: ZeroDivisionError"):
        await ask(served, "break")
    assert await ask(served, "echo", text="still here") == {"said": "still here"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"[]\n",
        b'{"verb": 1, "arguments": {}}\n',
        b'{"verb": "echo"}\n',
        b'{"verb": "echo", "arguments": []}\n',
        b"\xff\xfe\n",
        b"[" * 100_000 + b"\n",
        b'{"verb": "echo", "arguments": {"text": "no end"}}',
    ],
)
async def test_what_is_no_question_is_answered_with_a_fault_and_harms_nobody(served, data):
    said = json.loads(await say(served, data))
    assert said["fault"]["fix"]
    assert await ask(served, "echo", text="still here") == {"said": "still here"}


async def test_a_line_without_end_is_read_up_to_the_limit_alone(served, monkeypatch):
    monkeypatch.setattr(control, "MAX_LINE", 1000)
    async with await trio.open_unix_socket(str(words.path_of(served))) as stream:
        await stream.send_all(b"x" * 5000)
        answer = await stream.receive_some(1000)
    assert b"of at most 1000 expected" in answer


async def test_who_says_nothing_is_not_waited_for(served, autojump_clock):
    async with await trio.open_unix_socket(str(words.path_of(served))) as stream:
        assert b"0 bytes without an end" in await stream.receive_some(1000)


async def test_a_call_ends_when_its_asker_hangs_up(home, nursery):
    ended = trio.Event()

    async def wait(_call):
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    await nursery.start(control.serve, words.path_of(home), {"wait": wait})
    stream = await trio.open_unix_socket(str(words.path_of(home)))
    await stream.send_all(b'{"verb": "wait", "arguments": {}}\n')
    await trio.testing.wait_all_tasks_blocked()
    assert not ended.is_set()
    await stream.aclose()
    await ended.wait()


async def test_one_call_too_many_is_told_so(home, nursery, monkeypatch):
    monkeypatch.setattr(control, "MAX_CALLS", 1)
    begun = trio.Event()

    async def wait(_call):
        begun.set()
        await trio.sleep_forever()

    await nursery.start(control.serve, words.path_of(home), {"wait": wait, **VERBS})
    async with await trio.open_unix_socket(str(words.path_of(home))) as stream:
        await stream.send_all(b'{"verb": "wait", "arguments": {}}\n')
        await begun.wait()
        with pytest.raises(Fault, match="1 calls are going on already"):
            await ask(home, "echo", text="hello")


async def test_an_answer_that_is_too_long_is_a_fault(served, monkeypatch):
    monkeypatch.setattr(control, "MAX_LINE", 100)
    with pytest.raises(Fault, match="at most 100"):
        await ask(served, "echo", text="x" * 80)


def test_where_no_node_runs_is_told_as_such(home):
    with pytest.raises(words.NotRunning, match="no node runs"):
        words.ask(home, "echo", text="hello")


def test_a_socket_that_was_left_behind_is_no_node(home):
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(words.path_of(home)))
    left.close()
    with pytest.raises(words.NotRunning, match="no node runs"):
        words.ask(home, "echo", text="hello")


def test_a_socket_listens_before_it_is_to_be_seen(home, monkeypatch):
    class Watched(socket.socket):
        def listen(self, backlog):
            assert not words.path_of(home).exists()  # or whoever asked now would hear that no node runs
            super().listen(backlog)

    monkeypatch.setattr(socket, "socket", Watched)
    with unix_socket.listen(words.path_of(home), backlog=1, taken=""):
        assert [path.name for path in home.path.iterdir()] == ["control.sock"]


async def test_a_socket_that_was_left_behind_is_replaced(home, nursery):
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(words.path_of(home)))
    left.close()
    await nursery.start(control.serve, words.path_of(home), VERBS)
    assert await ask(home, "echo", text="hello") == {"said": "hello"}


async def test_a_file_in_its_place_is_left_alone(home):
    words.path_of(home).write_text("mine")
    with pytest.raises(Fault, match="exists already"):
        await control.serve(words.path_of(home), VERBS)
    assert words.path_of(home).read_text() == "mine"


async def test_a_folder_may_have_a_longer_path_than_sockets_may(tmp_path, nursery):
    folder = tmp_path / ("d" * 120)
    folder.mkdir()
    home = NodeFolder(folder)
    await nursery.start(control.serve, words.path_of(home), VERBS)
    assert await ask(home, "echo", text="hello") == {"said": "hello"}
