"""Vectors of the two primitives that cards stand on: Ed25519 signatures as we screen them, and X25519.

Wycheproof's files (C2SP/wycheproof) say what each case must come to. The edge cases of C2SP/CCTV and of
ed25519-speccheck say what libraries differ about, and not who is right: there we must judge as libsodium does.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import nacl.bindings
import nacl.exceptions

from cards.edwards import is_sound_u
from cards.statements import ENGINES, verify
from p2pnoise.noise.dh import DH_25519, KeyPair, dh
from p2pnoise.noise.errors import InvalidPublicKey
from tests.conformance.report import Report, UnusableFile, VectorFailed, load_json

Vector = Mapping[str, Any]
_NAMES = (("pub_key", "signature", "message"), ("key", "sig", "msg"))
"""Of the fields of an edge case: as in speccheck, whose message is hexadecimal, and as in CCTV, where it is text."""


def run_ed25519(path: Path, report: Report) -> None:
    """Judges every signature of the file. Raises UnusableFile."""
    loaded = load_json(path)
    if isinstance(loaded, list) and any(_names(case) for case in loaded):
        for number, case in enumerate(loaded, 1):
            report.run(f"{path.name}: case {number}", partial(_edge_case, case))
        return
    for name, group, test in _wycheproof(loaded, "EddsaVerify"):
        report.run(f"{path.name}: {name}", partial(_signature, group, test))


def run_x25519(path: Path, report: Report) -> None:
    """Plays every exchange of the file. Raises UnusableFile."""
    for name, _, test in _wycheproof(load_json(path), "XdhComp"):
        report.run(f"{path.name}: {name}", partial(_exchange, test))


def _wycheproof(loaded: object, kind: str) -> Iterator[tuple[str, Vector, Vector]]:
    """Each test with a name and its group. Raises UnusableFile."""
    groups = loaded.get("testGroups") if isinstance(loaded, dict) else None
    groups = [group for group in groups if isinstance(group, dict)] if isinstance(groups, list) else []
    tests = [
        (f"test {test.get('tcId')}", group, test)
        for group in groups
        if group.get("type") == kind and isinstance(group.get("tests"), list)
        for test in group["tests"]
        if isinstance(test, dict)
    ]
    if not tests:
        raise UnusableFile(f"of another form: testGroups of type {kind} expected", 3)
    return iter(tests)


def _signature(group: Vector, test: Vector) -> None:
    public = group.get("publicKey")
    key = _unhex(public.get("pk") if isinstance(public, dict) else None)
    judged = _verify(key, _unhex(test.get("sig")), _unhex(test.get("msg")))
    expected = _result(test, {"valid": True, "invalid": False})
    if judged != expected:
        raise VectorFailed(f"{'accepted' if judged else 'refused'}, {test['result']} expected")


def _edge_case(case: object) -> None:
    names = _names(case)
    if names is None or not isinstance(case, dict):
        raise VectorFailed("neither key, sig and msg nor pub_key, signature and message")
    key, signature = _unhex(case[names[0]]), _unhex(case[names[1]])
    message = str(case[names[2]]).encode() if names[2] == "msg" else _unhex(case[names[2]])
    ours, theirs = _verify(key, signature, message), _libsodium(key, signature, message)
    if ours != theirs:
        raise VectorFailed(f"{'accepted' if ours else 'refused'}, libsodium does not agree")


def _verify(key: bytes, signature: bytes, message: bytes) -> bool:
    """As all judge that may verify for us."""
    judged = {engine: verify(key, signature, message, engine) for engine in ENGINES}
    if len(set(judged.values())) > 1:
        raise VectorFailed(f"judged differently: {judged}")
    return judged["cryptography"]


def _libsodium(key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        nacl.bindings.crypto_sign_open(signature + message, key)
    except (nacl.exceptions.BadSignatureError, ValueError):
        return False
    return True


def _exchange(test: Vector) -> None:
    """The shared secret, or, where it is zero whatever our key, a refusal both as a peer's key and as a Node ID."""
    private, public, shared = (_unhex(test.get(name)) for name in ("private", "public", "shared"))
    _result(test, {"valid": True, "acceptable": True})
    if not any(shared):
        if is_sound_u(public):
            raise VectorFailed("a Node ID with which every secret is zero is accepted")
        try:
            _dh(private, public)
        except InvalidPublicKey:
            return
        raise VectorFailed("a secret of zeros is accepted")
    try:
        ours = _dh(private, public)
    except InvalidPublicKey:
        raise VectorFailed("refused as of low order") from None
    if ours != shared:
        raise VectorFailed(f"the secret is {ours.hex()}, {shared.hex()} expected")


def _dh(private: bytes, public: bytes) -> bytes:
    if len(private) != DH_25519.dh_len or len(public) != DH_25519.dh_len:
        raise VectorFailed(f"keys of {len(private)} and {len(public)} bytes, {DH_25519.dh_len} expected")
    return dh(KeyPair(private), DH_25519.public_key(public))


def _names(case: object) -> tuple[str, str, str] | None:
    """Under which names an edge case has its key, signature and message."""
    return next((names for names in _NAMES if isinstance(case, dict) and set(names) <= case.keys()), None)


def _result(test: Vector, known: Mapping[str, bool]) -> bool:
    if test.get("result") not in known:
        raise VectorFailed(f"the result is {str(test.get('result'))[:40]!r}, one of {', '.join(known)} expected")
    return known[test["result"]]


def _unhex(value: object) -> bytes:
    try:
        return bytes.fromhex(str(value))
    except ValueError:
        raise VectorFailed(f"{str(value)[:40]!r} is not hexadecimal") from None
