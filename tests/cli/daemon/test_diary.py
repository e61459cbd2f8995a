"""The diary: what was the last of each kind about a peer, and no more than it has room for."""

import pytest

from cards import Address
from cli.daemon import diary as module
from cli.daemon.diary import Diary
from p2pnoise import events

HOST = Address("192.0.2.7", 7060)


def failed(address=HOST, node_id=None, reason="connection refused"):
    return events.DialFailed(address=address, node_id=node_id, reason=reason, answered=False, retry_in=1.0)


@pytest.fixture
def diary():
    return Diary()


def test_the_same_again_is_counted_and_the_last_is_kept(diary):
    for at, reason in ((10, "connection refused"), (20, "timed out")):
        diary.take(failed(reason=reason), at)
    (entry,) = diary.about([HOST])
    assert (entry.count, entry.first, entry.last, entry.event.reason) == (2, 10, 20, "timed out")


def test_an_event_is_found_by_node_by_address_and_by_name_and_told_once(diary, node_id):
    refused = events.PeerRefused(node_id=node_id, name="eve", address=HOST, reason="expired", told=True, findings=())
    diary.take(refused, 1)
    for subjects in ([node_id], [HOST], ["eve"], [node_id, HOST, "eve"]):
        assert [entry.event for entry in diary.about(subjects)] == [refused]
    assert diary.named("eve") == [node_id]


def test_the_newest_comes_first(diary, node_id):
    diary.take(failed(node_id=node_id), 1)
    diary.take(events.RefusedByPeer(node_id=node_id, name=None, address=HOST, reason="busy"), 2)
    assert [entry.event.kind for entry in diary.about([node_id])] == ["refused-by-peer", "dial-failed"]


def test_a_subject_more_than_there_is_room_for_drives_out_the_quietest(diary, monkeypatch):
    monkeypatch.setattr(module, "MAX_SUBJECTS", 3)
    for port in (1, 2, 3):
        diary.take(failed(Address("192.0.2.7", port)), port)
    diary.take(failed(Address("192.0.2.7", 1)), 4)
    diary.take(failed(Address("192.0.2.7", 4)), 5)
    assert [bool(diary.about([Address("192.0.2.7", port)])) for port in (1, 2, 3, 4)] == [True, False, True, True]


def test_strangers_without_number_drive_out_nobody_who_was_vouched_for(diary, node_id, monkeypatch):
    monkeypatch.setattr(module, "MAX_STRANGERS", 3)
    known = events.PeerRefused(node_id=node_id, name="bob", address=HOST, reason="expired", told=True, findings=())
    diary.take(known, 1)
    for port in range(1, 100):
        where = Address("198.51.100.9", port)
        diary.take(events.ConnectionFailed(address=where, reason="junk"), 2)
        diary.take(
            events.PeerRefused(node_id=None, name=f"x{port}", address=where, reason="x", told=False, findings=()), 2
        )
    assert [entry.event for entry in diary.about(["bob"])] == [known]
    assert len(diary.names) < 5


def test_what_names_no_peer_is_about_ourselves(diary):
    diary.take(events.FileRejected(file="policy.toml", reason="not TOML"), 1)
    assert list(diary.own) == ["file-rejected"]
