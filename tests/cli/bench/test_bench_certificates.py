"""The TLS side is what it says: TLS 1.3, verified on both ends, never resumed."""

import ssl

import pytest

from cli.bench.certificates import HOST, client_context, make_certificates, server_context

OURS, STRANGERS = (make_certificates("ecdsa") for _ in range(2))


def _shake(client, server):
    """Both ends after the handshake, and what the server sends along."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(down, up, server_hostname=HOST), server.wrap_bio(up, down, server_side=True)]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return (*ends, down)


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_both_ends_see_each_others_certificate(kind):
    certificates = make_certificates(kind)
    client, server, _ = _shake(client_context(certificates, mutual=True), server_context(certificates, mutual=True))
    assert client.version() == "TLSv1.3"
    assert (("commonName", "server"),) in client.getpeercert()["subject"]
    assert (("commonName", "client"),) in server.getpeercert()["subject"]


def test_a_server_that_alone_has_a_certificate_sees_none():
    client, server, _ = _shake(client_context(OURS, mutual=False), server_context(OURS, mutual=False))
    assert client.getpeercert()
    assert not server.getpeercert()


@pytest.mark.parametrize(("certificates", "mutual"), [(OURS, False), (STRANGERS, True)])
def test_the_server_refuses_a_client_without_a_certificate_of_this_ca(certificates, mutual):
    client = client_context(certificates, mutual=mutual)
    client.load_verify_locations(cadata=OURS.ca)
    with pytest.raises(ssl.SSLError, match="certificate"):
        _shake(client, server_context(OURS, mutual=True))


def test_the_client_refuses_a_server_of_another_ca():
    with pytest.raises(ssl.SSLCertVerificationError):
        _shake(client_context(OURS, mutual=True), server_context(STRANGERS, mutual=True))


def test_the_server_hands_out_no_tickets():
    _, server, down = _shake(client_context(OURS, mutual=True), server_context(OURS, mutual=True))
    sent = down.read()
    server.write(b"x")
    assert sent == b""
    assert len(down.read()) == 5 + 1 + 1 + 16  # one record: header, byte, its type, tag


def test_no_key_is_left_on_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    server_context(OURS, mutual=True)
    assert list(tmp_path.iterdir()) == []
