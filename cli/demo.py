"""`p2pnoise demo`: a whole network on this machine, told in seven steps, each of which has to prove itself."""

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from shlex import quote
from types import FrameType
from typing import Any

import click

from . import demo_view, options
from .demo_stage import Actor, DemoFailure, Stage, cpu_count
from .output import Fault

NETWORK = "demo-net"
MEMBERS = 6
CUT_WITHIN = 5.0  # seconds that a live session with a revoked peer may last

# What a terminal or a parent process says to stop, besides Ctrl-C.
_WORDS = (signal.SIGTERM,) if sys.platform == "win32" else (signal.SIGTERM, signal.SIGHUP)


@click.command()
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, readable=False),
    default=None,
    help="an empty or new folder for all data  [default: a new one under the temporary folder]",
)
@options.as_json
def command(*, folder: Path | None, as_json: bool) -> None:
    """Run a real network on this machine and watch it.

    One issuer and six nodes, each a process of its own with its own folder and database, on free ports of 127.0.0.1:
    enrolment, discovery, an outsider refused, a late joiner, a revocation that cuts live sessions, and a node that is
    killed and finds back by its own table. Ends in exit 0 only if every step did what it says; takes about half a
    minute, and Ctrl-C leaves nothing running.

    \b
    Examples:
      p2pnoise demo
      p2pnoise demo --dir ./demo --json
    """
    stage = Stage(_folder(folder))
    view = demo_view.choose(stage, as_json=as_json)
    story = _Story(stage, view)
    with _stopped_by_signals():
        try:
            with view.shown():
                story.tell()
        finally:
            with _deaf():
                stage.close()
    view.summary(*story.summary())


class _Story:
    """The seven steps. Each measures itself; what does not come true raises `DemoFailure`."""

    def __init__(self, stage: Stage, view: demo_view.View) -> None:
        self._stage = stage
        self._view = view
        self._times: dict[str, float] = {}
        self._issuer = ""
        self._members: list[Actor] = []

    def tell(self) -> None:
        steps: tuple[tuple[str, Callable[[], None]], ...] = (
            (f"an issuer and {MEMBERS} nodes: keys, request, issue, install", self._enrol),
            ("each node starts with one peer; the table fills until all know all", self._meet),
            ("an outsider with a valid self-signed card, which no issuer signed", self._refuse_outsider),
            ("a seventh node joins; nothing is restarted", self._join),
            ("one card is revoked; the list goes to one running node", self._revoke),
            ("a node is killed, and comes back on another port without a bootstrap address", self._kill),
            ("goodbye: every process stops at a word", self._stage.stop),
        )
        for number, (title, step) in enumerate(steps, 1):
            self._view.step(number, title)
            begun = time.monotonic()
            step()
            self._view.done(number, time.monotonic() - begun)

    def _enrol(self) -> None:
        issuer = self._stage.verb(
            "issuer", "new", "ops", "--network", NETWORK, "--issuer-home", str(self._stage.issuer_home)
        )
        self._issuer = f"ops={issuer['issuer']}"
        self._view.tell(f"issuer ops  {issuer['issuer']}", issuer=issuer["issuer"])
        self._members = [self._stage.add(f"node-{number}") for number in range(1, MEMBERS + 1)]
        with ThreadPoolExecutor(cpu_count()) as pool:
            list(pool.map(self._enrol_one, self._members))
        for actor in self._members:
            self._view.tell(f"{actor.name}  {actor.node_id}", name=actor.name, node_id=actor.node_id)

    def _enrol_one(self, actor: Actor) -> None:
        """The same three verbs that a user has: the keys never leave the node's folder."""
        verb, home = self._stage.verb, ("--home", str(actor.home))
        actor.node_id = verb("id", "new", *home)["node_id"]
        request, card = str(actor.home / "to-issuer.pem"), str(actor.home / "from-issuer.pem")
        verb("card", "request", "--name", actor.name, "--network", NETWORK, "-o", request, *home)
        verb("card", "issue", request, "-o", card, "--issuer-home", str(self._stage.issuer_home))
        verb("card", "install", card, "--issuer", self._issuer, *home)

    def _meet(self) -> None:
        begun = time.monotonic()
        for number, actor in enumerate(self._members):
            before = self._members[number - 1] if number else None
            self._stage.start(actor, bootstrap=f"{before.node_id}@{before.address}" if before else "")
            first = f"begins with {before.name} alone" if before else "is the first and begins with nobody"
            self._view.tell(f"{actor.name} {first}", name=actor.name, pid=actor.process.pid if actor.process else 0)
        self._until_all_know_all()
        self._times["all know all, from the first start"] = time.monotonic() - begun
        last = max(event["at"] for actor in self._members for event in actor.events if event["event"] == "listening")
        known = max(event["at"] for actor in self._members for event in actor.events if "known_peers" in event)
        self._times["all know all, from the last start"] = after = max(0.0, known - last)
        count = len(self._members)
        self._view.tell(
            f"{count} tables of {count} verified cards each, every pair linked, {after:.2f} s after the last start",
            seconds=round(after, 3),
        )

    def _until_all_know_all(self) -> None:
        everybody = {actor.node_id for actor in self._members}

        def done() -> bool:
            return all(
                actor.knows >= len(everybody) and actor.links >= everybody - {actor.node_id} for actor in self._members
            )

        self._stage.wait(done, 30, "all nodes to know and to be linked to all")

    def _refuse_outsider(self) -> None:
        outsider = self._stage.add("outsider", role="outsider")
        door = self._members[0]
        outsider.node_id = self._stage.verb("id", "new", "--home", str(outsider.home))["node_id"]
        self._stage.verb("card", "request", "--name", "outsider", "--network", NETWORK, "--home", str(outsider.home))
        # "card install" would refuse this card, so the outsider does what an outsider would: it puts the files there.
        shutil.copy(outsider.home / "request.pem", outsider.home / "card.pem")
        for name in ("policy.toml", "revocations.pem"):
            shutil.copy(door.home / name, outsider.home / name)
        self._stage.start(outsider, bootstrap=f"{door.node_id}@{door.address}")
        refusal = self._event(door, "peer-refused", node_id=outsider.node_id)
        for finding in refusal["findings"]:
            text = f"{door.name} refuses it as {refusal['reason']}: {finding['code']}, {finding['message']}"
            self._view.tell(text, reason=refusal["reason"], finding=finding)
        failed = self._event(outsider, "dial-failed")
        self._view.tell(f"the outsider hears nothing: {failed['reason']}", told=refusal["told"])
        if refusal["told"] or door.find("peer-verified", node_id=outsider.node_id):
            raise DemoFailure("the outsider was not kept out in silence")
        self._stage.kill(outsider)

    def _join(self) -> None:
        pids = [actor.process.pid for actor in self._members if actor.process]
        newcomer = self._stage.add(f"node-{MEMBERS + 1}")
        self._enrol_one(newcomer)
        begun = time.monotonic()
        door = self._members[2]
        self._members.append(newcomer)
        self._stage.start(newcomer, bootstrap=f"{door.node_id}@{door.address}")
        self._until_all_know_all()
        self._times["a newcomer known to and linked with all"] = time.monotonic() - begun
        if [actor.process.pid for actor in self._members[:MEMBERS] if actor.process and actor.running] != pids:
            raise DemoFailure("a process was restarted")
        self._view.tell(
            f"{newcomer.name} came by {door.name} and is linked with all; the same {len(pids)} processes run"
        )

    def _revoke(self) -> None:
        victim, first = self._members[3], self._members[0]
        others = [actor for actor in self._members if actor is not victim]
        if not all(victim.node_id in actor.links for actor in others):
            raise DemoFailure(f"not every node is linked with {victim.name} before it is revoked")
        issuer = ("--issuer-home", str(self._stage.issuer_home))
        self._stage.verb("revoke", "add", victim.name, "--reason", "key-compromise", *issuer)
        self._stage.verb("revoke", "publish", "--output", str(first.home / "revocations.pem"), *issuer)
        handed = (first.home / "revocations.pem").stat().st_mtime
        victim.role = "revoked"
        self._view.tell(f"{victim.name} is revoked; the list lies in the folder of {first.name} alone")
        self._stage.wait(
            lambda: all(victim.node_id not in actor.links for actor in others),
            CUT_WITHIN + 2,
            f"all live sessions with {victim.name} to be cut",
        )
        for actor in others:
            lost = self._event(actor, "peer-lost", node_id=victim.node_id)
            after = max(0.0, lost["at"] - handed)
            why = lost["findings"][0] if lost["findings"] else {"code": lost["reason"], "message": ""}
            self._view.tell(f"{actor.name} cuts its session after {after:.2f} s: {why['code']} {why['message']}")
            if after > CUT_WITHIN or "revoked" not in (lost["reason"], why["code"]):
                raise DemoFailure(f"{actor.name} did not cut the session for the revocation within {CUT_WITHIN:g} s")
            slowest = self._times.get("the last live session with the revoked node cut", 0.0)
            self._times["the last live session with the revoked node cut"] = max(slowest, after)
        self._show_redial(victim, others, handed)

    def _show_redial(self, victim: Actor, others: list[Actor], since: float) -> None:
        def refusals(actor: Actor, kind: str) -> list[dict[str, Any]]:
            return [
                event
                for event in actor.events
                if event["event"] == kind and event["reason"] == "revoked" and event["at"] > since
            ]

        def refused() -> bool:
            theirs = any(
                event["node_id"] == victim.node_id for actor in others for event in refusals(actor, "peer-refused")
            )
            # The first refusals that the victim hears end its live sessions; a dial that failed so is a redial.
            redial = any(
                event["event"] == "dial-failed" and event["reason"] == "revoked" and event["at"] > since
                for event in victim.events
            )
            return theirs and redial

        self._stage.wait(refused, 20, f"the redial of {victim.name} to be refused")
        ours = next(actor for actor in others if any(e["told"] for e in refusals(actor, "peer-refused")))
        self._view.tell(f"it dials again: {ours.name} refuses it as revoked, and tells it so")
        self._view.tell(f"{victim.name} hears: {refusals(victim, 'refused-by-peer')[-1]['reason']}")

    def _kill(self) -> None:
        victim = self._members[1]
        others = [actor for actor in self._members if actor is not victim and actor.role == "member"]
        before = victim.address
        self._stage.kill(victim)
        self._view.tell(f"{victim.name}, which listened on {before}, is killed with SIGKILL")
        self._stage.wait(
            lambda: all(victim.node_id not in actor.links for actor in others), 20, f"the others to miss {victim.name}"
        )
        since = len(victim.events)
        begun = time.monotonic()
        self._stage.start(victim)
        victim.role = "member"
        if victim.address == before:
            raise DemoFailure("it came back on the same port")
        expected = {actor.node_id for actor in others}
        self._stage.wait(lambda: victim.links >= expected, 30, f"{victim.name} to find back to all")
        self._times["a killed node back with all, by its own table"] = time.monotonic() - begun
        dials = [event for event in victim.events[since:] if event["event"] == "dialling"]
        if not dials or any(event["source"] != "table" for event in dials):
            raise DemoFailure("it did not dial from its own table")
        self._view.tell(f"it listens on {victim.address} now; its event log: {_dial_text(dials[0])}", event=dials[0])

    def _event(self, actor: Actor, kind: str, **fields: Any) -> dict[str, Any]:
        self._stage.wait(lambda: actor.find(kind, **fields) is not None, 20, f"{actor.name} to tell of {kind}")
        event = actor.find(kind, **fields)
        if event is None:
            raise DemoFailure(f"{actor.name} told nothing of {kind}")
        return event

    def summary(self) -> tuple[list[str], dict[str, Any]]:
        """What was measured, where the data lies, what to type next."""
        width = max(map(len, self._times))
        home = self._stage.folder / self._members[0].name
        lines = ["every step did what it says"]
        lines += [f"  {what:<{width}}  {seconds:6.2f} s" for what, seconds in self._times.items()]
        program = _program()
        lines += [
            f"all data is in {self._stage.folder}; look at it with",
            f"  {program} peers --home {quote(str(home))}",
            f"  {program} card show --home {quote(str(home))}",
            f"  cat {quote(str(home / 'events.jsonl'))}",
            f"and remove it with: rm -r {quote(str(self._stage.folder))}",
        ]
        facts = {
            "ok": True,
            "folder": str(self._stage.folder),
            "seconds": {what: round(seconds, 3) for what, seconds in self._times.items()},
        }
        return lines, facts


def _program() -> str:
    """What to type to run this program again: `make demo` runs one that is not on PATH."""
    called = Path(sys.argv[0])
    if called.name != "p2pnoise":
        return f"{sys.executable} -m cli"
    found = shutil.which("p2pnoise")
    return "p2pnoise" if found and Path(found).samefile(called) else os.path.relpath(called)


def _dial_text(event: dict[str, Any]) -> str:
    return f"dialling {event['name']} at {event['address']}, source {event['source']}"


def _folder(folder: Path | None) -> Path:
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="p2pnoise-demo-"))
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise Fault(f"{folder} is not empty", "name a new folder; the demo replaces nothing")
    return folder


def _stopped_by_signals() -> AbstractContextManager[None]:
    """A word to stop ends the story as Ctrl-C does, so that the stage is always cleared."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    return _handled(_WORDS, stop)


def _deaf() -> AbstractContextManager[None]:
    """While the stage is cleared, a second Ctrl-C must not leave half of it standing."""
    return _handled((signal.SIGINT, *_WORDS), signal.SIG_IGN)


@contextmanager
def _handled(
    names: Iterable[signal.Signals], by: Callable[[int, FrameType | None], None] | signal.Handlers
) -> Iterator[None]:
    """Have these signals handled so for a while."""
    before = {name: signal.signal(name, by) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
