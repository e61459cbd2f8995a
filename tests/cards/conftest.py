"""What the card tests share: a small world of fixed keys, and a packer that can also write what the codec refuses."""

import hashlib
import json
import os
from pathlib import Path

import msgpack
import pytest

import cards

ROOT = Path(__file__).parents[2]
NOW = 1_800_000_000  # a second in January 2027; nothing here reads a clock
L = 2**252 + 27742317777372353535851937790883648493  # the order of Ed25519's base point


def seeds(name):
    """32 repeatable bytes of this name, then others of it, for ever."""
    number = 0
    while True:
        yield hashlib.sha256(f"{name} {number}".encode()).digest()
        number += 1


def node_key(name):
    stream = seeds(name)
    return cards.NodeKey.generate(lambda _size: next(stream))


def pack(value):
    return msgpack.packb(value, use_bin_type=True)


class World:
    """Keys of one network, and hand-made objects: every part can be replaced by something wrong."""

    now = NOW
    lifetime = 10**6  # of what is made by hand, in seconds
    network = "example-net"
    order = L

    def __init__(self):
        self.identity = cards.IdentityKey(next(seeds("identity")))
        self.node = node_key("node")
        self.issuer = cards.IssuerKey(next(seeds("issuer")))
        self.second = cards.IssuerKey(next(seeds("second issuer")))
        self.mallory = cards.IdentityKey(next(seeds("mallory")))
        self.mallory_node = node_key("mallory's node")
        self.mallory_issuer = cards.IssuerKey(next(seeds("mallory's issuer")))
        self.policy = cards.Policy(
            network=self.network, issuers={"ops-a": self.issuer.public, "ops-b": self.second.public}
        )
        self.card = self.grant(self.make_card())
        self.raw = self.card.raw
        self.attrs = self.card.grants[0].attrs

    # The ordinary way.

    def make_card(self, identity=None, node=None, **options):
        options = {"network": self.network, "now": self.now - 100, "name": "db-03.dc1.example", "sequence": 7} | options
        return cards.make_card(identity or self.identity, node or self.node, **options)

    def grant(self, card, issuer=None, **options):
        options = {"serial": 1, "now": self.now - 100, "groups": ["agents"], "position": bytes(range(16))} | options
        return cards.grant(issuer or self.issuer, card, entropy=bytes, **options)

    def make_list(self, issuer=None, **options):
        options = {"network": self.network, "sequence": 1, "now": self.now - 100} | options
        return cards.make_list(issuer or self.issuer, **options)

    def entry(self, subject, *, until=NOW + 10**6, reason="lost"):
        return cards.Entry(bytes(subject), self.now - 200, reason, until)

    def holding(self, *lists, held=None):
        """The revocations after these lists; by default of one empty list of each issuer."""
        if not lists:
            lists = (self.make_list(), self.make_list(self.second))
        held = held or cards.Revocations()
        for one in lists:
            held, _ = self.add(held, one)
        return held

    def add(self, held, one, *, signatures=None, **options):
        options = {"issuers": self.policy.issuers.values(), "network": self.network, "now": self.now} | options
        return held.add(one, cards.Terms(**options), signatures=signatures)

    def verify(self, raw, **options):
        options = {"policy": self.policy, "now": self.now, "facts": cards.Facts(self.holding())} | options
        return cards.verify_card(raw, **options)

    # Facts beside the lists. Each takes changes of its fields, by their names on the wire.

    def facts(self, *more, policy=None, held=None):
        """An empty list of each issuer, and these facts, every one of which must be taken."""
        held = held or cards.Facts(self.holding())
        for fact in more:
            held, finding = held.add(fact, policy=policy or self.policy, now=self.now)
            assert finding is None, finding
        return held

    def delegation(self, key, issuer=None, **changes):
        issuer = issuer or self.issuer
        times = {"iat": self.now - 100, "nbf": self.now - 100, "exp": self.now + self.lifetime}
        values = {"net": self.network, "iss": issuer.public, "key": key.public, "path": 0} | times
        return cards.Delegation.make(values | changes, issuer)

    def succession(self, old, new, *, signers=None, **changes):
        values = {"net": self.network, "iat": self.now - 100, "old": old.public, "new": new.public}
        return cards.Succession.make(values | changes, *(signers or (old, new)))

    def self_revocation(self, identity, *, signer=None, **changes):
        values = {"net": self.network, "iat": self.now - 100, "key": identity.public, "reason": "key-compromise"}
        return cards.SelfRevocation.make(values | changes, signer or identity)

    def retirement(self, issuer, *, signer=None, by=(), **changes):
        """Signed by the issuer, or else by the others `by`."""
        by = sorted(by, key=lambda one: one.public)
        values = {"net": self.network, "iat": self.now - 100, "iss": issuer.public, "reason": "left"}
        values |= {"by": [one.public for one in by]}
        return cards.Retirement.make(values | changes, *(by or [signer or issuer]))

    def manifest(self, version, threshold, issuers, by=None, **changes):
        """Signed by `by`, or else by all its issuers."""
        by = sorted(by or issuers, key=lambda one: one.public)
        values = {"net": self.network, "iat": self.now - 100, "ver": version, "thr": threshold}
        values |= {"iss": sorted(one.public for one in issuers), "by": [one.public for one in by]}
        return cards.Manifest.make(values | changes, *by)

    # By hand, with no check of ours in the way.

    def message(self, context, *parts):
        framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return f"p2pnoise/v1/{context}".encode() + b"\0" + framed

    def node_sign(self, message, node=None):
        """A node key never signs a message that another chooses, so the tests reach in."""
        return (node or self.node)._key.sign(message)

    def fields(self, **changes):
        """The map of an ordinary body; a change to None leaves the field out."""
        values = {
            "v": 1,
            "net": self.network,
            "key": bytes(self.identity.public),
            "node": bytes(self.node.public),
            "name": "db-03.dc1.example",
            "seq": 7,
            "iat": self.now - 100,
            "nbf": self.now - 100,
            "exp": self.now + self.lifetime,
        }
        return self._sorted(values, changes)

    def attr_fields(self, **changes):
        times = {"iat": self.now - 100, "nbf": self.now - 100, "exp": self.now + self.lifetime}
        return self._sorted({"sn": 1, **times, "pos": bytes(16), "grp": ["agents"]}, changes)

    @staticmethod
    def _sorted(values, changes):
        values = {name: value for name, value in (values | changes).items() if value is not None}
        return {name: values[name] for name in sorted(values)}

    def envelope(self, body=None, *, key=None, node=None, grants=None, version=1, identity=None, **changes):
        """An envelope over `body` (bytes) or an ordinary one with `changes`; correct signatures where none is given."""
        if body is None:
            body = pack(self.fields(**changes))
        if key is None:
            key = (identity or self.identity).sign(self.message("card.key", body))
        if node is None:
            network = changes.get("net", self.network).encode()
            back = self.message("card.node", network, (identity or self.identity).public, self.node.public)
            node = self.node_sign(back)
        if grants is None:
            grants = [self.app(body)]
        return pack([version, body, key, node, grants])

    def app(self, body, attrs=None, *, issuer=None, kid=None, **changes):
        """One app signature over `body` as it stands in an envelope."""
        issuer = issuer or self.issuer
        if attrs is None:
            attrs = pack(self.attr_fields(**changes))
        return [kid or issuer.public.hint, attrs, issuer.sign(self.message("card.app", body, attrs))]

    def statement(self, kind, signatures=None, **changes):
        """An envelope of section 7 of FORMAT.md with `changes`; correct signatures where none are given."""
        values, signers = self._statements()[kind]
        body = changes.pop("body", None) or pack(self._sorted({"v": 1, "net": self.network} | values, changes))
        message = self.message(kind, body)
        signed = [key.sign(message) for key in signers] if signatures is None else signatures
        return pack([1, body, *signed])

    def _statements(self):
        issuers = sorted((self.issuer, self.second), key=lambda one: one.public)
        made, key, issuer = {"iat": self.now - 100}, self.identity.public, self.issuer.public
        publics = [bytes(one.public) for one in issuers]
        lent = {"iss": bytes(issuer), "key": bytes(self.second.public), "path": 0, "nbf": self.now, "exp": self.now + 9}
        return {
            "delegation": (made | lent, [self.issuer]),
            "succession": (
                made | {"old": bytes(key), "new": bytes(self.mallory.public)},
                [self.identity, self.mallory],
            ),
            "self-revocation": (made | {"key": bytes(key), "reason": "lost"}, [self.identity]),
            "retirement": (made | {"iss": bytes(issuer), "reason": "left"}, [self.issuer]),
            "manifest": (made | {"ver": 1, "thr": 2, "iss": publics, "by": publics}, issuers),
        }

    def parts(self, raw=None):
        return msgpack.unpackb(raw or self.raw, strict_map_key=False)


@pytest.fixture(scope="session")
def world():
    return World()


@pytest.fixture(scope="session")
def vectors():
    """Reads a published vector file, or skips and says which."""
    folder = Path(os.environ.get("P2PNOISE_VECTORS") or ROOT.parent / "shared" / "vectors")

    def read(name):
        path = folder / "crypto" / name
        if not path.exists():
            pytest.skip(f"skipped every case of {name}: no {path}; set P2PNOISE_VECTORS to the folder of vectors")
        return json.loads(path.read_text())

    return read


def torsion_encodings():
    """The canonical encodings of Ed25519's eight torsion points and every non-canonical form of them that exists."""
    p = 2**255 - 19
    d = -121665 * pow(121666, -1, p) % p

    def double(y):  # the y of 2P from the y of P: with x^2 = (y^2 - 1) / (d y^2 + 1)
        xx = (y * y - 1) * pow(d * y * y + 1, -1, p) % p
        return (y * y + xx) * pow(1 - d * xx * y * y, -1, p) % p

    # y of order 8: doubled once it is 0.  y^2 + x^2 = 0 gives d y^4 + 2 y^2 - 1 = 0.
    root = _sqrt((1 + d) % p, p)
    squares = [(-1 + sign * root) * pow(d, -1, p) % p for sign in (1, -1)]
    eights = [y for square in squares if (y := _sqrt(square, p)) is not None]
    ys = {0, 1, p - 1} | {y % p for eight in eights for y in (eight, -eight)}
    assert all(double(double(double(y))) == 1 for y in ys)
    forms = set()
    for y in ys:
        for form in (y, y + p):
            if form < 2**255:
                forms |= {(form | sign << 255).to_bytes(32, "little") for sign in (0, 1)}
    return sorted(forms)


def _sqrt(square, p):
    root = pow(square, (p + 3) // 8, p)
    if root * root % p != square % p:
        root = root * pow(2, (p - 1) // 4, p) % p
    return root if root * root % p == square % p else None


@pytest.fixture(scope="session")
def torsion():
    return torsion_encodings()
