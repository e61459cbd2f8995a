"""`p2pnoise bench gossip`: every line answers, and what is counted meets its targets with fewer items, too."""

import json

import pytest
from click.testing import CliRunner

from cli.bench import gossip
from cli.main import root


def test_every_line_has_bytes_messages_and_seconds():
    result = CliRunner().invoke(root, ["bench", "gossip", "--quick", "--json"])
    assert (result.exit_code, result.stderr) == (0, "")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert {line["unit"] for line in lines} == {"B", "messages", "ms", "B/s", "copies"}
    assert len(lines) == 22
    assert all(line["ours"] > 0 for line in lines if line["unit"] != "copies")  # of which there may be none too many
    with_targets = [line for line in lines if line["target"] is not None]
    assert len(with_targets) == 11
    assert all(line["met"] for line in with_targets)


def test_tables_that_end_different_are_no_result(monkeypatch):
    monkeypatch.setattr(gossip.Reconciliation, "message", lambda *_: None)
    with pytest.raises(RuntimeError, match="after a comparison"):
        gossip.run(quick=True, progress=lambda _done: None)
