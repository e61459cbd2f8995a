"""Joining: what a machine with a join token asks of the issuer's side; the wire is in PROTOCOL.md."""

import trio

from cards import Address, NodeKey
from p2pnoise.enrolment import (
    BACK,
    FIRST,
    MAX_ANSWER,
    PROLOGUE,
    Granted,
    Join,
    JoinToken,
    MessageError,
    Pending,
    Refused,
    Status,
    parse_answer,
)
from p2pnoise.enrolment.messages import Answer, Ask
from p2pnoise.node.driver.real_world import reason_of
from p2pnoise.noise import KeyPair, Protocol
from p2pnoise.noisesocket.stream import NoiseStream, NoiseStreamError, open_noise_stream

__all__ = ["NobodyThere", "ask_to_join", "ask_what_became"]

CONNECT_TIMEOUT = 15.0  # seconds for a connection to one address; a guess
ANSWER_TIMEOUT = 90.0  # seconds; more than the issuer's side takes at most


class NobodyThere(Exception):  # noqa: N818 - says what happened
    """At none of the addresses did anybody answer; says what happened at each."""


async def ask_to_join(token: JoinToken, key: NodeKey, card: bytes) -> Answer:
    """Hand over the request, and the proof that uses the token up. Who comes back is told what became of it.

    Raises NobodyThere.
    """
    found = await _ask(token, key, Join(token.proof, card), FIRST)
    # No answer to the psk: the token is not open any more, perhaps because we have used it. By our key we may ask.
    return found if found is not None else await ask_what_became(token, key)


async def ask_what_became(token: JoinToken, key: NodeKey) -> Answer:
    """What became of the request that we made with this token. Raises NobodyThere."""
    found = await _ask(token, key, Status(), BACK)
    return found if found is not None else Refused("issuer-mismatch")


async def _ask(token: JoinToken, key: NodeKey, ask: Ask, protocol: Protocol) -> Answer | None:
    """The answer; None where somebody is there, and nobody shakes hands as `protocol` has it."""
    silent, failures = False, []
    for address in token.addresses:
        try:
            stream = await _open(token, key, protocol, address)
        except NoiseStreamError:
            silent = True
            continue
        except (OSError, trio.TooSlowError) as error:
            failures.append(f"{address}: {_why(error)}")
            continue
        try:
            async with stream:
                with trio.fail_after(ANSWER_TIMEOUT):
                    return await _answer(stream, ask)
        except (trio.BrokenResourceError, OSError, trio.TooSlowError, MessageError) as error:
            failures.append(f"{address}: {_why(error)}")
    if silent and not failures:
        return None
    raise NobodyThere("; ".join(failures))


async def _open(token: JoinToken, key: NodeKey, protocol: Protocol, address: Address) -> NoiseStream:
    with trio.fail_after(CONNECT_TIMEOUT):
        return await open_noise_stream(
            address.host,
            address.port,
            s=KeyPair.from_private(key.static),
            rs=bytes(token.node_id),
            protocol=protocol,
            psks={2: token.psk} if protocol == FIRST else None,
            application_prologue=PROLOGUE,
            payload=token.token_id,
        )


async def _answer(stream: NoiseStream, ask: Ask) -> Granted | Pending | Refused:
    await stream.send_all(ask.encode())
    await stream.send_eof()
    data = bytearray()
    while more := await stream.receive_some():
        data += more
        if len(data) > MAX_ANSWER:
            raise MessageError(f"answer of more than {MAX_ANSWER} bytes")
    return parse_answer(bytes(data))


def _why(error: BaseException) -> str:
    return "no answer in time" if isinstance(error, trio.TooSlowError) else reason_of(error)
