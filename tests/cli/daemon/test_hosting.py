"""Enrolment and renewal beside a real daemon: a machine with nothing becomes a peer, and nobody gets more than that."""

import signal

import pytest
import trio

from cards import Address, NodeId
from p2pnoise import RequestRefused, StreamCode, open_folder
from p2pnoise.enrolment import BACK, FIRST, PROLOGUE, JoinToken
from p2pnoise.node.link import APPLICATION_PROLOGUE as PEERS
from p2pnoise.noise import KeyPair
from p2pnoise.noisesocket.stream import NoiseStreamError, open_noise_stream


@pytest.fixture
def ada(place, run, member):
    """A running node with an enrol section, and a token of its issuer."""
    config = 'listen = ["127.0.0.1:0"]\n[enrol]\nlisten = "127.0.0.1:0"\nissuer_home = "../issuer"\n'
    (member("ada") / "node.toml").write_text(config)
    daemon = run("ada")
    daemon.wait("listening")
    while place.run("join", "token", "-o", place / "token", "--force", "--name", "db-03").exit_code:
        assert daemon.process.poll() is None
    return daemon


def test_a_machine_with_nothing_becomes_a_trusted_peer_in_one_command(place, run, ada):
    new = run("new", "--run", verb=("join", "run", place / "token"))
    assert new.wait("peer-verified")["name"] == "ada"
    joined = new.facts[0]
    assert joined["ok"]
    assert joined["peers"] == [ada.bootstrap]
    ada.wait("enrolled", name="db-03")
    ada.wait("peer-verified", name="db-03")
    assert new.end(signal.SIGTERM)[0] == 0


async def test_an_ordinary_peer_that_opens_streams_named_like_enrolment_gets_nothing(place, ada, member):
    """Case 95: what a connection may do is set by the port and its prologue, never by what a peer says."""
    bob = member("bob")
    async with open_folder(bob, listen=["127.0.0.1:0"]) as node:
        for protocol in ("p2pnoise/join", "p2pnoise/v1/join", "join", "enrol"):
            with pytest.raises(RequestRefused) as refused:
                await node.request(ada.bootstrap, protocol, b"\x92\x01\xa6status")
            assert refused.value.code == StreamCode.UNKNOWN_PROTOCOL


@pytest.mark.parametrize("protocol", [FIRST, BACK])
async def test_neither_port_understands_what_is_spoken_on_the_other(place, ada, protocol):
    token = JoinToken.parse((place / "token").read_text().strip())
    peers = Address.parse(ada.address)
    assert NodeId.parse(ada.node_id) == token.node_id
    joiner = KeyPair.from_private(b"\x01" * 32)

    async def shake_hands(address, prologue):
        stream = await open_noise_stream(
            address.host,
            address.port,
            s=joiner,
            rs=bytes(token.node_id),
            protocol=protocol,
            psks={2: token.psk} if protocol == FIRST else None,
            application_prologue=prologue,
            payload=token.token_id,
        )
        await trio.aclose_forcefully(stream)

    await shake_hands(token.addresses[0], PROLOGUE)
    for address, prologue in ((token.addresses[0], PEERS), (peers, PROLOGUE)):
        with pytest.raises(NoiseStreamError):
            await shake_hands(address, prologue)


def test_an_enrol_section_that_cannot_be_used_is_named_and_nothing_runs(place, member):
    config = 'listen = ["127.0.0.1:0"]\n[enrol]\nlisten = "127.0.0.1:0"\nissuer_home = "nowhere"\n'
    (member("ada") / "node.toml").write_text(config)
    result = place.shell("run", "--home", place / "ada")
    assert result.returncode == 1
    assert "no issuer in" in result.stderr
    assert "Traceback" not in result.stderr
