"""The driver around a core that is played by the test: what comes first, what waits for what, and what is said when."""

import random
from types import SimpleNamespace

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from cards import Address, Pin
from p2pnoise.events import Stopped
from p2pnoise.gossip.effects import StorePin
from p2pnoise.instant import SECOND
from p2pnoise.node.driver.carriers import MAX_UNSENT
from p2pnoise.node.driver.driver import QUEUE, Driver
from p2pnoise.node.driver.failures import Failures
from p2pnoise.node.driver.in_memory import ROOM
from p2pnoise.node.driver.memory_world import CAPACITY, MemoryNetwork
from p2pnoise.node.effects import (
    Accepted,
    BytesReceived,
    BytesSent,
    ConnectFailed,
    Dial,
    Disconnect,
    Emit,
    FactOffered,
    SendBytes,
    Tick,
)

HERE = Address("10.0.0.1", 1)
STORE = StorePin(Pin("name", None))


class Core:
    """Answers inputs as it is told, and remembers them."""

    def __init__(self):
        self.inputs = []
        self.answers = {}  # type of input -> effects, or a function of the input
        self.due = None
        self.links = SimpleNamespace(all={})
        self.config = SimpleNamespace(close_timeout=5.0, max_streams=4)
        self.connections = 0

    def new_connection(self):
        self.connections += 1
        return self.connections

    def deadline(self):
        return self.due

    def handle(self, given, now):
        self.inputs.append(given)
        if self.due is not None and now.monotonic >= self.due:
            self.due = None
        answer = self.answers.get(type(given), [])
        return answer(given) if callable(answer) else list(answer)

    def taken(self, kind):
        return [given for given in self.inputs if isinstance(given, kind)]


class Keeper:
    """Keeps when it may."""

    def __init__(self):
        self.gate = trio.Event()
        self.gate.set()
        self.kept = 0

    async def keep(self, changes):
        await self.gate.wait()
        self.kept += len(changes)

    async def more(self):
        await trio.lowlevel.checkpoint()


class Stage:
    def __init__(self, nursery):
        self.core, self.keeper, self.told, self.failed = Core(), Keeper(), [], []
        self.network = MemoryNetwork(0)
        self.driver = Driver(
            self.core,
            self.network.world(HERE.host, random.Random(1)),
            self.keeper,
            on_event=self.tell,
            failures=Failures(lambda: None),
            block=nursery,
        )

    def tell(self, event):
        self.told.append((self.keeper.kept, event))

    async def start(self, nursery):
        listening = await self.network.world(HERE.host, random.Random(2)).listen([HERE])
        await nursery.start(self.driver.run, listening, ())
        await wait_all_tasks_blocked()

    async def connect(self):
        """A carrier to the driver; the number of its connection."""
        carrier = self.network.connect("10.0.0.2", HERE)
        await wait_all_tasks_blocked()
        return carrier, self.core.taken(Accepted)[-1].connection

    def fact(self):
        """An input of no meaning."""
        return FactOffered(None, "")


@pytest.fixture
async def stage(nursery):
    stage = Stage(nursery)
    await stage.start(nursery)
    yield stage
    with trio.CancelScope(shield=True):
        await stage.driver.stop()


async def test_an_input_is_taken_at_once_where_nothing_is_before_it(autojump_clock, stage):
    carrier, number = await stage.connect()
    stage.core.answers[FactOffered] = [SendBytes(number, b"now")]
    stage.driver.post(stage.fact())
    assert bytes(carrier.incoming.arrived) == b"now"


async def test_nothing_is_sent_or_told_before_what_is_stored_is_kept(autojump_clock, stage):
    carrier, number = await stage.connect()
    event = Stopped(node_id=b"")
    stage.core.answers[FactOffered] = lambda _: [STORE, Emit(event), SendBytes(number, b"1")]
    stage.core.answers[BytesReceived] = lambda given: [SendBytes(number, given.data)]
    stage.keeper.gate = trio.Event()
    stage.driver.post(stage.fact())
    await carrier.send_all(b"2")  # which has nothing to store, and waits all the same
    await wait_all_tasks_blocked()
    assert stage.told == []
    assert bytes(carrier.incoming.arrived) == b""
    stage.keeper.gate.set()
    await wait_all_tasks_blocked()
    assert await carrier.receive() == b"12"
    assert stage.told == [(1, event)]


async def test_readers_wait_while_many_inputs_do_and_none_is_lost(autojump_clock, stage):
    stage.core.answers[FactOffered] = [STORE]
    stage.keeper.gate = trio.Event()
    stage.driver.post(stage.fact())
    await wait_all_tasks_blocked()
    async with trio.open_nursery() as nursery:
        for _ in range(3 * QUEUE):
            nursery.start_soon(stage.driver.offer, stage.fact())
        await wait_all_tasks_blocked()
        assert len(stage.driver._inbox) == QUEUE
        stage.keeper.gate.set()
    await wait_all_tasks_blocked()
    assert len(stage.core.taken(FactOffered)) == 1 + 3 * QUEUE


async def test_who_waits_to_be_heard_by_a_node_that_ends_is_told(autojump_clock, stage):
    stage.core.answers[FactOffered] = [STORE]
    stage.keeper.gate = trio.Event()
    ends = []

    async def offer():
        with pytest.raises(trio.BrokenResourceError):
            await stage.driver.offer(stage.fact())
        ends.append(True)

    stage.driver.post(stage.fact())
    await wait_all_tasks_blocked()
    async with trio.open_nursery() as nursery:
        for _ in range(QUEUE):
            nursery.start_soon(stage.driver.offer, stage.fact())
        await wait_all_tasks_blocked()
        nursery.start_soon(offer)
        await wait_all_tasks_blocked()
        await stage.driver.stop()
    await offer()
    assert ends == [True, True]


async def test_a_deadline_that_an_input_brings_forward_is_kept(autojump_clock, stage):
    now = trio.current_time()

    def ask(_):
        stage.core.due = int((now + 5) * SECOND)
        return []

    stage.core.answers[FactOffered] = ask
    stage.driver.post(stage.fact())
    await trio.sleep(4.9)
    assert stage.core.taken(Tick) == []
    await trio.sleep(0.2)
    assert len(stage.core.taken(Tick)) == 1


@pytest.mark.parametrize("seed", range(5))
async def test_bytes_leave_in_order_however_they_fit(autojump_clock, stage, seed):
    rng = random.Random(seed)
    carrier, number = await stage.connect()
    parts = [rng.randbytes(rng.choice([1, 100, 5_000, CAPACITY])) for _ in range(100)]
    waiting = list(parts)
    stage.core.answers[FactOffered] = lambda _: [SendBytes(number, waiting.pop(0))]
    got = b""
    for _ in parts:
        stage.driver.post(stage.fact())
        if rng.random() < 0.5:
            got += await carrier.receive()
    while len(got) < sum(map(len, parts)):
        got += await carrier.receive()
    assert got == b"".join(parts)


@pytest.mark.parametrize("size", [ROOM + 1, CAPACITY, CAPACITY + 10])
async def test_word_is_given_once_all_has_left_and_there_is_room_again(autojump_clock, stage, size):
    carrier, number = await stage.connect()
    stage.core.answers[FactOffered] = [SendBytes(number, bytes(size), more=True)]
    stage.driver.post(stage.fact())
    await wait_all_tasks_blocked()
    assert stage.core.taken(BytesSent) == []
    read = 0
    while not stage.core.taken(BytesSent):
        read += len(await carrier.receive())
        await wait_all_tasks_blocked()
    assert read >= size - ROOM
    assert stage.core.taken(BytesSent) == [BytesSent(number)]


async def test_word_is_given_at_once_where_there_is_room_and_only_where_it_was_asked_for(autojump_clock, stage):
    _, number = await stage.connect()
    for more in (False, True):
        stage.core.answers[FactOffered] = [SendBytes(number, b"x", more=more)]
        stage.driver.post(stage.fact())
        await wait_all_tasks_blocked()
        assert len(stage.core.taken(BytesSent)) == more


async def test_who_does_not_read_is_cut_off(autojump_clock, stage):
    carrier, number = await stage.connect()
    stage.core.answers[FactOffered] = lambda _: [SendBytes(number, bytes(1_000_000))]
    for _ in range(MAX_UNSENT // 1_000_000 + 3):
        stage.driver.post(stage.fact())
        await wait_all_tasks_blocked()
    (failed,) = stage.core.taken(ConnectFailed)
    assert "does not read" in failed.reason
    with pytest.raises(trio.BrokenResourceError):
        await carrier.send_all(b"x")


async def test_last_words_leave_before_the_end(autojump_clock, stage):
    carrier, number = await stage.connect()
    stage.core.answers[FactOffered] = lambda _: [SendBytes(number, bytes(3 * CAPACITY)), Disconnect(number)]
    stage.driver.post(stage.fact())
    got = 0
    while part := await carrier.receive():
        got += len(part)
    assert got == 3 * CAPACITY


async def test_a_dial_that_reaches_nobody_says_why(autojump_clock, stage):
    stage.core.answers[FactOffered] = [Dial(7, Address("10.0.0.9", 1))]
    stage.driver.post(stage.fact())
    await wait_all_tasks_blocked()
    assert stage.core.taken(ConnectFailed) == [ConnectFailed(7, "connection refused")]


@pytest.mark.parametrize("busy", [False, True])
async def test_an_error_of_the_core_ends_the_node_and_not_the_task_that_brought_the_input(autojump_clock, stage, busy):
    error = KeyError("mine")

    def fail(_):
        raise error

    stage.core.answers[FactOffered] = fail
    stage.core.answers[Tick] = [STORE]
    if busy:
        stage.driver.post(Tick())
    stage.driver.post(stage.fact())
    await wait_all_tasks_blocked()
    with pytest.raises(KeyError) as raised:
        stage.driver._failures.come_out(None)
    assert raised.value is error
