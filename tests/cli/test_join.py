"""`p2pnoise join`: from a machine with nothing to a node that others trust, with the commands that people type."""

import json
import os
import re
import signal
import socket
import sqlite3
import stat
import threading
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest

from cards import Address, IssuerKey, NodeKey
from p2pnoise.enrolment import JoinToken
from tests.patience import PATIENCE


class Serving:
    """`p2pnoise join serve` as a process, and what it has told."""

    def __init__(self, place, *options):
        arguments = ("--listen", "127.0.0.1:0", "--home", place / "desk", "--json")
        self.process = place.start("join", "serve", *arguments, *options, stdout=-1, stderr=-1, text=True)
        self.said = []
        for line in self.process.stderr:
            self.said.append(line)
            if line.startswith("at "):
                break
        assert any(line.startswith("at ") for line in self.said), self.said
        self.address = self.said[-1].split()[1]

    def event(self, kind):
        """The next event of this kind."""
        for line in self.process.stdout:
            found = json.loads(line)
            if found["event"] == kind:
                return found
        raise AssertionError(f"no {kind}")

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE)
        return out, err


@pytest.fixture
def serve(place, issuer):
    """Start whoever enrols; none outlives the test."""
    place.ok("id", "new", "--home", place / "desk")
    running = []

    def start(*options):
        running.append(Serving(place, *options))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


@pytest.fixture
def desk(serve):
    return serve("--peer", "192.0.2.1:7060")


def make_token(place, *options, file="token"):
    place.ok("join", "token", "-o", place / file, *options)
    return place / file


def read_token(path):
    return JoinToken.parse(path.read_text().strip())


def write_token(place, token):
    (place / "other").write_text(token.to_text())
    (place / "other").chmod(0o600)
    return place / "other"


def join(place, token, home="new", *options):
    """In this process; one test, of those who wait, has it in a process of its own."""
    return place.run("join", "run", token, "--home", place / home, *options)


def test_a_machine_with_nothing_becomes_a_node_in_one_command(place, desk, issuer):
    token = make_token(place, "--name", "db-03", "--group", "db")
    result = join(place, token)
    assert result.exit_code == 0, result.stderr
    assert "joined     example-net\nas         db-03\n" in result.stdout
    home = place / "new"
    assert f'[issuer."ops"]\nkey = "{issuer}"' in (home / "policy.toml").read_text()
    assert 'peers = ["192.0.2.1:7060"]' in (home / "node.toml").read_text()
    assert {stat.S_IMODE((home / name).stat().st_mode) for name in ("node.key", "identity.key")} == {0o600}
    assert "groups db" in place.ok("card", "verify", home / "card.pem", "--home", home).stdout
    place.ok("config", "check", home / "node.toml")
    found = desk.event("enrolled")
    assert (found["name"], found["source"]) == ("db-03", "127.0.0.1")


def test_json_says_what_was_joined_and_where_it_begins(place, desk, issuer):
    result = join(place, make_token(place), "new", "--json", "--name", "db-03", "--listen", "192.0.2.7:7060")
    (line,) = result.stdout.splitlines()
    found = json.loads(line)
    assert (found["ok"], found["issuer"], found["peers"]) == (True, issuer, ["192.0.2.1:7060"])
    assert found["card"]["name"] == "db-03"
    assert 'listen = ["192.0.2.7:7060"]' in (place / "new" / "node.toml").read_text()


def test_the_token_comes_on_standard_input_too(place, desk):
    text = make_token(place).read_text()
    result = place.shell("join", "run", "-", "--home", place / "new", input=f"  {text}\n")
    assert result.returncode == 0, result.stderr
    assert "warning" not in result.stderr


def test_a_token_on_the_command_line_is_warned_of_and_works(place, desk):
    result = join(place, make_token(place).read_text().strip())
    assert result.exit_code == 0
    assert result.stderr.startswith("warning: others on this machine can read a token on the command line")


def test_what_either_side_prints_holds_no_secret(place, desk):
    path = make_token(place)
    token = read_token(path)
    result = join(place, path)
    assert result.exit_code == 0
    out, err = desk.end()
    printed = result.stdout + result.stderr + out + err
    for secret in (token.secret, token.psk, token.proof):
        assert secret.hex() not in printed
    assert token.to_text()[20:60] not in printed
    assert "PRIVATE" not in printed


def test_what_goes_over_the_wire_and_into_the_token_holds_no_private_key(place, desk):
    """All of it, both ways, as somebody on the path would have it; and what the issuer keeps."""
    path = make_token(place)
    with recording(desk.address) as (address, seen):
        token = replace(read_token(path), addresses=(Address.parse(address),))
        assert join(place, write_token(place, token)).exit_code == 0
    assert len(seen) > 1000
    keys = [place.keys(place / home) for home in ("new", "desk")]
    kept = bytes(seen) + path.read_bytes() + (place.issuer / "registry.db").read_bytes()
    for identity, node in keys:
        for secret in (identity._seed, node._seed, node.static):
            assert secret not in kept
            assert secret.hex().encode() not in kept
    for secret in (token.token_id, token.proof, token.psk, (place / "new" / "request.pem").read_bytes()[30:60]):
        assert secret not in bytes(seen)


@contextmanager
def recording(address):
    """A port that passes all on to `address`, and keeps it."""
    host, port = address.split(":")
    seen = bytearray()

    def pump(source, sink):
        with source, sink:
            try:
                while data := source.recv(65536):
                    seen.extend(data)
                    sink.sendall(data)
                sink.shutdown(socket.SHUT_WR)
            except OSError:
                pass

    def accept():
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection((host, int(port)))
            pumps = [
                threading.Thread(target=pump, args=(near.dup(), far.dup())),
                threading.Thread(target=pump, args=(far, near)),
            ]
            for one in pumps:
                one.start()
            threads.extend(pumps)

    threads = []
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}", seen
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
    for one in threads:
        one.join(PATIENCE)


def refused(result, code, sentence):
    assert result.exit_code == code, result.stderr
    assert f"NOT JOINED  {sentence}" in result.stderr
    assert "\nfix: " in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_a_second_machine_is_refused_with_the_reason_and_the_next_step(place, desk):
    token = make_token(place)
    assert join(place, token).exit_code == 0
    result = join(place, token, "thief")
    refused(result, 8, "token-used: this join token has let another machine in already")
    assert "p2pnoise join token" in result.stderr
    assert not (place / "thief" / "card.pem").exists()


def test_the_same_machine_joins_again_without_harm(place, desk):
    token = make_token(place)
    join(place, token)
    before = place.snapshot(place / "new")
    result = join(place, token)
    assert result.exit_code == 0, result.stderr
    assert place.snapshot(place / "new") == before


def test_another_name_is_refused_before_anything_is_sent(place, desk):
    result = join(place, make_token(place, "--name", "db-03"), "new", "--name", "db-04")
    refused(result, 5, "token-name: this join token is for a node of another name (it is for db-03)")
    assert not (place / "new").exists()


def test_a_token_of_another_identity_is_refused_before_anything_is_sent(place, desk):
    place.ok("id", "new", "--home", place / "owner")
    owner = place.json("id", "show", "--home", place / "owner")["identity"]
    token = make_token(place, "--for", owner)
    refused(join(place, token), 9, "token-identity: this join token is bound to another identity")
    assert join(place, token, "owner").exit_code == 0


def test_an_expired_token_is_refused(place, desk):
    token = read_token(make_token(place))
    with sqlite3.connect(place.issuer / "registry.db") as database:
        database.execute("UPDATE tokens SET not_after = 1")
    database.close()
    refused(join(place, write_token(place, token)), 6, "token-expired: this join token has expired")


def test_an_impostor_with_another_key_is_named_as_one(place, desk):
    token = replace(read_token(make_token(place)), node_id=NodeKey.generate(os.urandom).public)
    refused(join(place, write_token(place, token)), 5, "issuer-mismatch: whoever answers is not the issuer")


def test_the_grant_of_another_issuer_than_the_token_names_is_not_installed(place, desk):
    token = replace(read_token(make_token(place)), issuer=IssuerKey(bytes(32)).public)
    refused(join(place, write_token(place, token)), 5, "issuer-mismatch: whoever answers is not the issuer")
    assert not {"card.pem", "policy.toml", "revocations.pem", "node.toml"} & set(place.snapshot(place / "new"))


def test_where_nobody_answers_it_says_where_it_knocked(place, desk):
    token = replace(read_token(make_token(place)), addresses=(Address("127.0.0.1", 1),))
    result = join(place, write_token(place, token), "new", "--no-wait")
    refused(result, 1, "unreachable: the issuer's side does not answer (127.0.0.1:1: connection refused)")


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("", 3, "is empty, a join token expected"),
        ("join1", 3, "no whole join token"),
        ("-----BEGIN P2PNOISE CARD-----", 3, "no whole join token"),
        ("join1abc", 3, "mistyped or cut short"),
        ("x" * 5000, 3, "has more than"),
        ("\udcff\x1b[2J", 3, "no whole join token"),
    ],
)
def test_a_file_that_holds_no_token_is_named(place, text, code, says):
    (place / "token").write_bytes(text.encode("utf-8", "surrogateescape"))
    result = place.run("join", "run", place / "token", "--home", place / "new")
    assert result.exit_code == code
    assert says in result.stderr
    assert "fix: " in result.stderr
    assert not (place / "new").exists()


def test_a_mistyped_token_is_named_and_not_repeated(place, desk):
    text = make_token(place).read_text().strip()
    result = place.run("join", "run", text[:-1] + ("a" if text[-1] != "a" else "b"), "--home", place / "new")
    assert result.exit_code == 3
    assert "mistyped" in result.stderr
    assert text[20:50] not in result.stderr


def test_a_folder_of_another_network_is_not_joined_from(place, desk):
    assert join(place, make_token(place)).exit_code == 0
    other = replace(read_token(make_token(place, "--name", "x", file="t2")), network="other-net")
    result = join(place, write_token(place, other))
    assert result.exit_code == 5
    assert "holds a card for network example-net, the token is for other-net" in result.stderr


def test_what_people_wrote_into_node_toml_stays(place, desk):
    (place / "new").mkdir()
    (place / "new" / "node.toml").write_text("# mine\n")
    result = join(place, make_token(place))
    assert result.exit_code == 0
    assert (place / "new" / "node.toml").read_text() == "# mine\n"
    assert 'it may say:\npeers = ["192.0.2.1:7060"]' in result.stderr


def test_an_operator_decides_and_the_machine_that_waits_goes_on(place, desk):
    token = make_token(place, "--approve", "--name", "db-03")
    waiting = place.start("join", "run", token, "--home", place / "new", stdout=-1, stderr=-1, text=True)
    assert desk.event("enrolment-waiting")["name"] == "db-03"
    (request,) = place.json("join", "pending")["requests"]
    assert (request["name"], request["state"], request["source"]) == ("db-03", "waiting", "127.0.0.1")
    assert "approve or deny" in place.ok("join", "pending").stdout
    place.ok("join", "approve", request["id"][:8])
    out, err = waiting.communicate(timeout=PATIENCE)
    assert waiting.returncode == 0, err
    assert "the request waits for the issuer's operator" in err
    assert "as         db-03" in out
    assert place.json("join", "pending")["requests"] == []


def test_without_waiting_it_says_that_it_is_pending_and_goes_on_later(place, desk):
    token = make_token(place, "--approve", "--name", "db-03")
    refused(join(place, token, "new", "--no-wait"), 5, "pending: the request waits for the issuer's operator")
    keys = place.snapshot(place / "new")
    place.ok("join", "approve", "db-03")
    assert join(place, token, "new", "--no-wait").exit_code == 0
    assert {name: place.snapshot(place / "new")[name] for name in keys} == keys


def test_a_denied_request_says_the_operator_s_reason(place, desk):
    token = make_token(place, "--approve", "--name", "db-03")
    join(place, token, "new", "--no-wait")
    place.ok("join", "deny", "db-03", "--reason", "unknown machine")
    refused(join(place, token), 5, "denied: the issuer's operator denied this request (unknown machine)")


@contextmanager
def a_signer_that_hangs(place):
    """Has the issuer's key, takes what it is asked to sign, and says nothing more."""
    path = place / "hangs"
    public = IssuerKey.from_pem((place.issuer / "issuer.key").read_bytes()).public
    asked = threading.Event()
    held = []

    def accept():
        connection, _ = listener.accept()
        held.append(connection)
        connection.sendall(public)
        connection.recv(65536)
        asked.set()

    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=accept)
        thread.start()
        yield path, asked
        thread.join(PATIENCE)
        for connection in held:
            connection.close()


def test_kill_9_between_the_token_s_use_and_the_answer_loses_nothing(place, serve):
    with a_signer_that_hangs(place) as (path, asked):
        first = serve("--signer", path)
        token = make_token(place, "--name", "db-03")
        waiting = place.start(
            "join", "run", token, "--home", place / "new", "--no-wait", stdout=-1, stderr=-1, text=True
        )
        assert asked.wait(PATIENCE)
        first.process.kill()
        _, err = waiting.communicate(timeout=PATIENCE)
        assert waiting.returncode == 1
        assert "NOT JOINED  unreachable" in err
    (held,) = place.json("join", "list")["tokens"]
    assert (held["state"], held["request"]["state"]) == ("spent", "accepted")
    again = serve()
    moved = replace(read_token(token), addresses=(Address.parse(again.address),))
    refused(join(place, write_token(place, moved), "thief"), 8, "token-used")
    assert join(place, write_token(place, moved)).exit_code == 0
    assert place.card(place / "new" / "card.pem").grants[0].groups == ()


def test_with_the_signer_down_a_request_is_kept_and_granted_once_it_is_back(place, serve):
    desk = serve("--signer", place / "signer")
    token = make_token(place, "--name", "db-03")
    refused(join(place, token, "new", "--no-wait"), 1, "signer-down: the request is kept")
    assert "signer" in desk.event("enrolment-waiting")["reason"]
    assert "the signer, or its joiner to ask again" in place.ok("join", "pending").stdout
    signer = place.start("signer", "serve", "--socket", place / "signer", stdout=-1, stderr=-1, text=True)
    try:
        assert any(line.startswith("socket") for line in signer.stderr)
        result = join(place, token, "new", "--no-wait")
        assert result.exit_code == 0, result.stderr
    finally:
        signer.kill()
        signer.communicate()


def test_the_service_says_goodbye_to_a_signal_and_leaves_no_socket(place, desk):
    out, err = desk.end()
    assert desk.process.returncode == 0
    assert "Traceback" not in err + out
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(desk.address.split(":")[1])))


# The verbs at the issuer


def test_a_token_says_its_number_and_how_long_it_is_good(place, desk):
    result = place.ok("join", "token", "--name", "db-03", "--expires", "2h")
    assert re.fullmatch(r"join1[a-z2-7]+\n", result.stdout)
    assert re.search(r"token [0-9a-f]{8} lets one machine in until \d{4}-\d\d-\d\d \d\d:\d\d UTC", result.stderr)


def test_a_token_file_is_its_owner_s_alone_and_never_replaced(place, desk):
    path = make_token(place)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    place.refuses("join", "token", "-o", path, says="exists already", code=1)
    assert len(place.json("join", "list")["tokens"]) == 1


def test_a_token_as_json_is_the_same_token(place, desk):
    found = place.json("join", "token", "--name", "db-03", "--group", "db")
    token = JoinToken.parse(found["token"])
    assert found["id"] == token.token_id.hex()
    assert found["addresses"] == [desk.address]
    (held,) = place.json("join", "list")["tokens"]
    assert (held["id"], held["state"], held["groups"], held["request"]) == (found["id"], "open", ["db"], None)


def test_a_token_that_was_written_to_a_file_is_printed_nowhere(place, desk):
    result = place.ok("join", "token", "-o", place / "token", "--json")
    assert JoinToken.parse((place / "token").read_text().strip())
    assert "join1" not in result.stdout + result.stderr
    found = json.loads(result.stdout)
    assert (found["token"], found["file"]) == (None, str(place / "token"))


def test_a_token_that_is_drawn_is_written_to_the_file_as_well(place, desk):
    assert "█" in place.ok("join", "token", "--qr", "-o", place / "token").stdout
    assert JoinToken.parse((place / "token").read_text().strip())


def test_a_token_is_drawn_as_a_qr_code(place, desk):
    assert "█" in place.ok("join", "token", "--qr").stdout


def test_without_whoever_enrols_a_token_needs_to_be_told_where(place, issuer):
    place.refuses("join", "token", says="nobody enrols for this issuer yet", code=1)
    node = NodeKey.generate(os.urandom).public
    token = JoinToken.parse(place.ok("join", "token", "--node", node, "--address", "192.0.2.1:7061").stdout.strip())
    assert (token.node_id, token.addresses) == (node, (Address("192.0.2.1", 7061),))


def test_a_service_on_a_wildcard_says_what_tokens_will_lack(place, serve):
    place.ok("id", "new", "--home", place / "desk", "--force")
    process = place.start(
        "join", "serve", "--listen", "0.0.0.0:0", "--home", place / "desk", stdout=-1, stderr=-1, text=True
    )
    try:
        assert any("add --advertise HOST:PORT" in line for line in process.stderr)
        place.refuses("join", "token", says="whoever enrols listens on a wildcard address", code=1)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("options", "says", "code"),
    [
        (["--name", "Upper"], "name is 'Upper'", 3),
        (["--group", "No Good"], "group is 'No Good'", 3),
        (["--group", "g"] * 17, "17 groups, a grant holds 16", 2),
        (["--for", "id1abc"], "not a whole id1 identifier", 3),
        (["--node", "node1abc"], "not a whole node1 identifier", 3),
        (["--address", "nowhere"], "is not host:port", 3),
        (["--expires", "soon"], "is no time like 30d", 2),
        (["--expires", "91d"], "--expires is at most 90d", 2),
        (["--lifetime", "4000d"], "--lifetime at most 3653d", 2),
        (["-o", "no/such/folder"], "is no folder", 1),
    ],
)
def test_what_cannot_be_in_a_token_is_named_and_none_is_made(place, issuer, options, says, code):
    args = ["--address", "192.0.2.1:7061"] if "--address" not in options else []
    args += ["--node", NodeKey.generate(os.urandom).public] if "--node" not in options else []
    place.refuses("join", "token", *args, *options, says=says, code=code)
    assert place.json("join", "list")["tokens"] == []


@pytest.mark.parametrize("verb", ["cancel", "approve", "deny"])
@pytest.mark.parametrize("text", ["3f9c01e2", "3f9", "", "nobody", "%", "x" * 500, "\x1b[2J"])
def test_a_number_that_means_nothing_is_named(place, issuer, verb, text):
    place.refuses("join", verb, text, says="no ", code=2)


def test_a_number_that_means_two_is_refused(place, desk):
    for _ in range(2):
        place.ok("join", "token", "--name", "db-03")
    place.refuses("join", "cancel", "db-03", says="2 are meant by 'db-03'", code=2)


def test_a_cancelled_token_is_listed_as_one_and_not_cancelled_twice(place, desk):
    place.ok("join", "token", "--name", "db-03")
    place.ok("join", "cancel", "db-03")
    assert "cancelled  db-03" in place.ok("join", "list").stdout
    place.refuses("join", "cancel", "db-03", says="is cancelled", code=8)


def test_a_spent_token_is_not_cancelled_but_named(place, desk):
    join(place, make_token(place, "--name", "db-03"))
    place.refuses("join", "cancel", "db-03", says="is spent", code=8)
    assert "granted  db-03" in place.ok("join", "list").stdout


def test_an_approval_that_could_not_be_granted_is_refused_at_once(place, desk):
    token = make_token(place, "--approve")
    join(place, token, "new", "--no-wait", "--name", "db-03")
    assert join(place, make_token(place, file="t2"), "first", "--name", "db-03").exit_code == 0
    place.refuses("join", "approve", "db-03", says="the name db-03 is held by", code=8)


@pytest.mark.parametrize("reason", ["", "x" * 201, "föhn", "two\nlines"])
def test_a_reason_that_could_not_be_sent_is_refused(place, issuer, reason):
    place.refuses("join", "deny", "db-03", "--reason", reason, says="--reason is no ASCII text", code=2)


def test_no_service_without_a_node_key_or_an_issuer(place, issuer):
    place.refuses("join", "serve", "--home", place / "nothing", says="no node.key", code=1)
    place.ok("id", "new", "--home", place / "desk")
    options = ("--home", place / "desk", "--issuer-home", place / "nothing")
    place.refuses("join", "serve", *options, says="no issuer in", code=1)


def test_a_taken_port_is_named(place, desk):
    result = place.shell("join", "serve", "--home", place / "desk", "--listen", desk.address)
    assert result.returncode == 1
    assert f"cannot listen on {desk.address}: address already in use" in result.stderr
