"""Verbs about other nodes' services: expose and forward for as long as somebody asks, send one message or request."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

import trio

from cards.findings import USAGE
from cli.control import MAX_DATA
from cli.output import Fault
from p2pnoise import Node, PeerTimeout, RequestRefused, StreamCode, StreamReset
from p2pnoise.events import ServiceFailed
from p2pnoise.node.driver.messages import deliver

from .control import Call, Verb
from .service import Exposed, Forwarded
from .services import Services

__all__ = ["MAX_WAIT", "service_verbs"]

MAX_WAIT = 3600.0  # seconds

_REFUSED = {
    StreamCode.UNKNOWN_PROTOCOL: "it serves no {protocol}",
    StreamCode.NOT_ALLOWED: "we may not use {protocol} there",
    StreamCode.BUSY: "it is busy with others of {protocol}",
    StreamCode.FAILED: "its application failed at it",
    StreamCode.TOO_LARGE: "it takes less for {protocol}",
    StreamCode.CANCELLED: "it broke {protocol} off",
}


def service_verbs(node: Node, services: Services) -> Mapping[str, Verb]:
    """By name, as the command line asks for them."""
    return {
        "expose": lambda call: _expose(node, services, call),
        "forward": lambda call: _forward(node, services, call),
        "send": lambda call: _send(node, call),
    }


async def _expose(node: Node, services: Services, call: Call) -> dict[str, Any]:
    what = Exposed.parse(call.text("service"), call.text("to"), call.texts("groups"))
    async with services.adding(exposed=[what]):
        await call.send({"service": what.service, "to": str(what.to), "groups": list(what.groups)})
        return await _tell_failures(node, call, lambda event: (event.service, event.peer) == (what.service, None))


async def _forward(node: Node, services: Services, call: Call) -> dict[str, Any]:
    what = Forwarded.parse(call.text("listen"), call.text("to"))
    async with services.adding(forwarded=[what]) as (address,):
        await call.send({"listen": str(address), "peer": what.peer, "service": what.service})
        return await _tell_failures(node, call, lambda event: event.peer is not None and event.address == address)


async def _tell_failures(node: Node, call: Call, ours: Any) -> dict[str, Any]:
    """What goes wrong, until the asker hangs up or the node stops."""
    with node.events() as events:
        async for event in events:
            if isinstance(event, ServiceFailed) and ours(event):
                await call.send({"failed": event.reason})
    return {}


async def _send(node: Node, call: Call) -> dict[str, Any]:
    peer, protocol, wait = call.text("peer"), call.text("protocol"), call.number("timeout", most=MAX_WAIT)
    data = _data(call.text("data"))
    try:
        if call.arguments.get("request"):
            answer = await node.request(peer, protocol, data, timeout=wait, max_response=MAX_DATA)
            return {"answer": b64encode(answer).decode()}
        with trio.move_on_after(wait) as late:
            await deliver(await node.open_stream(peer, protocol, timeout=wait), data)
    except (RequestRefused, StreamReset) as error:
        reason = _REFUSED[error.code].format(protocol=protocol)
        raise Fault(f"{peer} did not take it: {reason}", f"p2pnoise explain {peer}, and see its log") from None
    if late.cancelled_caught:
        raise PeerTimeout(f"{peer} did not take the message within {wait:g} s, as far as we know")
    return {"taken": True}


def _data(text: str) -> bytes:
    try:
        data = b64decode(text, validate=True)
    except ValueError:
        raise Fault("data is no base64", "see --help", code=USAGE) from None
    if len(data) > MAX_DATA:
        raise Fault(f"{len(data)} bytes to send, at most {MAX_DATA}", "send less at once", code=USAGE)
    return data
