"""A folder that was restored from a backup, on real nodes: what was signed since then comes back, and lasts."""

import shutil
import signal

import pytest


@pytest.fixture
def hub(place, issuer, run):
    """A node that runs all the time."""
    place.key = issuer
    install(place, "hub")
    process = run("hub")
    process.wait("listening")
    return process


def install(place, name):
    """The next card of this name."""
    card = place.make_card(name, name)
    place.install(card, place.key, name)
    return place.card(card)


def live(hub, run):
    """ada runs until hub knows what it shows."""
    ada = run("ada", "--bootstrap", hub.bootstrap)
    ada.wait("peer-verified", name="hub")
    return ada


def stop(process):
    assert process.end(signal.SIGTERM) == (0, "")


def test_a_card_that_was_made_after_the_backup_comes_back_and_is_kept(place, hub, run):
    old = install(place, "ada")
    stop(live(hub, run))
    shutil.copytree(place / "ada", place / "backup")
    new = install(place, "ada")
    assert new.sequence > old.sequence
    stop(live(hub, run))
    shutil.rmtree(place / "ada")
    shutil.copytree(place / "backup", place / "ada")
    assert place.card(place / "ada" / "card.pem").raw == old.raw
    again = live(hub, run)
    assert again.wait("own-card-learned")["sequence"] == new.sequence
    place.ok("reload", "--home", again.home)  # has it look at its files
    assert place.card(place / "ada" / "card.pem").raw == new.raw
    stop(again)
    assert not again.find("own-card-rejected")
    assert not again.find("refused-by-peer")
    assert not again.find("file-rejected")
    last = live(hub, run)
    stop(last)
    assert not last.find("own-card-learned")
    assert place.card(place / "ada" / "card.pem").raw == new.raw


def test_a_kill_before_the_file_is_written_loses_nothing(place, hub, run):
    old = install(place, "ada")
    shutil.copyfile(place / "ada" / "card.pem", place / "old.pem")
    new = install(place, "ada")
    stop(live(hub, run))
    shutil.copyfile(place / "old.pem", place / "ada" / "card.pem")  # as it is before the first look at the files
    again = live(hub, run)
    assert again.wait("own-card-learned")["sequence"] == new.sequence > old.sequence
    place.ok("reload", "--home", again.home)
    assert place.card(place / "ada" / "card.pem").raw == new.raw
    assert not again.find("own-card-rejected")


def test_a_card_that_its_owner_installs_meanwhile_is_not_written_over(place, hub, run):
    install(place, "ada")
    shutil.copyfile(place / "ada" / "card.pem", place / "old.pem")
    install(place, "ada")
    stop(live(hub, run))
    newest = install(place, "ada")
    shutil.copyfile(place / "ada" / "card.pem", place / "newest.pem")
    shutil.copyfile(place / "old.pem", place / "ada" / "card.pem")
    (place / "ada" / "node.db").unlink()
    again = run("ada", "--bootstrap", hub.bootstrap)
    again.wait("listening")
    shutil.copyfile(place / "newest.pem", place / "ada" / "card.pem")
    again.wait("peer-verified", name="hub")
    place.ok("reload", "--home", again.home)
    assert place.card(place / "ada" / "card.pem").raw == newest.raw
