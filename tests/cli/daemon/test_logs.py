"""Logs: one line for each cause and a count in place of a flood; and nothing is lost that somebody must see once."""

import json
import random

import pytest

from cards import Address, Finding, NodeKey
from cli.daemon.config import Log
from cli.daemon.logs import AT_ONCE, CAUSES, STRANGERS, LogBook
from p2pnoise import events

HOUR = 3600
START = 1_800_000_000.0
THERE = Address("192.0.2.7", 7060)
NODES = [NodeKey.generate(random.Random(seed).randbytes).public for seed in range(60)]
EXPIRED = (Finding("expired", "it ended at some time"),)


def refused(node=NODES[0], *, port=4000, host="192.0.2.7", told=True, findings=EXPIRED):
    address = Address(host, port)
    return events.PeerRefused(node_id=node, name="bob", address=address, reason="expired", told=told, findings=findings)


def failed(host, reason="no handshake within 10 s", port=4000):
    return events.ConnectionFailed(address=Address(host, port), reason=reason)


def lost(node=NODES[0]):
    return events.PeerLost(node_id=node, name="bob", reason="closed by the peer")


def played(book, told, end=None):
    """The lines of these (seconds, event), and of the time that passes until `end`."""
    lines, steps = [], sorted([*told, *([(end, None)] if end is not None else [])], key=lambda step: step[0])
    for at, event in steps:
        while (due := book.deadline()) is not None and due < START + at:
            lines += book.flush(due)
        lines += book.take(event, START + at) if event is not None else book.flush(START + at)
    return lines


@pytest.fixture
def book():
    return LogBook(Log())


@pytest.fixture
def json_book():
    return LogBook(Log(format="json"))


def test_the_first_of_a_cause_is_told_at_once_and_the_others_as_one_line(book):
    lines = played(book, [(second, refused(port=4000 + second)) for second in range(13)], end=60)
    assert len(lines) == 2
    assert lines[0].endswith("expired, it ended at some time; told so")
    assert lines[1].endswith("... 12 more like it in 60 s")


def test_a_cause_that_comes_once_is_one_line(book):
    assert len(played(book, [(0, refused())], end=HOUR)) == 1
    assert book.deadline() is None


def test_an_expired_peer_that_redials_for_an_hour_is_a_line_a_minute(book):
    times = [tenth / 10 for tenth in range(HOUR * 10)]
    told = [(at, refused(port=1024 + index % 60_000)) for index, at in enumerate(times)]
    told += [(at, failed("192.0.2.7", port=1024 + index % 60_000)) for index, at in enumerate(times)]
    told += [(at, events.Dialling(address=THERE, source="table", node_id=NODES[0], name="bob")) for at in times]
    why = {"address": THERE, "node_id": NODES[0], "reason": "not-trusted", "answered": False}
    told += [(at, events.DialFailed(**why, retry_in=at % 7)) for at in times]
    lines = played(book, told, end=HOUR)
    assert 4 * 60 <= len(lines) <= 4 * 62
    assert sum(map(len, lines)) < 50_000


def test_the_counts_of_a_flood_add_up(json_book):
    times = [tenth / 10 for tenth in range(6_000)]
    lines = [json.loads(line) for line in played(json_book, [(at, refused()) for at in times], end=HOUR)]
    assert sum(line.get("more", 1) for line in lines) == 6_000
    assert {line["event"] for line in lines} == {"peer-refused"}


def test_a_cause_that_was_quiet_for_a_while_is_told_at_once_again(book):
    assert len(played(book, [(0, refused()), (61, refused())])) == 2


@pytest.mark.parametrize(
    "other",
    [
        refused(NODES[1]),
        refused(findings=(Finding("revoked", "by ops"),)),
        lost(),
        events.RefusedByPeer(node_id=NODES[0], name="bob", address=THERE, reason="expired"),
    ],
)
def test_another_peer_reason_or_kind_is_another_cause(book, other):
    assert len(played(book, [(0, refused()), (0, other)])) == 2


def test_a_scanner_from_many_hosts_and_for_many_reasons_is_bounded(book):
    rng = random.Random(1)
    flood = [
        (index / 100, failed(f"10.0.{rng.randrange(256)}.{rng.randrange(256)}", f"junk {rng.random()}"))
        for index in range(6_000)
    ]
    lines = played(book, flood, end=180)
    assert len(lines) == STRANGERS + 1
    assert lines[-1].endswith(f"and          {6_000 - STRANGERS} more of other causes in 60 s: connection-failed")


def test_the_count_of_the_others_is_json_too(json_book):
    lines = played(json_book, [(0, failed(f"10.0.0.{number}")) for number in range(100)], end=60)
    assert json.loads(lines[-1]) == {
        "at": START + 60, "event": "others", "kind": "connection-failed", "more": 100 - STRANGERS, "seconds": 60
    }  # fmt: skip


def test_a_flood_of_strangers_hides_no_member_that_is_refused(book):
    flood = [(0, refused(NODES[number % 50], host=f"10.0.0.{number}", told=False)) for number in range(200)]
    lines = played(book, [*flood, (1, refused(NODES[55]))])
    assert "told so" in lines[-1]
    assert len(lines) == STRANGERS + 1


@pytest.mark.parametrize(
    "event",
    [
        events.DuplicateNode(node_id=NODES[3], name="eve", address=THERE),
        events.OwnKeyElsewhere(node_id=NODES[3], name="eve", address=THERE),
        events.OwnCardRejected(findings=EXPIRED),
        events.FileRejected(file="policy.toml", reason="broken"),
        events.ListDue(issuer="ops", sequence=4, seconds_left=60),
        events.Stopped(node_id=NODES[0]),
    ],
    ids=lambda event: event.kind,
)
def test_what_an_operator_must_see_is_told_at_once_whatever_else_there_is(book, event):
    flood = [(0, type(event)(**{**fields_of(event), **change(event, number)})) for number in range(1_000)]
    flood += [(0, failed(f"10.0.{number // 250}.{number % 250}")) for number in range(1_000)]
    lines = played(book, flood)
    before = len(lines)
    assert len(lines + played(book, [(1, event)])) == before + 1


def fields_of(event):
    return {name: getattr(event, name) for name in event.__dataclass_fields__ if name != "kind"}


def change(event, number):
    """Other values, as of another cause of the same kind."""
    match event:
        case events.FileRejected():
            return {"file": f"file {number}"}
        case events.ListDue():
            return {"sequence": 1_000 + number}
        case events.OwnCardRejected():
            return {"findings": (Finding(("revoked", "threshold")[number % 2], "as such"),)}
        case _:
            return {"node_id": NODES[10 + number % 50]}


def test_a_file_that_is_broken_again_and_again_is_told_each_time(book):
    broken = [(second, events.FileRejected(file="policy.toml", reason=f"line {second}")) for second in range(AT_ONCE)]
    assert len(played(book, broken)) == AT_ONCE


def test_a_peer_that_gives_lists_without_end_for_reasons_without_end_is_bounded(book):
    given = [(0, events.FileRejected(file="the list that x gave", reason=f"it is {n}")) for n in range(5_000)]
    lines = played(book, given, end=60)
    assert len(lines) == AT_ONCE + 1
    assert lines[-1].endswith(f"{5_000 - AT_ONCE} more like it in 60 s")


def test_a_peer_that_comes_and_goes_is_told_in_turns_and_then_counted(book):
    verified = events.PeerVerified(
        node_id=NODES[0], name="bob", address=THERE, pattern="IK", dialled=False, groups=(), known_peers=2
    )
    turns = [(second, verified if second % 2 else lost()) for second in range(50)]
    lines = played(book, turns, end=61)
    assert len(lines) == 2 * AT_ONCE + 2
    assert ["lost" in line for line in lines[:4]] == [True, False, True, False]


def test_peers_without_end_are_bounded_and_counted(book):
    learned = [
        (0, events.CardLearned(node_id=NODES[0], name="a", sequence=n, learned_from=NODES[1], known_peers=n))
        for n in range(1_000)
    ]
    assert len(played(book, learned, end=60)) == CAUSES + 1
    assert book.deadline() is None or not played(book, [], end=HOUR)


def test_what_is_kept_of_causes_is_bounded_and_goes_away(book):
    for minute in range(30):
        played(book, [(minute * 60, failed(f"10.{minute}.0.{number}")) for number in range(200)])
        assert len(book._causes) <= 2 * STRANGERS + 2
    played(book, [], end=2 * HOUR)
    assert not book._causes
    assert not any(book._told_apart.values())


def test_what_was_counted_is_told_at_the_end(book):
    played(book, [(0, refused()), (1, refused()), (2, refused())])
    (line,) = book.end(START + 3)
    assert line.endswith("2 more like it in 3 s")
    assert book.deadline() is None


@pytest.mark.parametrize("jump", [-86_400, 86_400])
def test_a_clock_that_is_set_delays_nothing(book, jump):
    played(book, [(0, refused()), (1, refused())])
    lines = book.flush(START + jump)
    assert len(lines) == 1
    assert book.flush(START + jump + 61) == []
    assert len(book.take(refused(), START + jump + 62)) == 1


def test_at_the_level_of_warnings_the_life_of_the_network_is_not_told():
    book = LogBook(Log(level="warning"))
    assert book.take(lost(), START) == []
    assert len(book.take(refused(), START)) == 1
    assert len(book.take(events.ListDue(issuer="ops", sequence=1, seconds_left=5), START)) == 1


def test_another_time_of_repeat_is_heeded():
    book = LogBook(Log(repeat=5))
    assert played(book, [(0, refused()), (1, refused())], end=5)[-1].endswith("1 more like it in 5 s")


@pytest.mark.parametrize("text", ["\x1b[2J", "two\nlines", "\u202eleft", "\udcff"])
@pytest.mark.parametrize("kind", ["text", "json"])
def test_no_text_of_a_stranger_breaks_a_line(kind, text):
    book = LogBook(Log(format=kind))
    lines = played(book, [(0, failed("10.0.0.1", text)), (0, failed("10.0.0.1", text))], end=60)
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("seed", range(5))
def test_whatever_comes_is_counted_once_and_only_once(seed):
    rng, book = random.Random(seed), LogBook(Log(format="json"))
    kinds = [
        lambda: refused(rng.choice(NODES), told=rng.random() < 0.5),
        lambda: failed(f"10.0.0.{rng.randrange(60)}", rng.choice("abc")),
        lambda: lost(rng.choice(NODES[:5])),
        lambda: events.FileRejected(file=rng.choice("ab"), reason="x"),
    ]
    told = [(rng.random() * 600, rng.choice(kinds)()) for _ in range(3_000)]
    lines = [*played(book, told), *book.end(START + 700)]
    assert sum(json.loads(line).get("more", 1) for line in lines) == 3_000
