"""Handshakes and transports of other implementations, byte for byte, in both roles."""

from p2pnoise.noise import HandshakeState, KeyPair, Protocol


def side_of(vector, role):
    """The HandshakeState that the vector describes, its ephemeral handed in as entropy."""
    remote = vector.get(f"{role}_remote_static")
    return HandshakeState(
        Protocol.parse(vector["protocol_name"]),
        initiator=role == "init",
        prologue=bytes.fromhex(vector[f"{role}_prologue"]),
        s=KeyPair.from_private(bytes.fromhex(vector[f"{role}_static"])),
        rs=bytes.fromhex(remote) if remote else None,
        entropy=lambda _: bytes.fromhex(vector[f"{role}_ephemeral"]),
    )


def assert_reproduced(vector):
    sides = [side_of(vector, "init"), side_of(vector, "resp")]
    ciphers = []
    for number, message in enumerate(vector["messages"]):
        payload, ciphertext = bytes.fromhex(message["payload"]), bytes.fromhex(message["ciphertext"])
        writer, reader = number % 2, 1 - number % 2
        if ciphers:
            assert ciphers[writer][0].encrypt_with_ad(b"", payload) == ciphertext
            assert ciphers[reader][1].decrypt_with_ad(b"", ciphertext) == payload
            continue
        assert sides[writer].write_message(payload) == ciphertext
        assert sides[reader].read_message(ciphertext) == payload
        if sides[0].finished:
            assert [side.handshake_hash.hex() for side in sides] == [vector["handshake_hash"]] * 2
            ciphers = [side.split() for side in sides]
    assert ciphers, "the vector ends inside its handshake"


def test_every_cacophony_vector_of_our_patterns_is_reproduced(cacophony_vectors):
    assert len(cacophony_vectors) == 16
    for vector in cacophony_vectors:
        assert_reproduced(vector)


def test_every_handshake_on_which_noiseprotocol_and_dissononce_agree_is_reproduced(oracle_vectors):
    assert len(oracle_vectors) == 16
    for vector in oracle_vectors:
        assert_reproduced(vector)
