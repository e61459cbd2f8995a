"""Cases of cards and statements: a folder of files, through the library and, where it can be, the command line.

The form is told in tests/vectors/cards/README.md. What a case expects are codes and an exit; sentences are free.
"""

import contextlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cards
from cards.facts import BUILD_TIME, KINDS
from cards.findings import Finding, exit_code
from cards.text import from_armor
from cards.trust import Pin, TrustStore
from cli.main import root
from tests.conformance.report import Report, UnusableFile, VectorFailed

POLICY = "policy.toml"
ANY_TIME = BUILD_TIME + 86_400
"""When a case is judged that names no time."""

_STATEMENTS = {kind.what: label for label, kind in KINDS.items()} | {"revocation list": "REVOCATION LIST"}
_TEXTS = {
    "block": from_armor,
    "line": cards.Card.from_text,
    "policy": cards.Policy.from_toml,
    "node": cards.NodeId.parse,
    "identity": cards.IdentityId.parse,
    "issuer": cards.IssuerId.parse,
}


@dataclass(frozen=True)
class Outcome:
    """What judging came to: the findings in order, and the byte where a parser stopped, if it says."""

    findings: Sequence[Finding] = ()
    offset: int | None = None

    @property
    def exit(self) -> int:
        return exit_code(self.findings)

    @property
    def codes(self) -> list[str]:
        return [finding.code for finding in self.findings if finding.severity == "error"]

    @property
    def warnings(self) -> list[str]:
        return [finding.code for finding in self.findings if finding.severity == "warning"]

    @property
    def code(self) -> str | None:
        """The error that decides the exit."""
        errors = (finding for finding in self.findings if finding.severity == "error")
        return next((finding.code for finding in errors if finding.exit == self.exit), None)


def run(folder: Path, report: Report) -> None:
    """Plays every case of the folder. Raises UnusableFile."""
    if not folder.is_dir():
        raise UnusableFile("not a folder of cases", 1)
    names = sorted({path.name.split(".")[0] for kind in ("bin", "json") for path in folder.glob(f"*.{kind}")})
    if not names or not (folder / POLICY).is_file():
        raise UnusableFile(f"of another form: {POLICY}, and NAME.json beside NAME.bin or NAME.steps.json, expected", 3)
    try:
        policy = cards.Policy.from_toml(_text(_read(folder / POLICY)))
    except (cards.CardError, VectorFailed) as error:
        raise UnusableFile(f"{POLICY}: {error}", 3) from None
    for name in names:
        report.run(name, partial(play, folder, name, policy))


def play(folder: Path, name: str, policy: cards.Policy) -> None:
    """Judges one case in every way that there is for it. Raises VectorFailed."""
    expected = _object(folder / f"{name}.json")
    if type(expected.get("exit")) is not int or not isinstance(expected.get("code", 0), str | None):
        raise VectorFailed("says no exit, or no code or null")
    now, file = _number(expected.get("now", ANY_TIME)), folder / f"{name}.bin"
    with _one_hint() if expected.get("kids_collide") else contextlib.nullcontext():
        if (steps := folder / f"{name}.steps.json").exists():
            _compare(expected, _play_steps(_object(steps), policy, now))
            return
        _compare(expected, judge(str(expected.get("object", "card")), _read(file), policy, now))
    if expected.get("object", "card") == "card" and not expected.keys() & {"now", "kids_collide"}:
        _compare_command_line(expected, file)


def judge(kind: str, data: bytes, policy: cards.Policy, now: int) -> Outcome:
    """What the library says of one object by itself. Raises VectorFailed for a kind that there is not."""
    try:
        if kind == "card":
            return Outcome(cards.verify_card(cards.Card.parse(data), policy=policy, now=now).findings)
        if kind == "address record":
            record = cards.AddressRecord.parse(data)
            finding = record.check(network=policy.network, now=now, leeway=policy.leeway)
        elif kind in _STATEMENTS:
            _, finding = cards.Facts().add(cards.parse_fact(_STATEMENTS[kind], data), policy=policy, now=now)
        elif kind in _TEXTS:
            _TEXTS[kind](_text(data))
            return Outcome()
        else:
            raise VectorFailed(f"unknown object {kind[:40]!r}")
    except cards.CardError as error:
        return Outcome((error.finding,), error.offset)
    return Outcome((finding,) if finding else ())


def _play_steps(script: Mapping[str, Any], policy: cards.Policy, now: int) -> Outcome:
    """The outcome of the last step; every other must pass."""
    steps = script.get("steps")
    if not isinstance(steps, list) or not steps or not all(isinstance(step, dict) for step in steps):
        raise VectorFailed("steps is no list of objects")
    try:
        policy = cards.Policy.from_toml(str(script["policy"])) if "policy" in script else policy
    except cards.CardError as error:
        raise VectorFailed(f"policy: {error}") from None
    store, outcome = TrustStore(policy=policy), Outcome()
    for number, step in enumerate(steps, 1):
        if outcome.codes:
            raise VectorFailed(f"step {number - 1} came to {', '.join(outcome.codes)}")
        try:
            store, outcome = _step(step, store, now)
        except cards.CardError as error:
            outcome = Outcome((error.finding,), error.offset)
    return outcome


def _step(step: Mapping[str, Any], store: TrustStore, now: int) -> tuple[TrustStore, Outcome]:
    now = _number(step.get("now", now))
    change: Pin | cards.Policy
    match step:
        case {"verify": card}:
            static = _unhex(step["static"]) if "static" in step else None
            verdict = store.verify(_unhex(card), now, peer_static=static, established=step.get("established") is True)
            accepted = store.accepted(verdict) if step.get("accept") is True else store
            return accepted, Outcome(verdict.findings)
        case {"mark": identity, "sequence": sequence, "card_id": card_id}:
            heir = _unhex(step["next"]) if "next" in step else None
            mark = cards.Mark(_number(sequence), _unhex(card_id), heir)
            return replace(store, marks={**store.marks, _unhex(identity): mark}), Outcome()
        case {"pin": name, "identity": identity}:
            change = Pin(str(name), cards.IdentityId(_unhex(identity)))
        case {"policy": text}:
            change = cards.Policy.from_toml(str(text))
        case {"add": kind, "bytes": data} if kind in _STATEMENTS:
            fact = cards.parse_fact(_STATEMENTS[kind], _unhex(data))
            facts, finding = store.facts.add(fact, policy=store.policy, now=now, marks=store.marks)
            return replace(store, facts=facts), Outcome((finding,) if finding else ())
        case _:
            raise VectorFailed(f"unknown step {', '.join(map(str, step))[:80]}")
    store, finding = store.changed(change, now)
    return store, Outcome((finding,) if finding else ())


def _compare(expected: Mapping[str, Any], found: Outcome) -> None:
    _compare_said(expected, {key: getattr(found, key) for key in ("exit", "code", "codes", "warnings", "offset")})


def _compare_said(expected: Mapping[str, Any], said: Mapping[str, Any], by: str = "the library") -> None:
    for key, value in said.items():
        if key in expected and expected[key] != value:
            raise VectorFailed(f"{by} says {key} {value}, {expected[key]} expected")


def _compare_command_line(expected: Mapping[str, Any], file: Path) -> None:
    """`card verify` on the file itself. It takes many forms, so what begins like no card may be named another way."""
    output = io.StringIO()
    arguments = ["card", "verify", str(file), "--json", "--policy", str(file.parent / POLICY)]
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        try:
            root.main(arguments)
        except SystemExit as ended:
            said: dict[str, Any] = {"exit": ended.code}
    if _read(file)[:1] == b"\x95":
        try:
            findings = json.loads(output.getvalue())["findings"]
            for key, severity in (("codes", "error"), ("warnings", "warning")):
                said[key] = [one["code"] for one in findings if one["severity"] == severity]
        except (ValueError, LookupError, TypeError):
            raise VectorFailed(f"the command line says no findings: {output.getvalue()[:200]!r}") from None
    _compare_said(expected, said, "the command line")


@contextlib.contextmanager
def _one_hint() -> Iterator[None]:
    """Inside, all issuer keys have one hint: a collision of 64 bits, which nobody would wait for."""
    hint = cards.IssuerId.hint
    cards.IssuerId.hint = property(lambda _self: bytes(8))  # type: ignore[assignment]
    try:
        yield
    finally:
        cards.IssuerId.hint = hint  # type: ignore[method-assign]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise VectorFailed(f"{path.name} cannot be read: {error.strerror}") from None


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise VectorFailed("text that is not UTF-8") from None


def _object(path: Path) -> Mapping[str, Any]:
    try:
        loaded = json.loads(_text(_read(path)))
    except (ValueError, RecursionError) as error:
        raise VectorFailed(f"{path.name} is not JSON: {error}") from None
    if not isinstance(loaded, dict):
        raise VectorFailed(f"{path.name} is no object")
    return loaded


def _number(value: object) -> int:
    if type(value) is not int:
        raise VectorFailed(f"{str(value)[:40]!r} is no whole number")
    return value


def _unhex(value: object) -> bytes:
    try:
        return bytes.fromhex(str(value))
    except ValueError:
        raise VectorFailed(f"{str(value)[:40]!r} is not hexadecimal") from None
