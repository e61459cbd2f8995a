"""The processes of a bench: both ends see whom they should, and however it ends, none is left."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.bench.node_sides import NODE, NODE_LINKS, NODE_PEERS
from cli.bench.sides import IK, PLAIN, TLS, TLS_SERVER_ONLY, XX, Secrets, make_side
from cli.bench.stage import Process, stage
from cli.output import Fault
from tests.patience import PATIENCE


def test_both_ends_see_whom_their_side_promises():
    promised = {
        PLAIN: {"server": "", "client": ""},
        TLS_SERVER_ONLY: {"server": "server", "client": ""},
        **{side: {"server": "server", "client": "client"} for side in (TLS, XX, IK, NODE, NODE_LINKS, NODE_PEERS)},
    }
    with stage(list(promised)) as both:
        assert {side: both.load("who", side) for side in promised} == promised


@pytest.mark.parametrize(
    ("side", "why"),
    [
        (TLS, "SSL[A-Za-z]*Error: "),
        (XX, "PeerRefused: "),
        (IK, "[A-Za-z]*Error: "),
        (NODE, "PeerUnreachable: not-trusted"),
    ],
)
def test_a_bench_whose_ends_hold_other_keys_measures_nothing(side, why):
    one, two = (Secrets.generate([side]) for _ in range(2))
    with Process("server", [side], one) as server, Process("client", [side], two) as client:
        port = server.ask("listen", side=side)
        with pytest.raises(Fault, match=f"the bench's client ended with 1: {why}"):
            client.ask("requests", side=side, port=port, seconds=0.01)


def test_a_peer_that_nothing_verified_is_no_bench(monkeypatch):
    monkeypatch.setattr("cli.bench.stage.PLAIN", TLS_SERVER_ONLY)
    with pytest.raises(Fault, match="plain: verification shows"), stage([PLAIN]):
        pass


def test_a_process_that_dies_is_a_sentence_that_names_it():
    with stage([PLAIN]) as both:
        both._client._process.kill()
        with pytest.raises(Fault, match="the bench's client ended with -9"):
            both.load("requests", PLAIN, seconds=0.01)


def test_a_server_that_dies_is_named_though_the_client_notices():
    with stage([PLAIN]) as both:
        both._server._process.kill()
        both._server._process.wait()
        with pytest.raises(Fault, match="the bench's server ended with -9"):
            both.load("requests", PLAIN, seconds=0.01)


def test_a_process_that_does_not_answer_is_ended(monkeypatch):
    with stage([PLAIN]) as both:
        both._client._process.send_signal(signal.SIGSTOP)
        monkeypatch.setattr("cli.bench.stage._LONGEST", 0.1)
        with pytest.raises(Fault, match="the bench's client did not answer within"):
            both.load("requests", PLAIN, seconds=0.01)


def test_no_process_outlives_its_stage():
    with stage([PLAIN]) as both:
        processes = [both._server._process, both._client._process]
    assert [process.poll() for process in processes] == [0, 0]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc here")
@pytest.mark.parametrize("word", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_bench_that_is_stopped_leaves_no_process(word):
    command = [sys.executable, "-m", "cli", "bench", "rps", "--seconds", "30"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as bench:
        children = _until(lambda: found if len(found := _children(bench.pid)) == 2 else None)
        bench.send_signal(word)
        out, err = bench.communicate(timeout=PATIENCE)
    _until(lambda: not any(map(_runs, children)))
    assert (out, err.strip()) == ("", "")
    assert bench.returncode == (130 if word == signal.SIGINT else -word)


def _until(condition):
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def _children(pid):
    return [int(stat.parent.name) for stat in Path("/proc").glob("[0-9]*/stat") if _parent(stat) == pid]


def _parent(stat):
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0  # gone in the meantime


def _runs(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_keys_are_new_for_each_run():
    one, two = (Secrets.generate([TLS, XX]) for _ in range(2))
    assert one.noise != two.noise
    assert one.certificates["ecdsa"].ca != two.certificates["ecdsa"].ca


def test_keys_find_their_way_to_the_other_process():
    secrets = Secrets.generate([TLS])
    assert Secrets.from_json(secrets.to_json()) == secrets
    make_side(TLS, secrets)


def test_keys_are_not_printed():
    secrets = Secrets.generate([TLS])
    assert "PRIVATE" not in f"{secrets}{secrets.certificates}"
    assert not any(key in str(secrets) for key in secrets.noise.values())
