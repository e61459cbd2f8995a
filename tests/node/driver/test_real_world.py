"""The real world: how what its system says is told."""

import errno
import socket

import pytest

from p2pnoise.node.driver.real_world import reason_of


def caused(error):
    """What trio raises where every address of a name failed."""
    whole = OSError("all attempts to connect to x:1 failed")
    whole.__cause__ = ExceptionGroup("all of them", [error])
    return whole


@pytest.mark.parametrize("wrap", [lambda error: error, caused], ids=["by itself", "of several"])
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "name or service not known"),
        (OSError(errno.ECONNREFUSED, "whatever"), "connection refused"),
        (OSError("No such thing"), "no such thing"),
    ],
)
def test_an_error_of_the_system_is_told_without_its_number(error, reason, wrap):
    assert reason_of(wrap(error)) == reason
