"""Locked keys: what a passphrase opens, where it comes from, and what is said without it."""

import pytest

from cards import IssuerKey
from cards.keyfile import is_locked

PASSPHRASE = "correct horse"


def _secret(path, text):
    path.touch(0o600)
    path.write_text(text)
    return path


@pytest.fixture
def secret(place):
    return _secret(place / "secret", f"{PASSPHRASE}\nwhatever follows\n")


@pytest.fixture
def locked_issuer(place, secret):
    place.ok("issuer", "new", "ops", "--network", "example-net", "--lock", "--passphrase-file", secret)
    return place.issuer / "issuer.key"


def test_a_locked_issuer_key_is_never_on_the_disk_in_the_clear(place, locked_issuer):
    key = IssuerKey.from_pem(locked_issuer.read_bytes(), PASSPHRASE.encode())
    seed = key.to_pem().splitlines()[1][-43:]
    assert all(seed not in data and key._seed not in data for data in place.snapshot(place.issuer).values())


def test_a_locked_issuer_signs_with_its_passphrase(place, locked_issuer, secret):
    assert is_locked(locked_issuer.read_bytes())
    place.ok("card", "issue", place.make_request(), "--passphrase-file", secret, "-o", place / "card")
    place.ok("revoke", "add", "db-03", "--passphrase-file", secret)
    place.ok("revoke", "publish", "--passphrase-file", secret)


def test_the_passphrase_may_come_from_the_environment(place, locked_issuer, monkeypatch):
    monkeypatch.setenv("P2PNOISE_PASSPHRASE", PASSPHRASE)
    place.ok("revoke", "publish")


@pytest.mark.usefixtures("locked_issuer")
def test_without_a_passphrase_the_next_step_is_how_to_give_it(place):
    place.refuses("revoke", "publish", says="issuer.key: the key is locked by a passphrase", code=9)
    assert "--passphrase-file" in place.run("revoke", "publish").stderr


@pytest.mark.usefixtures("locked_issuer")
def test_a_wrong_passphrase_is_called_wrong(place):
    other = _secret(place / "other", "correct house\n")
    place.refuses("revoke", "publish", "--passphrase-file", other, says="does not open the key", code=9)


@pytest.mark.usefixtures("locked_issuer")
def test_an_empty_passphrase_file_is_named(place):
    empty = _secret(place / "empty", "\n")
    place.refuses("revoke", "publish", "--passphrase-file", empty, says="the first line of", code=2)


def test_the_passphrase_may_come_from_standard_input(place, locked_issuer):
    typed = f"{PASSPHRASE}\nwhatever follows\n"
    place.ok("revoke", "publish", "--passphrase-file", "-", input=typed)
    assert is_locked(locked_issuer.read_bytes())


def test_one_line_of_standard_input_opens_every_key_that_a_command_reads(place, secret, issuer):
    place.ok("id", "new", "--lock", "--passphrase-file", secret)
    place.ok("card", "request", "--network", "example-net", "-o", place / "r", "--passphrase-file", secret)
    place.ok("card", "issue", place / "r", "-o", place / "c")
    place.ok("card", "install", place / "c", "--issuer", issuer, "--passphrase-file", secret)
    rotate = ("id", "rotate", "--identity", "--passphrase-file", "-")
    place.ok(*rotate, "--force", "-o", place / "r2", input=f"{PASSPHRASE}\n")
    place.ok("card", "issue", place / "r2", "-o", place / "c2")
    place.ok("card", "install", place / "c2", "--passphrase-file", "-", input=f"{PASSPHRASE}\n")


@pytest.mark.usefixtures("locked_issuer")
@pytest.mark.parametrize("others", [["card", "issue", "-"], ["card", "issue", "--batch", "-", "--expect", "expected"]])
def test_standard_input_brings_the_passphrase_or_something_else(place, others, monkeypatch):
    monkeypatch.chdir(place.path)
    (place / "expected").write_text("identity\n")
    request = place.make_request().read_text()
    result = place.run(*others, "--passphrase-file", "-", input=f"{PASSPHRASE}\n{request}")
    assert result.exit_code == 2
    assert result.stderr.startswith("standard input is to bring a passphrase, and cannot bring a ")
    assert "fix: name a file for one of the two" in result.stderr


@pytest.mark.usefixtures("locked_issuer")
@pytest.mark.parametrize(("typed", "size"), [("", 0), ("\nsecond\n", 0), ("x" * 5000, 1025)])
def test_standard_input_without_a_passphrase_is_named(place, typed, size):
    result = place.run("revoke", "publish", "--passphrase-file", "-", input=typed)
    assert result.exit_code == 2
    assert f"standard input begins with a line of {size} bytes, a passphrase of 1 to 1024 expected" in result.stderr


@pytest.mark.usefixtures("locked_issuer")
def test_at_a_terminal_a_passphrase_from_standard_input_is_asked_for_unseen(place, monkeypatch):
    monkeypatch.setattr("cli.passphrase._ask", lambda _question: PASSPHRASE.encode())
    monkeypatch.setattr("cli.passphrase._terminal", lambda: True)
    place.ok("revoke", "publish", "--passphrase-file", "-")


def test_a_key_is_not_locked_with_nothing(place):
    place.refuses("issuer", "new", "ops", "--network", "n", "--lock", says="no passphrase to lock", code=2)
    assert place.run("id", "new", "--lock").exit_code == 2
    assert not (place.node / "node.key").exists()


def test_a_passphrase_is_typed_twice_and_asked_for_when_the_key_is_used(place, monkeypatch):
    typed = iter(["one", "two", "one", "one", "one"])
    monkeypatch.setattr("cli.passphrase._ask", lambda _question: next(typed).encode())
    monkeypatch.setattr("cli.passphrase._terminal", lambda: True)
    place.refuses("issuer", "new", "ops", "--network", "n", "--lock", says="the two passphrases differ", code=2)
    place.ok("issuer", "new", "ops", "--network", "n", "--lock", "--issuer-home", place / "second")
    place.ok("revoke", "publish", "--issuer-home", place / "second")


def test_a_locked_identity_signs_and_its_node_key_stays_open(place, secret, issuer):
    place.ok("id", "new", "--lock", "--passphrase-file", secret)
    assert is_locked((place.node / "identity.key").read_bytes())
    assert not is_locked((place.node / "node.key").read_bytes())
    request, card = place / "request", place / "card"
    place.refuses("card", "request", "--network", "example-net", says="identity.key: the key is locked", code=9)
    place.ok("card", "request", "--network", "example-net", "-o", request, "--passphrase-file", secret)
    place.ok("card", "issue", request, "-o", card)
    place.ok("card", "install", card, "--issuer", issuer, "--passphrase-file", secret)


def test_a_locked_node_key_says_that_a_node_starts_unattended(place, secret):
    place.ok("id", "new", "--lock", "--passphrase-file", secret)
    (place.node / "node.key").write_bytes((place.node / "identity.key").read_bytes())
    result = place.run("id", "show", "--passphrase-file", secret)
    assert result.exit_code == 9
    assert "node.key: the key is locked" in result.stderr
