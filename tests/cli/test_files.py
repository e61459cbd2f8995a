"""Files: whole or not at all, never over something, secrets for their owner alone."""

import os
import stat

import pytest

from cli import files
from cli.output import Fault


def _mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def _usual_umask():
    old = os.umask(0o022)
    yield
    os.umask(old)


@pytest.mark.parametrize("name", ["identity.key", "node.key"])
def test_a_node_s_keys_are_for_their_owner_alone(place, name):
    place.ok("id", "new")
    assert _mode(place.node / name) == 0o600


@pytest.mark.parametrize("name", ["issuer.key", "registry.db"])
@pytest.mark.usefixtures("issuer")
def test_an_issuer_s_secrets_are_for_their_owner_alone(place, name):
    assert _mode(place.issuer / name) == 0o600


@pytest.mark.parametrize("command", [("revoke", "self", "--network", "example-net"), ("issuer", "retire")])
@pytest.mark.usefixtures("issuer")
def test_an_end_that_waits_for_its_day_is_for_its_owner_alone(place, command):
    place.ok("id", "new")
    place.ok(*command, "--reason", "lost", "-o", place / "later.pem")
    assert _mode(place / "later.pem") == 0o600


@pytest.mark.usefixtures("issuer")
def test_data_folders_are_for_their_owner_alone(place):
    place.ok("id", "new")
    assert (_mode(place.node), _mode(place.issuer)) == (0o700, 0o700)


def test_a_secret_that_others_can_read_is_warned_of(place):
    place.ok("id", "new")
    (place.node / "node.key").chmod(0o644)
    assert f"fix: chmod 600 {place.node}/node.key" in place.ok("id", "show").stderr


def test_a_failed_write_leaves_what_was_there_and_no_rest(tmp_path, monkeypatch):
    target = tmp_path / "card.pem"
    target.write_text("old")
    monkeypatch.setattr(os, "fsync", _no_space)
    with pytest.raises(Fault, match="no space left for"):
        files.write(target, b"new", force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["card.pem"]
    assert target.read_text() == "old"


def _no_space(_descriptor):
    raise OSError(28, "No space left on device")


def test_nothing_is_replaced_without_force(tmp_path):
    target = tmp_path / "card.pem"
    target.write_text("old")
    with pytest.raises(Fault, match="exists already"):
        files.write(target, b"new")
    assert target.read_text() == "old"


def test_a_file_that_appears_while_writing_is_not_replaced(tmp_path, monkeypatch):
    target = tmp_path / "card.pem"
    real = os.fsync

    def fsync(descriptor):
        target.write_text("theirs")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(Fault, match="exists already"):
        files.write(target, b"ours")
    assert target.read_text() == "theirs"


def test_a_file_system_without_links_still_gets_new_files(tmp_path, monkeypatch):
    def link(*_args):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    files.write(tmp_path / "card.pem", b"new")
    assert (tmp_path / "card.pem").read_bytes() == b"new"


def test_a_symbolic_link_is_never_written_through(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Fault, match="symbolic link"):
        files.write(tmp_path / "link", b"new", force=True)
    assert not (tmp_path / "elsewhere").exists()


def test_a_device_is_never_replaced():
    with pytest.raises(Fault, match="not a regular file"):
        files.check_target(files.Path("/dev/null"), force=True)


def test_a_device_without_end_is_read_up_to_the_limit():
    with pytest.raises(Fault, match="more than 1000 bytes"):
        files.read("/dev/zero", limit=1000, what="card")


def test_a_large_file_is_refused_unread(tmp_path):
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(1 << 40)  # sparse; reading it would take all memory
    with pytest.raises(Fault, match="more than 1000 bytes"):
        files.read(huge, limit=1000, what="card")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (PermissionError(13, "Permission denied"), "x: permission denied"),
        (OSError(40, "Too many levels of symbolic links"), "x is a loop of symbolic links"),
        (OSError(5, "Input/output error"), "x: input/output error"),
        (NotADirectoryError(20, "Not a directory"), "x lies below something that is not a folder"),
    ],
)
def test_what_the_system_refuses_is_one_sentence_with_a_next_step(monkeypatch, error, sentence):
    def refuse(*_args, **_options):
        raise error

    monkeypatch.setattr(files.Path, "open", refuse)
    with pytest.raises(Fault) as caught:
        files.read("x", limit=10, what="card")
    assert (str(caught.value), caught.value.code) == (sentence, 1)
    assert caught.value.hint
