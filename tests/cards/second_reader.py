"""A second reader of cards, written from FORMAT.md alone: msgpack, libsodium and a hundred lines, nothing of ours."""

import hashlib
import re

import msgpack
import nacl.bindings
import nacl.exceptions

P = 2**255 - 19
WEAK = {  # points and Node IDs of low order, beside 0, 1 and p - 1
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
}
BODY = {"v", "net", "key", "node", "seq", "iat", "nbf", "exp"}, {"name", "prev", "next", "ext"}  # required, optional
ATTRS = {"sn", "pos", "iat", "nbf", "exp"}, {"grp", "cap", "ext"}
SIZES = {"key": 32, "node": 32, "prev": 32, "next": 32, "pos": 16, "kid": 8, "signature": 64}


def need(holds, what):
    if not holds:
        raise ValueError(what)


def tidy(value, depth=4):
    kind = type(value)
    need(kind in (bool, bytes, int, str) or (kind in (list, dict) and depth), "a type that there is not, or too deep")
    need(kind is not int or 0 <= value < 2**53, "an integer out of range")
    need(kind is not str or re.fullmatch(r"[\x20-\x7e]*", value), "text that is not printable ASCII")
    need(kind is not dict or all(type(key) is str for key in value), "a key that is no text")
    if kind is dict:
        return {tidy(key): tidy(value[key], depth - 1) for key in sorted(value)}
    return [tidy(item, depth - 1) for item in value] if kind is list else value


def decode(data):
    value = msgpack.unpackb(data)
    need(msgpack.packb(tidy(value)) == data, "another form")
    return value


def fits(field, value):
    """Whether a field has its type and keeps its limit, by section 4."""
    if field in SIZES:
        return type(value) is bytes and len(value) == SIZES[field]
    if field in ("net", "name"):
        return type(value) is str and re.fullmatch(r"[a-z0-9._-]+", value) and len(value) <= (32, 64)[field == "name"]
    if field in ("grp", "cap"):
        named = type(value) is list and 1 <= len(value) <= 16 and all(fits("net", one) for one in value)
        return named and value == sorted(set(value))
    if field == "ext":
        named = type(value) is dict and value and all(re.fullmatch(r"x-[a-z0-9-]{1,30}", key) for key in value)
        return named and len(msgpack.packb(value)) <= 256
    return type(value) is int and value >= (field in ("seq", "sn")) and (field != "v" or value == 1)


def read_map(data, required, optional):
    fields = decode(data)
    need(type(fields) is dict and required <= fields.keys() <= required | optional, "other fields")
    need(all(fits(field, value) for field, value in fields.items()), "a field that is not as it should be")
    need(0 < fields["exp"] - fields["nbf"] <= 3653 * 86400, "validity")
    return fields


def sound(key, bits=255):  # of a Node ID all 256 bits count
    value = int.from_bytes(key, "little") % 2**bits
    return 1 < value < P - 1 and value.to_bytes(32, "little").hex() not in WEAK


def signed(key, signature, context, *parts):
    message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    try:
        nacl.bindings.crypto_sign_open(signature + f"p2pnoise/v1/{context}".encode() + b"\0" + message, key)
    except nacl.exceptions.BadSignatureError:
        return False
    return sound(signature[:32])


def read_card(raw, network, issuers, now):
    """The card's fields, and by issuer those of each grant that counts. Raises ValueError or TypeError for others."""
    version, body, *signatures, grants = decode(raw) if len(raw) <= 1024 else ()
    need(type(version) is int and version == 1 and len(signatures) == 2 and type(grants) is list, "no card")
    need(len(grants) <= 4 and all(fits("signature", one) for one in signatures), "signatures")
    fields, parts = read_map(body, *BODY), [(kid, attrs, read_map(attrs, *ATTRS), last) for kid, attrs, last in grants]
    need(sound(fields["key"]) and sound(fields["node"], 256) and fields["net"] == network, "keys or network")
    u, begun = int.from_bytes(fields["node"], "little"), now + 300
    image = ((u - 1) * pow(u + 1, P - 2, P) % P).to_bytes(32, "little")
    need(image != fields["key"][:31] + bytes([fields["key"][31] & 127]), "one secret for both keys")
    need(max(fields["nbf"], fields["iat"]) <= begun and now < fields["exp"], "another time")
    need(signed(fields["key"], signatures[0], "card.key", body), "key signature")
    need(signed(image, signatures[1], "card.node", network.encode(), fields["key"], fields["node"]), "node signature")
    need(all(fits("kid", kid) and fits("signature", last) and len(attrs) <= 512 for kid, attrs, _, last in parts), "")
    parts.sort(key=lambda one: (one[2]["sn"], hashlib.sha256(one[1]).digest()))  # of one issuer the last holds
    timely = [one for one in parts if max(one[2]["nbf"], one[2]["iat"]) <= begun and now < one[2]["exp"]]
    fitting = [(key, *one) for one in timely for key in issuers if hashlib.sha256(key).digest()[:8] == one[0]]
    counted = {key: grant for key, _, attrs, grant, last in fitting if signed(key, last, "card.app", body, attrs)}
    need(counted, "no grant counts")
    return fields, counted
