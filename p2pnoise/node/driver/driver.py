"""Driver: one NodeCore and what is around it, joined. It decides nothing.

What an input leads to is carried out in the order in which the core wants it. What a batch stores is kept before
anything of that batch is sent or told: nothing acknowledged is ever lost.

An input is taken in the task that brings it where nothing is before it, since every task that must wake costs more than
sealing a small message. All others wait for the core's task, and many of them share one commit.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import assert_never

import trio

from cards import Address
from p2pnoise.events import Event
from p2pnoise.gossip.effects import Store
from p2pnoise.instant import SECOND, Instant
from p2pnoise.node import effects as io
from p2pnoise.node.core import NodeCore
from p2pnoise.store import StoreError

from .asking import Asking
from .carriers import Carriers
from .failures import Failures
from .inbox import Inbox
from .peers import peer_value
from .surroundings import Keeper, Listening, Surroundings
from .switchboard import Switchboard

__all__ = ["Driver"]

QUEUE = 64  # inputs waiting for the core, of what one read brought at most; then readers wait, and so do the senders
MAX_GATHERED = 1024 * 1024  # bytes to send that are gathered from several inputs before they are carried out


class Driver:
    """Runs one core. `on_event` is told everything that happens, in order, and may not block.

    Handlers of streams run in `block`, which leaves with the application; whatever fails joins `failures`.
    """

    def __init__(
        self,
        core: NodeCore,
        surroundings: Surroundings,
        keeper: Keeper,
        *,
        on_event: Callable[[Event], None],
        failures: Failures,
        block: trio.Nursery,
    ) -> None:
        self.core = core
        self.carriers = Carriers(surroundings, self, core.new_connection, self._note_idle)
        tickets = count(1)
        self.switchboard = Switchboard(
            self.post,
            partial(peer_value, core),
            block,
            failures,
            most=lambda: core.config.max_streams,
            tickets=tickets,
        )
        self.asking = Asking(self.post, tickets)
        self._surroundings = surroundings
        self._keeper = keeper
        self._on_event = on_event
        self._failures = failures
        self._inbox = Inbox(QUEUE)
        self._held: list[io.Effect] = []  # of an input that another task brought; the core's task carries them out
        self._at_rest = False  # nothing is being carried out or waits for it
        self._taking = False  # an input, in the task that brought it
        self._round = trio.Event()  # set when what the core's task took is carried out
        self._idle = trio.Event()  # set when the last link has ended after a Stop
        self._stopping = False

    # Inputs

    def post(self, given: io.Input) -> None:
        """Take an input, as soon as what came before it is carried out; for inputs that are bounded elsewhere."""
        if self._at_rest and not self._inbox:
            self._take(given)
        else:
            self._inbox.post(given, wake=not self._taking)

    async def offer(self, given: io.Input) -> None:
        """Take an input, or wait while many do. Raises `trio.BrokenResourceError` when the node has ended."""
        if self._at_rest and not self._inbox:
            self._take(given)
        else:
            await self._inbox.offer(given)

    async def settle(self) -> None:
        """Return when what was taken before is carried out, or the node has ended."""
        for _ in range(2):  # the round that goes on may not have begun with all of it
            if (self._at_rest and not self._inbox) or self._idle.is_set():
                return
            await self._round.wait()

    def _take(self, first: io.Input) -> None:
        self._at_rest, self._taking = False, True
        given: io.Input | None = first
        while given is not None:
            try:
                effects = self._handle(given)
            except Exception as error:  # noqa: BLE001 - as below
                self._fail(error)
                return
            if any(isinstance(effect, Store | io.Emit) for effect in effects):
                # To be kept first, or told, by which whoever listens may fail: no affair of the task that brings it.
                self._held = effects
                self._taking = False
                self._inbox.wake()
                return
            self._carry_out(effects)
            given = self._inbox.next()  # what was carried out may have brought another one
        self._taking = False
        self._at_rest = True
        self._inbox.not_after(self._due())

    def _handle(self, given: io.Input) -> list[io.Effect]:
        return self.core.handle(given, Instant(int(trio.current_time() * SECOND), self._surroundings.unix()))

    def _due(self) -> float:
        due = self.core.deadline()
        # A microsecond later: as a float it may be a little less, and under a clock that stands still for ever.
        return (due + 1_000) / SECOND if due is not None else float("inf")

    # The life of a node

    async def load(self, inputs: Sequence[io.Input]) -> None:
        """Take back what was kept, trust before peers, and `inputs` between them; most rows are left for later."""
        trust, first = await self._keeper.load()
        for given in (trust, *inputs, first):
            await self._keep_and_carry_out(self._handle(given))
        if first.left and (some := await self._keeper.more()) is not None:  # all that a small network has
            await self._keep_and_carry_out(self._handle(some))

    async def run(
        self,
        listening: Listening,
        advertised: tuple[Address, ...],
        *,
        task_status: trio.TaskStatus[None],
    ) -> None:
        """Everything that goes on. Shielded: a block that is cancelled has to say goodbye, too."""
        try:
            with trio.CancelScope(shield=True):
                async with trio.open_nursery() as self._nursery:
                    self._inbox.post(io.ListeningOn(listening.addresses, advertised))
                    await self._nursery.start(self._run_core)
                    self._nursery.start_soon(self._restore)
                    self._nursery.start_soon(listening.serve, self.carriers.accepted)
                    task_status.started()
        finally:
            listening.close()
            self._at_rest = False
            self._idle.set()
            self._round.set()
            self._inbox.close()
            self.switchboard.end()
            self.asking.end()

    async def drain(self) -> None:
        """Serve no more streams, and wait until those that are being served have ended."""
        self.switchboard.stop_serving()
        await self.switchboard.wait_until_idle()

    def hurry(self) -> None:
        """Have `drain` and `stop` wait for nobody."""
        self.switchboard.hurry()
        self._idle.set()

    async def stop(self) -> None:
        """Say goodbye on all links, and give them the time that the configuration allows; then end."""
        self._stopping = True
        self.switchboard.stop_serving()
        with trio.move_on_after(self.core.config.close_timeout):
            self.post(io.Stop())
            self._note_idle()
            await self._idle.wait()
        self._nursery.cancel_scope.cancel()

    def _note_idle(self) -> None:
        if self._stopping and not self.core.links.all and not self.carriers.serving:
            self._idle.set()

    async def _restore(self) -> None:
        """The rest of a large table, in portions, while the node is already at work: one waits for the core at most."""
        try:
            while (portion := await self._keeper.more()) is not None:
                await self._inbox.offer(portion)
                await self.settle()
        except StoreError as error:
            self._fail(error)

    # The core's task

    async def _run_core(self, *, task_status: trio.TaskStatus[None]) -> None:
        try:
            while True:
                self._at_rest = not self._held
                inputs = await self._inbox.take(self._due())
                self._at_rest = False
                held, self._held = self._held, []
                await self._take_in(held, inputs if inputs or held else [io.Tick()])
                self._note_idle()
                self._round.set()
                self._round = trio.Event()
                task_status.started()
                task_status = trio.TASK_STATUS_IGNORED
        except Exception as error:  # noqa: BLE001 - it comes out of the block
            # The store failed, so that what we would say next could not be remembered; or whoever listens did.
            self._fail(error)
            task_status.started()

    def _fail(self, error: Exception) -> None:
        """Take nothing more: all ends without a goodbye, and the error comes out of the block."""
        self._failures.add(error)
        self._nursery.cancel_scope.cancel()

    async def _take_in(self, effects: list[io.Effect], inputs: list[io.Input]) -> None:
        """Hand the core what waits and carry out what follows: many inputs share one commit, few bytes wait for it."""
        waiting = 0
        for given in inputs:
            new = self._handle(given)
            effects += new
            waiting += sum(len(effect.data) for effect in new if isinstance(effect, io.SendBytes))
            if waiting > MAX_GATHERED:
                await self._keep_and_carry_out(effects)
                effects, waiting = [], 0
        await self._keep_and_carry_out(effects)

    async def _keep_and_carry_out(self, effects: list[io.Effect]) -> None:
        changes = [effect for effect in effects if isinstance(effect, Store)]
        if changes:
            await self._keeper.keep(changes)
        self._carry_out(effects)

    def _carry_out(self, effects: list[io.Effect]) -> None:
        for effect in effects:
            match effect:
                case io.SendBytes(connection, data, more):
                    self.carriers.send(connection, data, more=more)
                case io.OnStream():
                    self.switchboard.happened(effect)
                case io.StreamOpened(ticket, connection, stream, node_id):
                    self.switchboard.opened(ticket, connection, stream, node_id)
                case io.StreamRefused(ticket, refusal, reason):
                    self.switchboard.refused(ticket, refusal, reason)
                    self.asking.hear(effect)
                case io.PeerReached() | io.PingAnswered():
                    self.asking.hear(effect)
                case io.StreamsLost(connection, reason):
                    self.switchboard.lost(connection, reason)
                case io.Emit(event):
                    self._on_event(event)
                case io.Dial(connection, address):
                    self._nursery.start_soon(self.carriers.dial, connection, address)
                case io.Disconnect(connection):
                    self.carriers.end(connection)
                case _ if isinstance(effect, Store):  # was kept before
                    pass
                case _:
                    assert_never(effect)
        self.carriers.flush()
