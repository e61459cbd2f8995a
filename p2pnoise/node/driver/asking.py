"""Asking: what an application wants to know of a link, not of a stream: whether there is one, and how fast it is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import trio

from cards import Address, NodeId
from p2pnoise.node import effects as io

from .errors import StreamNotOpened, not_opened

__all__ = ["Asking"]


@dataclass(slots=True)
class _Question:
    answered: trio.Event = field(default_factory=trio.Event)
    answer: io.PeerReached | io.PingAnswered | None = None
    refusal: StreamNotOpened | None = None


class Asking:
    """Asks the core, and brings each who waits the answer. Each raises StreamNotOpened, by one of its kinds."""

    def __init__(self, post: Callable[[io.Input], None], tickets: Iterator[io.Ticket]) -> None:
        self._post = post
        self._tickets = tickets
        self._questions: dict[io.Ticket, _Question] = {}
        self._ended = False

    async def connect(self, node_id: NodeId | None, address: Address | None) -> NodeId:
        """Who answered, once both sides have judged the other well."""
        ticket = next(self._tickets)
        answer = await self._ask(ticket, io.ConnectWanted(ticket, node_id, address))
        assert isinstance(answer, io.PeerReached)  # noqa: S101 - the core answers what it was asked
        return answer.node_id

    async def ping(self, node_id: NodeId) -> float:
        """Seconds of one round trip to a linked peer."""
        ticket = next(self._tickets)
        answer = await self._ask(ticket, io.PingWanted(ticket, node_id))
        assert isinstance(answer, io.PingAnswered)  # noqa: S101 - as above
        return answer.seconds

    async def _ask(self, ticket: io.Ticket, given: io.Input) -> io.PeerReached | io.PingAnswered:
        if self._ended:
            raise not_opened(io.Refusal.STOPPING, "this node has stopped")
        question = self._questions[ticket] = _Question()
        self._post(given)
        try:
            await question.answered.wait()
        except BaseException:
            if self._questions.pop(ticket, None) is not None:
                self._post(io.StreamUnwanted(ticket))
            raise
        if question.answer is None:
            raise question.refusal or not_opened(io.Refusal.STOPPING, "this node has stopped")
        return question.answer

    def hear(self, effect: io.PeerReached | io.PingAnswered | io.StreamRefused) -> None:
        """What the core says; of what nobody here waits for, nothing."""
        question = self._questions.pop(effect.ticket, None)
        if question is None:
            return
        if isinstance(effect, io.StreamRefused):
            question.refusal = not_opened(effect.refusal, effect.reason)
        else:
            question.answer = effect
        question.answered.set()

    def end(self) -> None:
        """The core says nothing more."""
        self._ended = True
        for ticket in list(self._questions):
            self.hear(io.StreamRefused(ticket, io.Refusal.STOPPING, "this node has stopped"))
