"""Crashes: however an issuer dies, no number ever means two things, and what was handed out is on record."""

import os
import random
import sqlite3
import time
from collections import defaultdict

import pytest
from click.testing import CliRunner

from cards import Card, IdentityKey, RevocationList
from cards.text import from_armor
from cli.main import root
from tests.patience import PATIENCE

ROUNDS = 10


class Power(BaseException):
    """The power goes out: nothing below may catch it."""


def _objects(paths, kind, label):
    """Every whole object in the files; a torn file fails the test, since files are whole or absent."""
    return [kind.parse(raw) for path in paths for found, raw in from_armor(path.read_text()) if found == label]


def _recorded(place):
    database = sqlite3.connect(place.issuer / "registry.db")
    rows = database.execute("SELECT serial, card_id FROM grants").fetchall()
    database.close()
    return dict(rows)


def _check_grants(place, acknowledged):
    meanings, recorded = defaultdict(set), _recorded(place)
    for path in place.path.glob("out-*.card"):
        for card in _objects([path], Card, "CARD"):
            meanings[card.grants[0].serial].add(card.grants[0].attrs + card.card_id)
            assert recorded[card.grants[0].serial] == card.card_id.hex()
    assert all(len(meaning) == 1 for meaning in meanings.values())
    assert all(path.exists() for path in acknowledged)


def _check_lists(place, acknowledged):
    paths = [*place.path.glob("out-*.list"), place.issuer / "revocations.pem"]
    meanings = defaultdict(set)
    for one in _objects(paths, RevocationList, "REVOCATION LIST"):
        meanings[one.sequence].add(one.digest)
    assert all(len(meaning) == 1 for meaning in meanings.values())
    assert all(path.exists() for path in acknowledged)


def _kill_at_random(place, commands, rng):
    """Run each command and kill it somewhere between its start and a bit past its end; those that had finished."""
    begin = time.monotonic()
    assert place.shell("card", "show").returncode == 0
    usual = time.monotonic() - begin
    finished = []
    for args, output in commands:
        process = place.start(*args, output)
        time.sleep(usual * rng.uniform(0.6, 1.6))  # imports take the first half; the interesting part comes after
        process.kill()
        if process.wait() == 0:
            finished.append(output)
    return finished


@pytest.mark.usefixtures("installed")
def test_card_issue_killed_at_any_moment_never_reuses_a_serial(place):
    rng = random.Random(7)
    requests = [place.make_request(f"n{i}", f"home{i}") for i in range(ROUNDS)]
    commands = [(["card", "issue", request, "-o"], place / f"out-{i}.card") for i, request in enumerate(requests)]
    finished = _kill_at_random(place, commands, rng)
    for i, request in enumerate(requests):  # and again, undisturbed
        place.ok("card", "issue", request, "-o", place / f"out-again{i}.card")
    _check_grants(place, finished)


@pytest.mark.usefixtures("installed")
def test_revoke_publish_killed_at_any_moment_never_reuses_a_number(place):
    rng = random.Random(11)
    commands = [(["revoke", "publish", "--output"], place / f"out-{i}.list") for i in range(ROUNDS)]
    finished = _kill_at_random(place, commands, rng)
    place.ok("revoke", "publish", "--output", place / "out-last.list")
    _check_lists(place, finished)


@pytest.mark.usefixtures("installed")
def test_revoke_add_that_was_acknowledged_survives_a_kill(place):
    process = place.start("revoke", "add", "db-03", stdout=-1, stderr=-1)
    assert process.stdout.read(7) == b"revoked"
    process.kill()
    process.communicate()
    assert place.json("revoke", "publish")["entries"] == 1


def _stopped_at(place, monkeypatch, step, *args):
    """Run a command whose `step`-th call that changes the disk does not happen, nor any after it; its exit code."""
    calls = iter(range(step, -1, -1))

    def failing(real):
        def call(*args, **options):
            if next(calls, 0) == 0:
                raise Power
            return real(*args, **options)

        return call

    with monkeypatch.context() as patch:
        for name in ("fsync", "link", "replace", "rename"):
            patch.setattr(os, name, failing(getattr(os, name)))
        try:
            return CliRunner().invoke(root, [*map(str, args)], env=place.env).exit_code
        except Power:
            return None


def _every_step(place, monkeypatch, *args):
    """Run a command again and again, stopped one step later each time; after how many it got through."""
    for step in range(30):
        code = _stopped_at(place, monkeypatch, step, *args[:-1], place / f"out-{step}{args[-1]}")
        if code is not None:
            assert code == 0
            return step
    return pytest.fail("it never got through")


@pytest.mark.usefixtures("issuer")
def test_card_issue_stopped_at_each_step_never_reuses_a_serial(place, monkeypatch):
    steps = _every_step(place, monkeypatch, "card", "issue", place.make_request(), "-o", ".card")
    assert steps > 2  # the steps were really taken one by one
    _check_grants(place, [place / f"out-{steps}.card"])


@pytest.mark.usefixtures("issuer")
def test_revoke_publish_stopped_at_each_step_never_reuses_a_number(place, monkeypatch):
    steps = _every_step(place, monkeypatch, "revoke", "publish", "--output", ".list")
    assert steps > 4
    _check_lists(place, [place / f"out-{steps}.list"])


@pytest.mark.usefixtures("issuer")
def test_card_request_stopped_at_each_step_never_reuses_a_sequence(place, monkeypatch):
    place.make_request()
    _every_step(place, monkeypatch, "card", "request", "--network", "example-net", "-o", ".card")
    cards = _objects(place.path.glob("*.card"), Card, "CARD")
    cards += _objects([place / "node.request", place.node / "request.pem"], Card, "CARD")
    assert len({card.sequence for card in cards}) == len({card.card_id for card in cards})


@pytest.mark.usefixtures("issuer")
def test_card_install_stopped_at_each_step_leaves_a_folder_that_works(place, monkeypatch):
    card = place.make_card()
    key = place.json("card", "show", place.issuer / "revocations.pem")["revocation_lists"][0]["issuer"]
    for step in range(20):
        code = _stopped_at(place, monkeypatch, step, "card", "install", card, "--issuer", key)
        if (place.node / "card.pem").exists():
            assert place.run("card", "verify").exit_code == 0
        if code == 0:
            return
    pytest.fail("it never got through")


def _secrets(place):
    """Every secret key in the node folder."""
    keys = [path.read_bytes() for path in place.node.glob("*.key*") if path.suffix != ".tmp"]
    return {IdentityKey.from_pem(pem).public for pem in keys}


@pytest.mark.usefixtures("installed")
def test_an_install_of_rotated_keys_stopped_at_each_step_loses_no_key(place, monkeypatch):
    place.ok("id", "rotate", "--identity", "-o", place / "new.request")
    place.ok("card", "issue", place / "new.request", "-o", place / "new.card")
    before = _secrets(place)
    for step in range(40):
        code = _stopped_at(place, monkeypatch, step, "card", "install", place / "new.card")
        assert _secrets(place) == before
        if code == 0:
            assert len(before) == 4
            assert place.run("card", "verify").exit_code == 0
            return
    pytest.fail("it never got through")


@pytest.mark.usefixtures("issuer")
def test_issuers_at_work_at_once_share_no_serial(place):
    requests = [place.make_request(f"n{i}", f"home{i}") for i in range(4)]
    running = [
        place.start("card", "issue", request, "-o", place / f"out-{i}.card") for i, request in enumerate(requests)
    ]
    assert [process.wait(PATIENCE) for process in running] == [0] * 4
    _check_grants(place, [])
    assert len(_recorded(place)) == 4


@pytest.mark.usefixtures("issuer")
def test_lists_published_at_once_share_no_number_and_the_last_one_stays(place):
    running = [place.start("revoke", "publish", "--output", place / f"out-{i}.list") for i in range(4)]
    assert [process.wait(PATIENCE) for process in running] == [0] * 4
    _check_lists(place, [])
    assert place.json("card", "show", place.issuer / "revocations.pem")["revocation_lists"][0]["sequence"] == 5
