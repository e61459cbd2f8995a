"""Writes the hostile corpus to files, for every other implementation: python -m tests.cards.corpus [DIR]

The cases are those of the tests beside this file, and the stories of `corpus_stories`. What is expected is what those
say, never what the package answers; it then judges what was written, and must come to the same.
"""

import json
import re
import sys
from pathlib import Path

import cards
from cards.findings import CODES, EXIT_ORDER
from tests.cards import corpus_stories
from tests.cards import test_conflicts as conflicts
from tests.cards import test_hostile_envelope as envelope
from tests.cards import test_hostile_signatures as signatures
from tests.cards import test_hostile_statements as statements
from tests.cards import test_hostile_text as text
from tests.cards import test_hostile_trust as trust
from tests.cards import test_hostile_values as values
from tests.cards.conftest import ROOT, pack, torsion_encodings
from tests.cards.corpus_world import LISTS, WORLD, by
from tests.conformance import card_cases
from tests.conformance.report import Report

FOLDER = ROOT / "tests" / "vectors" / "cards"
TIME_CODES = {"expired", "expired-app", "not-yet-valid", "revocation-stale"}


class Corpus:
    """Files by name, and what is written about each."""

    def __init__(self):
        self.files = {"policy.toml": WORLD.policy.to_toml().encode()}

    def add(self, name, code, *, raw=None, steps=None, policy=None, **about):
        """A case: bytes or steps, and the code that decides, None where it is accepted."""
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:80]
        same = sum(re.fullmatch(rf"{slug}(-\d+)?\.json", known) is not None for known in self.files)
        name = f"{slug}-{same + 1}" if same else slug
        about = {"code": code, "exit": CODES[code].exit if code else 0} | about
        if raw is not None:
            self.files[f"{name}.bin"] = raw
        else:
            script = {"policy": policy.to_toml()} if policy else {}
            lines = ",\n".join(f"  {json.dumps(step)}" for step in steps)
            head = "".join(f"{json.dumps(key)}: {json.dumps(value)},\n" for key, value in script.items())
            self.files[f"{name}.steps.json"] = f'{{{head}"steps": [\n{lines}\n]}}\n'.encode()
        self.files[f"{name}.json"] = (json.dumps(about) + "\n").encode()

    def card(self, name, codes, raw, **about):
        """A card by itself, with all its errors in order."""
        exits = [CODES[code].exit for code in codes]
        exit_ = about.pop("exit", min(exits, key=EXIT_ORDER.index, default=0))
        code = next((code for code in codes if CODES[code].exit == exit_), None)
        if TIME_CODES & set(codes) or about.pop("timed", False):
            about["now"] = WORLD.now
        self.add(name, code, raw=raw, codes=codes, **about)

    def story(self, name, code, *steps, policy=None, **about):
        """Steps one after the other, of which the last comes to `code`; an empty list of each issuer goes before."""
        self.add(name, code, steps=[*LISTS, *steps], policy=policy, **({"now": WORLD.now} | about))

    def write(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in self.files.items():
            (folder / name).write_bytes(data)


# Cases.


def bodies(corpus):
    for name, make, code in envelope.CASES:
        corpus.card(f"envelope {name}", [code], make(WORLD))
    for end in (1, 2, 100, len(WORLD.raw) - 1):
        corpus.card(f"envelope cut at {end}", ["truncated"], WORLD.raw[:end])
    second = WORLD.card.body.replace(b"\xa3seq\x07", b"\xa3seq\xcc\x07")
    at = WORLD.card.body.index(b"\xa3seq\x07") + 4
    corpus.card("offset of a second form", ["not-deterministic"], WORLD.envelope(second), offset=at)
    corpus.card("offset of trailing data", ["trailing-data"], WORLD.raw + b"\0", offset=len(WORLD.raw))
    for name, changes, code in values.VALUES:
        corpus.card(f"body {name}", [code], values.body_of(WORLD, **changes))
    for name, changes, code in values.ATTRS:
        corpus.card(f"attrs {name}", [code], by(WORLD.issuer, **changes))
    for number, point in enumerate(torsion_encodings(), 1):
        corpus.card(f"identity key of low order {number}", ["weak-key"], values.body_of(WORLD, key=point))
    alias = bytes(WORLD.node.public[:31]) + bytes([WORLD.node.public[31] | 0x80])
    corpus.card("node with bit 255 set", ["bad-node-id"], values.body_of(WORLD, node=alias))
    corpus.card(
        "one secret for identity and node", ["key-reuse"], values.body_of(WORLD, key=WORLD.node.public.signing_key)
    )


def signed(corpus):
    for name, make, codes, exit_ in signatures.CASES:
        corpus.card(f"signature {name}", codes, make(WORLD), exit=exit_)
    twist = WORLD.envelope(WORLD.card.body.replace(WORLD.node.public, (2).to_bytes(32, "little")))
    corpus.card("signature node on the twist", ["node-signature-invalid"], twist)
    corpus.card("kid collision", [], by(WORLD.second, kid=bytes(8)), kids_collide=True)


def judged(corpus):
    for name, make, state, expected, exit_ in trust.CASES:
        if not state:
            codes = [code for code in expected if code != "unknown-issuer"]
            corpus.card(f"trust {name}", codes, make(WORLD), exit=exit_)
    for name, make, state, _ in trust.ACCEPTED:
        if not state:
            corpus.card(f"accepted {name}", [], make(WORLD), timed=True)
    corpus.card("accepted ordinary card", [], WORLD.raw, warnings=["revocation-unchecked"])
    corpus.card("accepted unknown extension", [], WORLD.envelope(ext={"x-shelf": "4b"}))
    corpus.card("accepted two issuers", [], WORLD.grant(WORLD.card, WORLD.second).raw)


def objects(corpus):
    kinds = {"address record": envelope.RECORDS, "revocation list": envelope.LISTS, "conflict": conflicts.FORMS}
    for kind, cases in kinds.items():
        for name, make, code in cases:
            corpus.add(f"{kind} {name}", code, raw=make(WORLD), object=kind)
    for kind in ("delegation", "succession"):
        for name, make, code in statements.FORMS:
            corpus.add(f"{kind} {name}", code, raw=make(WORLD, kind), object=kind)
    for name, kind, changes, code in statements.VALUES:
        corpus.add(f"{kind} {name}", code, raw=WORLD.statement(kind, **changes), object=kind)
    own = {
        "delegation": ("key", WORLD.issuer, "chain-too-long"),
        "succession": ("new", WORLD.identity, "succession-invalid"),
    }
    for kind, (field, key, code) in own.items():
        raw = WORLD.statement(kind, **{field: bytes(key.public)})
        corpus.add(f"{kind} to oneself", code, raw=raw, object=kind)


def signed_objects(corpus):
    for kind, number in statements.EVERY_SIGNATURE:
        forged = statements.signed_by_mallory(WORLD, kind, number)
        corpus.add(f"{kind} signature {number + 1} by another", statements.INVALID[kind], raw=forged, object=kind)
        if number == 0:
            corpus.add(
                f"{kind} of another network", "wrong-network", raw=WORLD.statement(kind, net="other-net"), object=kind
            )
            corpus.add(f"accepted {kind}", None, raw=WORLD.statement(kind), object=kind)
    for name, sign in signatures.LISTS:
        good = WORLD.make_list()
        raw = good.raw.replace(good.signature, sign(WORLD, good.head))
        corpus.add(f"revocation list {name}", "revocation-invalid", raw=raw, object="revocation list")
    parts = envelope.list_parts(WORLD, *envelope.pages(2), net=WORLD.network)
    parts[2] = WORLD.issuer.sign(WORLD.message("revocation", parts[1]))
    # Small pages, cut otherwise than we would: a reader asks for their order alone.
    corpus.add("accepted revocation list of two pages", None, raw=pack(parts), object="revocation list")
    for name, sign in signatures.RECORDS:
        record = cards.make_record(WORLD.node, network=WORLD.network, addresses=[], sequence=1, now=WORLD.now)
        raw = cards.AddressRecord.from_parts(record.body, sign(WORLD, record.body)).raw
        corpus.add(f"address record {name}", "record-invalid", raw=raw, object="address record", now=WORLD.now)
    for number, address in enumerate(values.ADDRESSES, 1):
        raw = pack(envelope.record_parts(WORLD, addr=[address]))
        corpus.add(f"address {number} {address[:20]}", "bad-address", raw=raw, object="address record")


def texts(corpus):
    for name, block in text.ARMOR:
        corpus.add(f"block {name}", "armor-invalid", raw=block.encode(), object="block")
    corpus.add("accepted block with CRLF", None, raw=text.BLOCK.replace("\n", "\r\n").encode(), object="block")
    right = WORLD.card.to_text()
    for name, line in (("padded", right + "="), ("blank before", " " + right), ("of nothing", "card1:")):
        corpus.add(f"line {name}", "text-invalid", raw=line.encode(), object="line")
    corpus.add("accepted line", None, raw=right.encode(), object="line")
    for name, toml in text.POLICIES:
        raw = toml.replace("{key}", str(WORLD.issuer.public)).encode()
        corpus.add(f"policy {name}", "policy-invalid", raw=raw, object="policy")
    keys = {"node": WORLD.node, "identity": WORLD.identity, "issuer": WORLD.issuer}
    for kind, key in keys.items():
        whole = str(key.public)
        mistyped = whole[:-1] + ("p" if whole[-1] == "q" else "q")
        corpus.add(f"{kind} mistyped", "text-invalid", raw=mistyped.encode(), object=kind)
        corpus.add(f"{kind} in upper case", "text-invalid", raw=whole.upper().encode(), object=kind)
        corpus.add(f"accepted {kind} text", None, raw=whole.encode(), object=kind)
    corpus.add(
        "node of low order as text", "bad-node-id", raw=text.to_bech32m("node", bytes(32)).encode(), object="node"
    )
    corpus.add(
        "issuer of low order as text", "weak-key", raw=text.to_bech32m("issuer", bytes(32)).encode(), object="issuer"
    )


def expectations():
    """What the files say that must come of each case."""
    return [json.loads(path.read_text()) for path in FOLDER.glob("*.json") if ".steps." not in path.name]


def build():
    corpus = Corpus()
    for write in (bodies, signed, judged, objects, signed_objects, texts, corpus_stories.stateful):
        write(corpus)
    return corpus


def main(arguments):
    folder = Path(arguments[0]) if arguments else FOLDER
    build().write(folder)
    report = Report(lambda line: sys.stderr.write(f"{line}\n"))
    card_cases.run(folder, report)
    sys.stdout.write(f"{folder}: {report}\n")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
