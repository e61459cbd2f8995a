"""What a running node is asked on its control socket, by the verbs that people use; what is said where none runs."""

import json
import signal
import subprocess

import pytest

from tests.cli.conftest import Place
from tests.patience import PATIENCE


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Ada, and bob who dialled her; both run. Tests leave them linked."""
    place = Place(tmp_path_factory.mktemp("pair"))
    issuer = place.make_issuer()
    running = []
    for name in ("ada", "bob"):
        place.member(name, issuer)
        more = ["--bootstrap", running[0].bootstrap] if running else []
        running.append(place.daemon(name, *more))
    place.ada, place.bob = running
    place.ada.wait("peer-verified", name="bob")
    place.bob.wait("peer-verified", name="ada")
    yield place
    for process in running:
        process.close()


def ask(pair, *args, home="ada"):
    return pair.json(*args, "--home", pair / home)


def cause(pair, peer, *options, home="ada"):
    return ask(pair, "explain", peer, *options, home=home)["cause"]


def test_status_is_how_the_node_is(pair):
    said = ask(pair, "status")
    assert (said["ok"], said["running"], said["name"], said["network"]) == (True, True, "ada", "example-net")
    assert (said["known"], said["linked"], said["pid"]) == (2, 1, pair.ada.process.pid)
    assert said["listening"] == [pair.ada.address]
    assert said["warnings"] == []
    text = pair.ok("status", "--home", pair / "ada").stdout
    assert "2 known, 1 linked" in text


def test_a_linked_peer_is_explained_by_any_of_its_names(pair):
    bob = pair.bob.wait("listening")["node_id"]
    identity = str(pair.keys(pair / "bob")[0].public)
    for name in ("bob", bob, identity, pair.bob.address, f"{bob}@{pair.bob.address}"):
        said = ask(pair, "explain", name)
        assert (said["cause"], said["node_id"], said["name"]) == ("linked", bob, "bob"), name
    text = pair.ok("explain", "bob", "--home", pair / "ada").stdout
    assert text.startswith("LINKED  bob\n")


def test_a_node_asked_about_itself_says_so(pair):
    assert cause(pair, "ada") == "this-node"
    assert pair.ok("explain", pair.ada.address, "--home", pair / "ada").stdout.startswith("THIS-NODE  ada")


def test_nobody_of_that_name_is_known_and_one_like_it_is_named(pair):
    result = pair.run("explain", "bobb", "--home", pair / "ada")
    assert result.exit_code == 5
    assert "did you mean bob?" in result.stdout


def test_a_file_that_cannot_be_used_is_in_status_until_it_is_mended(pair, monkeypatch):
    monkeypatch.setattr("cli.live.JUST_NOW", 60.0)  # the node may have seen it long before we ask
    path = pair / "ada" / "policy.toml"
    good = path.read_text()
    path.write_text(good + "tofu = 7\n")
    result = pair.run("reload", "--home", pair / "ada")
    assert result.exit_code == 1
    assert "not used  policy.toml" in result.stdout
    assert pair.run("status", "--home", pair / "ada").exit_code == 1
    assert any("policy.toml" in one for one in ask(pair, "status")["warnings"])
    path.write_text(good)
    assert "policy.toml" in ask(pair, "reload")["taken"]
    assert ask(pair, "status")["warnings"] == []


def test_reload_says_that_nothing_has_changed(pair, monkeypatch):
    monkeypatch.setattr("cli.live.JUST_NOW", 0.0)
    ask(pair, "reload")
    assert pair.ok("reload", "--home", pair / "ada").stdout == "nothing has changed\n"


def test_a_ping_is_timed_as_often_as_asked(pair):
    said = ask(pair, "ping", "bob", "--count", "2")
    assert len(said["seconds"]) == 2
    assert all(0 < seconds < 10 for seconds in said["seconds"])
    assert pair.ok("ping", "bob", "--count", "1", "--home", pair / "ada").stdout.startswith("bob  ")


def test_a_link_is_ended_and_made_again(pair):
    for home, other in (("ada", "bob"), ("bob", "ada")):
        assert ask(pair, "disconnect", other, "--hold", "10m", home=home)["node_id"]
    # Both were told not to dial the other for a while, so nothing happens until somebody asks for it.
    assert cause(pair, "bob", "--no-dial") == "disconnected"
    said = ask(pair, "connect", "bob")
    assert (said["ok"], said["name"]) == (True, "bob")
    assert cause(pair, "bob") == "linked"


def test_explain_dials_so_that_its_answer_is_of_now(pair):
    for home, other in (("ada", "bob"), ("bob", "ada")):
        ask(pair, "disconnect", other, "--hold", "10m", home=home)
    assert cause(pair, "bob", "--no-dial") == "disconnected"
    assert cause(pair, "bob") == "linked"


def test_events_begin_with_what_the_node_remembers(pair):
    lines = pair.ok("events", "--no-follow", "--json", "--home", pair / "ada").stdout.splitlines()
    kinds = [json.loads(line)["event"] for line in lines]
    assert "peer-verified" in kinds
    lines = pair.ok("events", "--no-follow", "--kind", "listening", "--json", "--home", pair / "ada").stdout
    assert [json.loads(line)["event"] for line in lines.splitlines()] == ["listening"]


@pytest.mark.parametrize("verb", [["events", "--kind", "file-rejected"], ["peers", "--watch"]])
def test_who_follows_sees_what_happens_next_and_ends_at_ctrl_c(pair, verb):
    follower = pair.start(*verb, "--json", "--home", pair / "ada", stdout=-1, stderr=-1, text=True)
    if verb[0] == "peers":
        assert {peer["name"] for peer in json.loads(follower.stdout.readline())["peers"]} == {"bob"}
    pins = pair / "ada" / "pins.toml"
    kept = pins.read_text() if pins.exists() else None
    while not ask(pair, "status")["warnings"]:
        pins.write_text("garbage\n")
        ask(pair, "reload")
    line = json.loads(follower.stdout.readline())
    assert line.get("event", "peers") in ("file-rejected", "peers")
    follower.send_signal(signal.SIGINT)
    _, told = follower.communicate(timeout=PATIENCE)
    assert follower.returncode == 130
    assert "Traceback" not in told
    pins.write_text(kept or "")
    ask(pair, "reload")


@pytest.mark.parametrize(
    ("arguments", "says", "code"),
    [
        (["connect", "nobody"], "no known peer is called 'nobody'", 1),
        (["connect", "node1qqqq"], "no known peer", 1),
        (["connect", "127.0.0.1:1"], "connection refused", 1),
        (["connect", "127.0.0.1:99999"], "not host:port", 3),
        (["connect", "bob", "--timeout", "0"], "0.0 is not in the range", 2),
        (["disconnect", "nobody"], "no known peer is called 'nobody'", 1),
        (["disconnect", "bob", "--hold", "soon"], "no time like", 2),
        (["ping", "nobody"], "no known peer is called 'nobody'", 1),
        (["events", "--kind", "peer-los"], "no event is called 'peer-los'", 2),
        (["ping", "bob", "--count", "0"], "0 is not in the range", 2),
        (["explain", "node1qqqq"], "node1", 3),
        (["explain", "host:99999"], "not host:port", 3),
        (["explain", ""], "nobody called ''", 5),
        (["explain", "\x1b[2J"], "nobody called", 5),
    ],
)
def test_the_worst_that_a_running_node_is_asked(pair, arguments, says, code):
    result = pair.run(*arguments, "--home", pair / "ada")
    assert result.exit_code == code, result.output
    assert says in result.output
    assert "fix: " in result.output
    assert "\x1b" not in result.output
    assert "Traceback" not in result.output
    assert pair.run("status", "--home", pair / "ada").exit_code == 0


def test_a_node_that_runs_already_refuses_a_second_one_on_its_folder(pair):
    second = pair.shell("run", "--home", pair / "ada", "--listen", "127.0.0.1:0")
    assert second.returncode == 1
    assert "a node runs on" in second.stderr
    assert ask(pair, "status")["running"]  # its control socket is still there


def test_a_card_is_taken_back_in_one_command_and_the_link_is_cut_when_it_returns(pair):
    # Last of those that ask this pair: what is revoked stays so.
    said = pair.json("revoke", "add", "bob", "--reason", "lost", "--node", pair / "ada")
    (taken,) = said["taken_up"]
    assert taken["taken"] == ["revocations.pem"]
    assert [(one["name"], one["reason"]) for one in taken["cut"]] == [("bob", "revoked")]
    assert pair.bob.wait("refused-by-peer")["reason"] == "revoked"
    assert cause(pair, "bob") == "revoked"
    assert cause(pair, "ada", home="bob") == "revoked"
    assert (
        "revocations.pem is in force on the running node" in pair.ok("revoke", "publish", "--node", pair / "ada").stderr
    )


def test_a_node_that_is_meant_to_reach_itself_says_so(pair):
    own = pair.ada.wait("listening")["node_id"]
    for verb in (["connect", own], ["disconnect", own], ["ping", own]):
        pair.refuses(*verb, "--home", pair / "ada", says="is this node itself", code=2)


# Where no node runs


@pytest.mark.parametrize("verb", [["connect", "a"], ["disconnect", "a"], ["ping", "a"], ["events"], ["reload"]])
def test_what_only_a_running_node_can_do_says_so(place, installed, verb):
    assert installed.exists()
    place.refuses(*verb, says="no node runs on", code=1)


def test_status_of_a_stopped_node_is_read_from_its_files(place, installed):
    assert installed.exists()
    said = place.json("status")
    assert (said["ok"], said["running"], said["name"], said["card"]["ok"]) == (False, False, "db-03", True)
    result = place.run("status")
    assert result.exit_code == 1
    assert "does not run" in result.stderr


def test_a_stopped_node_explains_from_its_files_and_says_so(place, installed):
    assert installed.exists()
    place.make_card("ada", "ada")
    place.remember(ada="live")
    said = place.json("explain", "ada")
    assert (said["cause"], said["running"]) == ("not-running", False)
    assert "does not run" in place.run("explain", "ada").stderr
    place.ok("ban", "ada", "--reason", "floods us")
    assert place.json("explain", "ada")["cause"] == "banned"


def test_a_list_for_a_stopped_node_counts_from_its_next_start(place, installed):
    assert installed.exists()
    assert "counts from the next start" in place.ok("revoke", "publish", "--node", place.node).stderr
    place.refuses("revoke", "add", "db-03", "--node", place / "nobody", says="no node.key in", code=1)
    assert place.json("revoke", "list")["revocations"] == []


def test_a_folder_without_a_node_is_said_to_be_one(place):
    for verb in (["status"], ["explain", "a"], ["peers"]):
        place.refuses(*verb, says="no policy in", code=5 if verb[0] != "peers" else 1)
    assert isinstance(place.shell("status"), subprocess.CompletedProcess)
