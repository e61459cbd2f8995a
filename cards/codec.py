"""Deterministic msgpack: one meaning, one encoding; everything else is refused.

msgpack itself lets one value be written in several widths and orders, repeats map keys and hides types behind ext
codes, so two honest parsers could disagree about a signed statement. The profile: nil is never a value, integers are
0 to 2^53-1, text is printable ASCII, map keys are unique text sorted by bytes, shortest forms only, depth at most 4.
Checked by decoding, checking types, encoding again and comparing bytes: that finds widths, order, duplicates and long
headers at once.
"""

from typing import Any, TypeAlias

import msgpack

from .findings import CardError

Value: TypeAlias = bool | int | str | bytes | list[Any] | dict[str, Any]

MAX_INT = 2**53 - 1  # the largest integer that JSON views and other languages keep exact
MAX_DEPTH = 4
_ANY_LENGTHS = {f"max_{kind}_len": 2**32 - 1 for kind in ("str", "bin", "array", "map", "ext")}


def encode(value: Value) -> bytes:
    """The one encoding of `value`. Raises `CardError` for what the profile does not know."""
    in_order = _check((value,), MAX_DEPTH + 1)
    return bytes(msgpack.packb(value if in_order else _sorted(value), use_bin_type=True))


def decode(data: bytes, *, limit: int, what: str = "object") -> Value:
    """The value that `data` is the one encoding of; at most `limit` bytes.

    Raises `CardError`: too-large, truncated, trailing-data, too-deep, malformed, out-of-range, bad-name or
    not-deterministic.
    """
    if len(data) > limit:
        raise CardError("too-large", f"{what} of {len(data)} bytes, limit {limit}")
    if data[:1] in {b"\xdd", b"\xdf"} and int.from_bytes(data[1:5], "big") > limit:
        raise CardError("malformed", f"{what} claims {int.from_bytes(data[1:5], 'big')} entries in {len(data)} bytes")
    try:
        # The C version makes room for the entries that an array claims before it looks for them, at each of a thousand
        # levels: 3 kB took 80 MB. Skipping makes room for nothing, and tells whether all that is claimed is there.
        skipper = msgpack.Unpacker(read_size=limit, max_buffer_size=limit, **_ANY_LENGTHS)
        skipper.feed(data)
        skipper.skip()
        # With no limit of ours on lengths the C version and the pure one say the same; ext types are refused below.
        value = msgpack.unpackb(
            data,
            raw=False,
            use_list=True,
            strict_map_key=True,
            **_ANY_LENGTHS,
        )
    except msgpack.ExtraData as error:
        raise CardError(
            "trailing-data", f"{what} is followed by something else", offset=len(data) - len(error.extra)
        ) from None
    except msgpack.StackError:
        raise CardError("too-deep", f"{what} is nested deeper than {MAX_DEPTH}") from None
    # The C and the pure versions raise different classes for the same bytes, and neither says "incomplete" in a class
    # of its own; this is the one place where their opinions become ours.
    except (ValueError, TypeError, RecursionError, OverflowError, msgpack.UnpackException) as error:
        incomplete = "incomplete" in str(error) or isinstance(error, msgpack.OutOfData)
        code = "truncated" if incomplete else "malformed"
        raise CardError(code, f"{what} is {'cut short' if incomplete else 'not msgpack'}") from None
    in_order = _check((value,), MAX_DEPTH + 1)
    again = msgpack.packb(value, use_bin_type=True)  # which keeps the order of maps
    if again != data or not in_order:
        again = msgpack.packb(_sorted(value), use_bin_type=True)
        at = next(
            (i for i, (a, b) in enumerate(zip(again, data, strict=False)) if a != b),
            min(len(again), len(data)),
        )
        raise CardError("not-deterministic", f"{what} is not written in its one accepted form", offset=at)
    checked: Value = value
    return checked


def _check(container: Any, depth: int) -> bool:
    """Raises `CardError` for what the profile does not know; whether the keys of all maps are in order."""
    if depth == 0:
        raise CardError("too-deep", f"nested deeper than {MAX_DEPTH}")
    items, in_order = container, True
    if type(container) is dict:
        for key in container:
            if type(key) is not str:
                raise CardError("malformed", f"map key of type {type(key).__name__}, str expected")
            _check_text(key)
        items, in_order = container.values(), list(container) == sorted(container)
    for item in items:
        kind = type(item)  # not isinstance: True is an int, and a subclass may lie about its bytes
        if kind is bytes:
            continue
        if kind is int:
            if not 0 <= item <= MAX_INT:
                raise CardError("out-of-range", f"integer {item}, allowed 0 to {MAX_INT}")
        elif kind is str:
            _check_text(item)
        elif kind is list or kind is dict:
            in_order &= _check(item, depth - 1)
        elif kind is not bool and not isinstance(item, bytes):
            raise CardError("malformed", f"value of type {kind.__name__}")
    return in_order


def _check_text(text: str) -> None:
    # Which characters Unicode knows differs between versions of Python, and nodes must not differ about a statement.
    if not text.isascii() or not text.isprintable():
        raise CardError("bad-name", f"text {text[:40]!a} is not printable ASCII")


def _sorted(value: object) -> object:
    if type(value) is dict:
        return {key: _sorted(value[key]) for key in sorted(value)}
    if type(value) is list:
        return [_sorted(item) for item in value]
    return value
