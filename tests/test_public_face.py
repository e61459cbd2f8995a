"""What `p2pnoise` exports: every promised name is there, and loading one name does not load the rest."""

import logging
import subprocess
import sys
from inspect import getdoc
from types import FunctionType

import p2pnoise
import p2pnoise.testing
from p2pnoise.events import Stopped


def test_every_promised_name_can_be_imported():
    assert [name for name in p2pnoise.__all__ if not hasattr(p2pnoise, name)] == []


def test_every_promised_name_says_what_it_is():
    mute = [name for name in p2pnoise.__all__ if not getattr(p2pnoise, name).__doc__]
    assert mute == []


def test_every_method_and_property_of_what_is_promised_says_what_it_does():
    kinds = [kind for name in p2pnoise.__all__ if isinstance(kind := getattr(p2pnoise, name), type)]
    mute = [
        f"{kind.__name__}.{name}"
        for kind in (*kinds, p2pnoise.testing.Network)
        for name, one in vars(kind).items()
        if not name.startswith("_") and isinstance(one, FunctionType | property | classmethod) and not getdoc(one)
    ]
    assert mute == []


def test_verifying_a_card_does_not_wait_for_trio_or_sqlite():
    code = "import sys; from p2pnoise import verify_card; print('trio' in sys.modules, 'sqlite_utils' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.split() == ["False", "False"]


def test_the_logging_subscriber_names_the_event_and_carries_its_fields(caplog):
    node_id = p2pnoise.NodeKey(bytes(32)).public
    with caplog.at_level(logging.INFO, "p2pnoise"):
        p2pnoise.log_event(Stopped(node_id=node_id))
    assert [(record.message, record.event["node_id"]) for record in caplog.records] == [("stopped", str(node_id))]
