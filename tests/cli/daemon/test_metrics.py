"""Metrics: every number of the table, read by Prometheus' own parser, over HTTP and from a node in memory."""

import socket
import urllib.request
from contextlib import suppress

import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families

from cards import Address, NodeKey
from cli.daemon import scraping
from cli.daemon.metrics import TABLE, Counts, NodeMetrics
from cli.output import Fault
from p2pnoise import events, testing
from tests.patience import PATIENCE

LOCAL = Address("127.0.0.1", 0)
THERE = Address("192.0.2.7", 7060)
NODE = NodeKey.generate(bytes).public


def parsed(text):
    """The values of a page, by name and labels."""
    families = text_string_to_metric_families(text.decode())
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


# What it says


@pytest.fixture
async def pair(autojump_clock):
    async with testing.connected_nodes(2) as nodes:
        yield nodes


async def test_every_metric_of_the_table_is_there_with_its_help(pair, autojump_clock):
    text = NodeMetrics(pair[0], Counts(), started=1.0, now=lambda: 2_000_000_000).text().decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert {name: families[name].documentation for name in TABLE} == {name: one.help for name, one in TABLE.items()}
    assert {name: families[name].type for name in TABLE} == {
        name: "counter" if one.counts else "gauge" for name, one in TABLE.items()
    }
    assert all(name in TABLE or name.startswith("process_") for name in families)


async def test_a_node_is_read_as_it_is(pair, autojump_clock):
    ada, _ = pair
    now = pair[0]._driver._surroundings.unix()
    page = parsed(NodeMetrics(ada, Counts(), started=17.0, now=lambda: now).text())
    assert page["p2pnoise_links", "up"] == page["p2pnoise_verified_peers",] == 1
    assert page["p2pnoise_links", "handshake"] == 0
    assert page["p2pnoise_known_peers",] == 2
    assert page["p2pnoise_start_time_seconds",] == 17
    assert page["p2pnoise_received_bytes_total",] > 100
    assert page["p2pnoise_sent_bytes_total",] > 100
    assert page["p2pnoise_own_card_seconds",] > 0
    (due,) = [value for key, value in page.items() if key[0] == "p2pnoise_list_due_seconds"]
    assert due > 0
    (info,) = [key for key in page if key[0] == "p2pnoise_info"]
    assert str(ada.node_id) in info


async def test_a_stream_is_counted_while_it_is_open(pair, autojump_clock):
    ada, bob = pair
    held = trio.Event()
    bob.handle("hold", lambda _stream: held.wait())
    page = NodeMetrics(ada, Counts(), started=0, now=trio.current_time)
    async with await ada.open_stream(bob.node_id, "hold"):
        assert parsed(page.text())["p2pnoise_streams",] == 1
    held.set()
    await trio.sleep(5)
    assert parsed(page.text())["p2pnoise_streams",] == 0


async def test_a_card_that_does_not_count_has_no_seconds_left(pair, autojump_clock):
    page = parsed(NodeMetrics(pair[0], Counts(), started=0, now=lambda: 4_000_000_000).text())
    assert page["p2pnoise_own_card_seconds",] == 0


async def test_a_page_is_used_again_for_a_second(pair, autojump_clock):
    now = [100.0]
    page = NodeMetrics(pair[0], counts := Counts(), started=0, now=lambda: now[0])
    before = page.text()
    counts.take(events.Stopped(node_id=NODE))
    assert page.text() is before
    now[0] += 1
    assert parsed(page.text())["p2pnoise_events_total", "stopped"] == 1
    now[0] -= 3600  # the clock was put back
    assert page.text() is not before


def test_what_happens_is_counted_by_kind_and_reason():
    counts = Counts()
    for reason in ("not-trusted", "not-trusted", "connection refused", "no answer within 10 s", "a peer's own words"):
        counts.take(events.DialFailed(address=THERE, node_id=None, reason=reason, answered=False, retry_in=1.0))
    counts.take(events.Dialling(address=THERE, source="bootstrap", node_id=None, name=None))
    counts.take(events.PeerRefused(node_id=NODE, name=None, address=THERE, reason="revoked", told=True, findings=()))
    counts.take(events.RefusedByPeer(node_id=NODE, name=None, address=THERE, reason="busy"))
    assert counts.by_name == {
        "p2pnoise_events": {
            ("dial-failed",): 5, ("dialling",): 1, ("peer-refused",): 1, ("refused-by-peer",): 1
        },
        "p2pnoise_dials": {("bootstrap",): 1},
        "p2pnoise_dial_failures": {("not-trusted",): 2, ("refused",): 1, ("timeout",): 1, ("other",): 1},
        "p2pnoise_refusals": {("revoked",): 1},
        "p2pnoise_refusals_by_peers": {("busy",): 1},
    }  # fmt: skip


def test_reasons_without_end_make_no_series_without_end():
    counts = Counts()
    for number in range(1_000):
        reason = f"the other side refuses this protocol and speaks {number}"
        counts.take(events.DialFailed(address=THERE, node_id=None, reason=reason, answered=True, retry_in=1.0))
    assert counts.by_name["p2pnoise_dial_failures"] == {("other",): 1_000}


# How it is fetched


@pytest.fixture
async def site(nursery):
    """Serves a page that says how often it was asked for; the address."""
    asked = []

    def page():
        asked.append(1)
        return b"page %d\n" % len(asked)

    (address,) = await nursery.start(scraping.serve, LOCAL, page)
    return address


async def exchange(address, request):
    """What a server says to these bytes."""
    async with await trio.open_tcp_stream(address.host, address.port) as stream:
        await stream.send_all(request)
        return b"".join([data async for data in stream])


async def test_an_ordinary_client_gets_the_page(site):
    def fetch():
        with urllib.request.urlopen(f"http://{site}/metrics?x=1", timeout=PATIENCE) as response:
            return response.headers["Content-Type"], response.read()

    assert await trio.to_thread.run_sync(fetch) == (scraping.CONTENT_TYPE, b"page 1\n")


@pytest.mark.parametrize(
    ("request_line", "status"),
    [("GET / HTTP/1.1", 404), ("GET /metricsx HTTP/1.1", 404), ("POST /metrics HTTP/1.1", 405), ("x", 404), ("", 404)],
)
async def test_anything_else_is_refused_with_a_status(site, request_line, status):
    answer = await exchange(site, request_line.encode() + b"\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 %d " % status)


async def test_a_request_byte_by_byte_is_one(site):
    async with await trio.open_tcp_stream(site.host, site.port) as stream:
        for byte in b"GET /metrics HTTP/1.1\r\n\r\n":
            await stream.send_all(bytes([byte]))
        assert (await stream.receive_some(4096)).endswith(b"page 1\n")


@pytest.mark.parametrize("junk", [b"", b"\x00" * 100, b"GET /metrics", b"x" * (scraping.MAX_REQUEST + 8192)])
async def test_what_is_no_request_gets_no_answer_and_harms_nothing(site, junk):
    async with await trio.open_tcp_stream(site.host, site.port) as stream:
        try:
            await stream.send_all(junk)
            await stream.send_eof()
            assert await stream.receive_some(100) == b""
        except trio.BrokenResourceError:
            pass
    assert b" 200 OK" in await exchange(site, b"GET /metrics HTTP/1.0\r\n\r\n")


async def test_readers_who_say_nothing_are_bounded_and_sent_away_in_time(site, monkeypatch):
    silent = [await trio.open_tcp_stream(site.host, site.port) for _ in range(scraping.MAX_READERS)]
    while await said(site) != b"":  # until all of them have been taken
        pass
    await silent.pop().aclose()
    with trio.fail_after(PATIENCE):
        while b" 200 OK" not in await said(site):
            pass
    for stream in silent:
        await stream.aclose()


async def said(site, request=b"GET /metrics HTTP/1.1\r\n\r\n"):
    """The answer; nothing where we were sent away before we had asked."""
    try:
        return await exchange(site, request)
    except trio.BrokenResourceError:
        return b""


async def test_a_reader_who_says_nothing_is_sent_away_in_time(nursery, monkeypatch):
    monkeypatch.setattr(scraping, "PATIENCE", 0.05)
    (address,) = await nursery.start(scraping.serve, LOCAL, lambda: b"")
    with trio.fail_after(PATIENCE):
        assert await said(address, b"GET /met") == b""


async def test_a_reader_who_does_not_read_is_sent_away_in_time(nursery, monkeypatch):
    monkeypatch.setattr(scraping, "PATIENCE", 0.05)
    (address,) = await nursery.start(scraping.serve, LOCAL, lambda: b"x" * 50_000_000)
    async with await trio.open_tcp_stream(address.host, address.port) as stream:
        await stream.send_all(b"GET /metrics HTTP/1.1\r\n\r\n")
        await trio.sleep(0.2)
        read = 0
        with suppress(trio.BrokenResourceError):
            while data := await stream.receive_some(1_000_000):
                read += len(data)
        assert read < 50_000_000


async def test_a_page_that_fails_is_an_answer_too(nursery):
    (address,) = await nursery.start(scraping.serve, LOCAL, lambda: 1 // 0)
    assert b" 500 " in await exchange(address, b"GET /metrics HTTP/1.1\r\n\r\n")


async def test_a_port_that_is_taken_is_a_fault():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = Address("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(Fault, match="address already in use"):
            await scraping.serve(address, lambda: b"")


async def test_a_host_that_is_none_is_a_fault():
    with pytest.raises(Fault, match=r"cannot listen on 192\.0\.2\.1:1 for metrics"):
        await scraping.serve(Address("192.0.2.1", 1), lambda: b"")
