"""Disks that are files: what was kept comes back, what is damaged is refused in words, what is mended serves again."""

import random

import pytest

from p2pnoise.config import Bootstrap
from p2pnoise.instant import SECOND
from simulations import Crash, DiskFault, Rotate, World
from simulations.disks import DiskError, MemoryDisk
from simulations.files import FileDisk
from simulations.oracle import NETWORK
from simulations.striking import plan


@pytest.fixture
def world(tmp_path):
    world = World(1)
    world.disk = lambda number: FileDisk(
        tmp_path / f"{number}.db",
        world.chance("disk", number),
        network=NETWORK,
        node_id=lambda: bytes(world.oracle.citizens[number].key.public),
        now=lambda: world.unix,
    )
    return world


def town(world, count=3):
    nodes = []
    for _ in range(count):
        first = [Bootstrap(nodes[0].address, nodes[0].citizen.key.public)] if nodes else []
        nodes.append(world.add(bootstrap=first))
    world.run(10 * SECOND)
    return nodes


def known(node):
    _, restored = node.disk.load()
    return {row.card.card_id for row in restored.peers}


def test_a_file_gives_back_what_a_disk_in_memory_does(world):
    nodes = town(world)
    plain = World(1)
    assert isinstance(plain.disk(0), MemoryDisk)
    others = town(plain)
    assert [known(node) for node in nodes] == [known(node) for node in others]
    assert len(known(nodes[0])) == 3


def test_what_was_written_last_survives_the_kill_of_its_process_in_the_log(world):
    node = town(world)[1]
    log = node.disk.path.with_name("1.db-wal")
    assert log.stat().st_size > 0
    before = log.read_bytes()
    world.kill(node, silent=True)
    node.disk._abandon()
    assert log.read_bytes() == before
    assert len(known(node)) == 3


def test_a_node_whose_disk_is_full_ends_with_a_sentence_and_starts_when_there_is_room(world):
    nodes = town(world)
    failures = []
    world.on_failure.append(lambda node, error: failures.append((node.number, type(error), str(error))))
    world.oracle.issue(nodes[0].citizen)
    plan(
        world,
        (
            DiskFault(at=11, until=20, nodes=(1,), how="full"),
            Rotate(at=12, nodes=(0,)),
            Crash(at=14, until=15, nodes=(1,)),
        ),
    )
    world.run(18 * SECOND)
    assert not nodes[1].online
    assert failures == [(1, DiskError, "1.db: database or disk is full")] * 2  # when it wrote, and when it started
    world.run(60 * SECOND)
    assert nodes[1].online
    assert nodes[1].lacks([node.citizen for node in nodes]) == 0


@pytest.mark.parametrize("how", ["torn", "corrupt"])
def test_a_damaged_file_is_refused_in_a_sentence_or_serves_what_is_whole(world, tmp_path, how):
    town(world)
    world.nodes[1].disk._close()
    whole = (tmp_path / "1.db").read_bytes()
    everything = known(world.nodes[1])
    refused, served = [], 0
    for seed in range(60):
        path = tmp_path / f"copy-{seed}.db"
        path.write_bytes(whole)
        disk = FileDisk(
            path,
            random.Random(seed),
            network=NETWORK,
            node_id=lambda: bytes(world.nodes[1].citizen.key.public),
            now=lambda: 0,
        )
        disk.strike(how)
        try:
            _, restored = disk.load()
        except DiskError as error:
            refused.append(str(error))
            disk.mend()
            refused_again = [row.card.name for row in disk.load()[1].peers]
            assert not refused_again
        else:
            served += 1
            assert sum(row.card.card_id not in everything for row in restored.peers) <= (how == "corrupt")
        disk._close()
    assert refused
    assert all(": " in sentence for sentence in refused)
    assert served or how == "torn"


def test_a_database_goes_on_with_the_next_key_of_its_node(world):
    nodes = town(world)
    plan(world, (Rotate(at=11, nodes=(1,)),))
    world.run(30 * SECOND)
    assert nodes[1].online
    world.kill(nodes[1])
    assert len(known(nodes[1])) == 3


def test_a_damage_waits_for_a_node_that_runs_to_be_down(world):
    nodes = town(world)
    plan(world, (DiskFault(at=11, nodes=(1,), how="torn"),))
    world.run(20 * SECOND)
    assert nodes[1].online
    world.kill(nodes[1])
    world.start(nodes[1])
    assert nodes[1].disk._faults == []
    assert nodes[1].online or nodes[1].failure
