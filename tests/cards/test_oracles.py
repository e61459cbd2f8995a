"""Cards against others' work: published Ed25519 vectors, libsodium, BIP-350, openssl, and the pure msgpack."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nacl.bindings
import nacl.exceptions
import pytest

import cards
from cards import statements
from cards.edwards import edwards_image, is_edwards_image
from cards.text import from_bech32m, to_bech32m
from tests.patience import PATIENCE

HERE = Path(__file__).parent


def libsodium(key, signature, message):
    try:
        nacl.bindings.crypto_sign_open(signature + message, key)
    except (nacl.exceptions.BadSignatureError, ValueError):
        return False
    return True


def cctv(vectors):
    for test in vectors("cctv-ed25519.json"):
        yield bytes.fromhex(test["key"]), bytes.fromhex(test["sig"]), test["msg"].encode()


def test_without_the_screen_the_edge_cases_are_judged_otherwise(vectors, monkeypatch):
    monkeypatch.setattr(statements, "is_sound_point", lambda _encoded: True)
    assert sum(statements.verify(*case, "cryptography") != libsodium(*case) for case in cctv(vectors)) > 100


def test_whichever_library_verifies_it_is_screened_and_agrees(vectors):
    assert set(statements.ENGINES) == {"cryptography", "libsodium"}
    for case in cctv(vectors):
        assert {statements.verify(*case, engine) for engine in statements.ENGINES} == {libsodium(*case)}


@pytest.mark.parametrize(
    ("hidden", "engine"), [("", "libsodium"), ("sys.modules['nacl.bindings'] = None;", "cryptography")]
)
def test_who_verifies_is_chosen_by_what_is_installed(hidden, engine):
    """In a process of its own, in one of which libsodium cannot be imported."""
    code = f"import sys; {hidden} from cards import statements; print(statements.ENGINE)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert done.stdout == f"{engine}\n"


def test_a_node_id_is_what_libsodium_makes_of_its_ed25519_key(world):
    for n in range(200):
        seed = hashlib.sha256(bytes([n])).digest()
        key, _ = nacl.bindings.crypto_sign_seed_keypair(seed)
        u = nacl.bindings.crypto_sign_ed25519_pk_to_curve25519(key)
        assert edwards_image(u) == key[:31] + bytes([key[31] & 0x7F])
        assert is_edwards_image(key, u)
        assert not is_edwards_image(key, world.node.public)
        if not key[31] >> 7:
            node = cards.NodeKey(seed)
            assert (node.public, node.public.signing_key) == (u, key)
            assert nacl.bindings.crypto_scalarmult_base(node.static) == u
    assert world.node.public.signing_key


def test_what_we_sign_libsodium_verifies(world):
    body = world.card.body
    assert libsodium(world.identity.public, world.card.key_signature, world.message("card.key", body))
    binding = world.message("card.node", b"example-net", world.identity.public, world.node.public)
    assert libsodium(world.node.public.signing_key, world.card.node_signature, binding)
    [grant] = world.card.grants
    assert libsodium(world.issuer.public, grant.signature, world.message("card.app", body, grant.attrs))


BIP350_VALID = [
    "a1lqfn3a",
    "an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6",
    "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx",
    "split1checkupstagehandshakeupstreamerranterredcaperredlc445v",
    "?1v759aa",
]
BIP350_INVALID = [
    ("qyrz8wqd2c9m", "no separator"),
    ("1qyrz8wqd2c9m", "empty prefix"),
    ("y1b0jsk6g", "a character of no word"),
    ("lt1igcx5c0", "a character of no word"),
    ("in1muywd", "a checksum that is too short"),
    ("mm1crxm3i", "a character of no word in the checksum"),
    ("au1s5cgom", "a character of no word in the checksum"),
    ("M1VUXWEZ", "a checksum over the upper-case prefix"),
    ("16plkw9", "empty prefix"),
    ("1p2gdwpf", "empty prefix"),
    ("A1LQFN3A", "upper case, which we do not take"),
    ("a12uel5l", "bech32 rather than bech32m"),
]


@pytest.mark.parametrize("text", BIP350_VALID)
def test_a_valid_string_of_bip_350_is_read_and_written_again(text):
    prefix, _, rest = text.rpartition("1")
    size = (len(rest) - 6) * 5 // 8
    assert to_bech32m(prefix, from_bech32m(prefix, text, size=size)) == text


@pytest.mark.parametrize(("text", "reason"), BIP350_INVALID)
def test_an_invalid_string_of_bip_350_is_text_invalid(text, reason):
    prefix, _, rest = text.rpartition("1")
    for size in {0, max(0, (len(rest) - 6) * 5 // 8)}:
        with pytest.raises(cards.CardError) as caught:
            from_bech32m(prefix or "x", text, size=size)
        assert caught.value.code == "text-invalid", reason


@pytest.fixture(scope="session")
def openssl():
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("skipped the comparisons of key files with openssl: no openssl on PATH")
    return program


@pytest.mark.parametrize("kind", ["identity", "node", "issuer"])
def test_openssl_reads_the_key_files_that_we_write(world, openssl, kind):
    key = getattr(world, kind)
    der = subprocess.run(
        [openssl, "pkey", "-pubout", "-outform", "DER"],
        input=key.to_pem(),
        capture_output=True,
        check=True,
        timeout=PATIENCE,
    ).stdout
    assert der[-32:] == (key.public.signing_key if kind == "node" else key.public)
    assert type(key).from_pem(key.to_pem()).public == key.public


def test_we_read_the_key_files_that_openssl_writes(openssl):
    command = [openssl, "genpkey", "-algorithm", "ed25519"]
    pem = subprocess.run(command, capture_output=True, check=True, timeout=PATIENCE).stdout
    der = subprocess.run(
        [openssl, "pkey", "-pubout", "-outform", "DER"], input=pem, capture_output=True, check=True, timeout=PATIENCE
    ).stdout
    assert cards.IdentityKey.from_pem(pem).public == der[-32:]


def test_a_key_file_of_another_kind_is_malformed(openssl):
    pem = subprocess.run(
        [openssl, "genpkey", "-algorithm", "x25519"], capture_output=True, check=True, timeout=PATIENCE
    ).stdout
    with pytest.raises(cards.CardError, match="Ed25519 expected"):
        cards.IdentityKey.from_pem(pem)


@pytest.mark.parametrize("scheme", [["-scrypt"], ["-v2", "aes-256-cbc", "-iter", "1000"]], ids=["scrypt", "pbkdf2"])
def test_we_read_the_key_files_that_openssl_locks(world, openssl, scheme):
    command = [openssl, "pkcs8", "-topk8", *scheme, "-passout", "pass:swordfish"]
    pem = subprocess.run(command, input=world.issuer.to_pem(), capture_output=True, check=True, timeout=PATIENCE).stdout
    assert cards.IssuerKey.from_pem(pem, b"swordfish").public == world.issuer.public


def test_openssl_reads_the_key_files_that_we_lock(world, openssl):
    pem = world.issuer.to_locked_pem(b"swordfish", os.urandom)
    command = [openssl, "pkey", "-passin", "pass:swordfish", "-pubout", "-outform", "DER"]
    der = subprocess.run(command, input=pem, capture_output=True, check=True, timeout=PATIENCE).stdout
    assert der[-32:] == world.issuer.public
