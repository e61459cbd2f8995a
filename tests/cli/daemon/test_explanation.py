"""Explanations: the first step that fails is the cause, whatever else is known of a peer."""

from dataclasses import replace

import pytest

from cards import Address, Finding, Verdict
from cli.daemon.chain import explain
from cli.daemon.diary import Diary
from cli.daemon.explanation import Known, Subject
from p2pnoise import events

HOST = Address("192.0.2.7", 7060)
GOOD = Verdict(level="verified", findings=())
NOW = 1_800_000_000


def known_of(node_id, *happened, card=GOOD, own=GOOD, running=True, address=HOST, **more):
    diary = Diary()
    for at, event in enumerate(happened):
        diary.take(event, NOW - 100 + at)
    subject = Subject(
        text="eve", node_id=node_id, name="eve", addresses=((address, "its address record"),) if address else ()
    )
    entries = diary.about([one for one in (node_id, address, "eve") if one is not None])
    return Known(subject=subject, now=NOW, running=running, own=own, card=card, entries=entries, **more)


def rejected(code, message="why", severity="error"):
    return Verdict(level="reject", findings=(Finding(code, message, severity),))


def failed(node_id=None, reason="connection refused", *, answered=False):
    return events.DialFailed(address=HOST, node_id=node_id, reason=reason, answered=answered, retry_in=1.0)


def verified(node_id):
    return events.PeerVerified(
        node_id=node_id, name="eve", address=HOST, pattern="IK", dialled=True, groups=(), known_peers=2
    )


def refused_by(node_id, reason):
    return events.RefusedByPeer(node_id=node_id, name="eve", address=HOST, reason=reason)


def test_a_link_that_stands_is_the_whole_answer(node_id):
    told = explain(known_of(node_id, linked_for=5.0, link_text="for 5 s"))
    assert (told.cause, told.exit, told.fix) == ("linked", 0, "")


def test_where_nothing_is_in_the_way_the_next_step_is_to_connect(node_id):
    told = explain(known_of(node_id))
    assert (told.cause, told.fix) == ("not-tried", "p2pnoise connect eve")


def test_nobody_who_was_ever_heard_of_is_said_to_be_unknown():
    told = explain(
        Known(subject=Subject(text="evve"), now=NOW, running=True, own=GOOD, card=None, entries=[], near=("eve",))
    )
    assert (told.cause, len(told.steps), told.exit) == ("unknown-peer", 1, 5)
    assert "did you mean eve?" in told.fix


@pytest.mark.parametrize(
    ("happened", "cause"),
    [
        ([failed()], "refused-port"),
        ([failed(reason="timed out")], "unreachable"),
        ([failed(reason="no handshake within 10 s", answered=True)], "no-handshake"),
        ([failed(reason="closed without a reason: perhaps", answered=True)], "refused-silently"),
        ([failed(reason="the connection was cut", answered=True)], "refused-silently"),
    ],
)
def test_how_a_dial_ended_is_the_cause(node_id, happened, cause):
    assert explain(known_of(node_id, *happened)).cause == cause


def test_a_dial_that_failed_before_the_peer_was_verified_says_nothing_any_more(node_id):
    assert explain(known_of(node_id, failed(node_id), verified(node_id))).cause == "not-tried"


@pytest.mark.parametrize("reason", ["revoked", "expired", "wrong-network", "not-trusted", "duplicate-node", "busy"])
def test_what_the_peer_says_of_us_is_the_cause_and_each_word_has_a_next_step(node_id, reason):
    told = explain(known_of(node_id, refused_by(node_id, reason)))
    assert told.cause == reason
    assert told.fix


def test_a_word_that_was_taken_back_since_says_nothing(node_id):
    assert explain(known_of(node_id, refused_by(node_id, "busy"), verified(node_id))).cause == "not-tried"


def test_whoever_else_answers_at_the_address_is_named(node_id, other_id):
    mismatch = (Finding("node-mismatch", "another"),)
    refused = events.PeerRefused(
        node_id=other_id, name="mallory", address=HOST, reason="not-trusted", told=False, findings=mismatch
    )
    told = explain(known_of(node_id, refused))
    assert (told.cause, told.exit) == ("wrong-address", 9)
    assert "mallory" in told.text


@pytest.mark.parametrize(
    ("code", "exit_code"), [("expired", 6), ("revoked", 7), ("wrong-network", 5), ("rollback", 8), ("not-yet-valid", 6)]
)
def test_a_card_that_does_not_count_is_the_cause_by_its_finding(node_id, code, exit_code):
    told = explain(known_of(node_id, card=rejected(code)))
    assert (told.cause, told.exit) == (code, exit_code)


def test_that_too_few_agree_is_never_the_cause_where_it_is_said_why(node_id):
    findings = (Finding("unknown-issuer", "signed by a stranger", "warning"), Finding("threshold", "0 of 1"))
    assert explain(known_of(node_id, card=Verdict(level="known", findings=findings))).cause == "unknown-issuer"
    assert explain(known_of(node_id, card=Verdict(level="known", findings=findings[1:]))).cause == "threshold"


def test_our_own_card_comes_before_all_that_is_wrong_with_others(node_id):
    told = explain(known_of(node_id, failed(), own=rejected("expired"), card=rejected("revoked")))
    assert told.cause == "expired"
    assert told.text.startswith("our own card")
    assert explain(known_of(node_id, own=None)).cause == "no-card"


def test_a_ban_comes_before_everything_that_the_peer_could_mend(node_id):
    findings = (Finding("banned", "it is banned"), Finding("expired", "it has ended"))
    told = explain(known_of(node_id, failed(), card=Verdict(level="reject", findings=findings)))
    assert told.cause == "banned"
    assert "unban" in told.fix


def test_a_node_that_does_not_run_says_what_its_files_do_first(node_id):
    assert explain(known_of(node_id, running=False, card=rejected("expired"))).cause == "expired"
    assert explain(known_of(node_id, running=False)).cause == "not-running"


def test_a_peer_without_an_address_that_nobody_ever_met_has_none(node_id):
    assert explain(known_of(node_id, address=None, card=None)).cause == "no-address"


def test_that_we_were_told_to_disconnect_is_said(node_id):
    told = explain(known_of(node_id, held_for=90.0))
    assert told.cause == "disconnected"
    assert "another 90 s" in told.text


def test_a_copy_of_a_linked_peer_is_told_all_the_same(node_id):
    copy = events.DuplicateNode(node_id=node_id, name="eve", address=HOST)
    told = explain(known_of(node_id, verified(node_id), copy, linked_for=5.0, link_text="for 5 s"))
    assert (told.cause, told.exit) == ("duplicate-node", 8)


def test_this_node_itself_is_no_peer_and_all_is_well(node_id):
    told = explain(known_of(node_id, card=rejected("self-peer"), own_copies=[]))
    assert (told.cause, told.exit) == ("this-node", 0)


def test_this_node_itself_is_told_of_its_copies(node_id, other_id):
    diary = Diary()
    diary.take(events.OwnKeyElsewhere(node_id=other_id, name="carol", address=HOST), NOW - 5)
    told = explain(known_of(node_id, own_copies=list(diary.own.values())))
    assert (told.cause, told.exit) == ("duplicate-node", 8)


def test_what_a_member_says_of_a_copy_is_told_as_its_word_and_not_for_ever(node_id, other_id):
    diary = Diary()
    diary.take(events.OwnKeyElsewhere(node_id=other_id, name="carol", address=HOST), NOW - 5)
    assert explain(known_of(node_id, own_copies=list(diary.own.values()))).text.startswith("carol says")
    diary.take(events.OwnKeyElsewhere(node_id=other_id, name="carol", address=HOST), NOW - 5000)
    assert explain(known_of(node_id, own_copies=list(diary.own.values()))).cause == "this-node"


def test_a_copy_that_nobody_has_seen_for_long_is_over(node_id):
    diary = Diary()
    diary.take(events.DuplicateNode(node_id=node_id, name="eve", address=HOST), NOW - 5000)
    known = known_of(node_id, linked_for=5.0, link_text="for 5 s")
    assert explain(replace(known, entries=diary.about([node_id]))).cause == "linked"


def test_a_peer_that_dialled_us_and_was_refused_is_not_unreachable(node_id):
    diary = Diary()
    diary.take(failed(node_id, reason="timed out"), NOW - 86400)
    findings = (Finding("revoked", "by ops"),)
    diary.take(
        events.PeerRefused(node_id=node_id, name="eve", address=HOST, reason="revoked", told=True, findings=findings),
        NOW - 1,
    )
    known = replace(known_of(node_id, card=rejected("revoked")), entries=diary.about([node_id]))
    assert explain(known).cause == "revoked"


def test_the_ban_of_a_key_whose_card_nobody_holds_is_the_cause(node_id):
    ban = Finding("banned", "it is banned here")
    assert explain(known_of(node_id, card=None, ban=ban)).cause == "banned"
    assert explain(known_of(None, card=None, address=None, ban=ban)).cause == "banned"
