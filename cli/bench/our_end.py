"""One end of a bench on our own sides: those over sockets, and nodes."""

from collections.abc import Mapping
from typing import Any

from cli.bench.child import Side, main
from cli.bench.node_sides import NODE_SIDES, make_node_side
from cli.bench.sides import Secrets, make_side


def _make(name: str, secrets: Mapping[str, Any]) -> Side:
    make = make_node_side if name in NODE_SIDES else make_side
    return make(name, Secrets.from_json(secrets))


if __name__ == "__main__":
    main(_make)
