"""`p2pnoise doctor`: everything that is wrong in a node's or an issuer's folder, or will be soon, and what mends it."""

import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Any, Literal, TypeVar

import click
from click.core import ParameterSource

from cards import Finding
from cards.findings import CODES, EXIT_ORDER, OK, UNEXPECTED
from cards.statements import ENGINE

from . import options
from .folders import IssuerFolder, NodeFolder
from .options import DAY
from .output import Fault, answer, answer_json, say, until

_Content = TypeVar("_Content")

_SOON = 30 * DAY  # seconds; a guess: a month to reach whoever keeps the issuer's key

WORDS = {"error": "WRONG", "warning": "soon", "advice": "advice"}


@dataclass(frozen=True, slots=True)
class Symptom:
    """One thing that is wrong now (an error), that will be or may be (a warning), or could be better (advice)."""

    severity: Literal["error", "warning", "advice"]
    code: str
    message: str
    fix: str
    exit: int = UNEXPECTED

    def to_json(self) -> dict[str, str]:
        return {"code": self.code, "severity": self.severity, "message": self.message, "hint": self.fix}


@dataclass(slots=True)
class Report:
    """What was found in one folder."""

    folder: Path
    now: int
    symptoms: list[Symptom] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)

    def wrong(self, code: str, message: str, fix: str, exit_code: int = UNEXPECTED) -> None:
        self.symptoms.append(Symptom("error", code, message, fix, exit_code))

    def warn(self, code: str, message: str, fix: str) -> None:
        self.symptoms.append(Symptom("warning", code, message, fix))

    def advise(self, code: str, message: str, fix: str) -> None:
        self.symptoms.append(Symptom("advice", code, message, fix))

    def findings(self, findings: Iterable[Finding]) -> None:
        """What `cards` found, in its own words."""
        for one in findings:
            severity: Literal["error", "warning"] = one.severity
            self.symptoms.append(Symptom(severity, one.code, one.message, one.hint, one.exit))

    def reading(self, read: Callable[[], _Content]) -> _Content | None:
        """What `read` gives; None where it faults, which is then a symptom."""
        try:
            return read()
        except Fault as fault:
            self.fault(fault)
            return None

    def fault(self, fault: Fault) -> None:
        code = fault.findings[0].code if fault.findings else "unreadable"
        self.wrong(code, str(fault), fault.hint, fault.code)

    def ending(self, what: str, begin: int, end: int, code: str, fix: str) -> None:
        """Say so where something that counts from `begin` to `end` is about to end, or has: seconds since 1970."""
        if self.now >= end:
            self.wrong(code, f"{what} ended {until(end, self.now)}", fix, CODES[code].exit)
        elif self.is_soon(begin, end):
            self.warn(code, f"{what} ends {until(end, self.now)}", fix)

    def is_soon(self, begin: int, end: int) -> bool:
        """Whether the last third of its time, or the last month, has begun: grants are renewed at two thirds (P2)."""
        return end - self.now < min(_SOON, (end - begin) // 3)

    def private(self, *paths: Path) -> None:
        """Secrets are for their owner alone."""
        for path in _present(paths):
            if stat.S_IMODE(path.stat().st_mode) & 0o077:
                self.wrong("permissions", f"{path} is open to others", f"chmod 600 {quote(str(path))}")

    def guarded(self, *paths: Path) -> None:
        """What decides whom to believe is written by its owner alone."""
        for path in _present(paths):
            if stat.S_IMODE(path.stat().st_mode) & 0o022:
                self.wrong("permissions", f"{path} can be changed by others", f"chmod go-w {quote(str(path))}")

    @property
    def exit_code(self) -> int:
        wrong = {one.exit for one in self.symptoms if one.severity == "error"}
        return next((code for code in EXIT_ORDER if code in wrong), UNEXPECTED if wrong else OK)

    def lines(self) -> list[str]:
        width = max((len(one.code) for one in self.symptoms), default=0)
        lines = [f"{self.folder}"]
        for one in sorted(self.symptoms, key=lambda one: list(WORDS).index(one.severity)):
            lines.append(f"    {WORDS[one.severity]:<6}  {one.code:<{width}}  {one.message}")
            lines.append(f"    {'':<6}  {'':<{width}}  fix: {one.fix}")
        return lines if self.symptoms else [*lines, f"    all is well: {', '.join(self.checked)}"]


def _present(paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if os.name == "posix" and path.exists()]


@click.command()
@options.home
@options.new_issuer_home
@options.as_json
@click.pass_context
def command(ctx: click.Context, *, home: NodeFolder, folder: IssuerFolder, as_json: bool) -> None:
    """Check a node's or an issuer's folder, and say what to do.

    Both folders are looked at where they hold something; with --home or --issuer-home that one alone. What ends
    within a month, or is in the last third of its time, is told ahead. Nothing is changed.

    \b
    Examples:
      p2pnoise doctor
      p2pnoise doctor --home /srv/node --json
    """
    from .doctor_issuer import check_issuer  # noqa: PLC0415 - they stand on this module
    from .doctor_node import check_node  # noqa: PLC0415

    now = options.now()
    named = {name for name in ("home", "folder") if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    reports = []
    if "home" in named or (not named and home.path.is_dir()):
        reports.append(check_node(home, Report(home.path, now)))
    if "folder" in named or (not named and folder.path.is_dir()):
        reports.append(check_issuer(folder, Report(folder.path, now)))
    if not reports:
        fix = "p2pnoise id new, p2pnoise issuer new, or name a folder with --home or --issuer-home"
        raise Fault(f"there is neither a node in {home.path} nor an issuer in {folder.path}", fix)
    code = _exit_code(reports)
    if as_json:
        answer_json(_json(reports, code))
    else:
        for report in reports:
            answer(*report.lines())
        faster = "" if ENGINE == "libsodium" else ", libsodium is faster: pip install 'p2pnoise[fast]'"
        say(f"signatures are verified by {ENGINE}{faster}")
    raise click.exceptions.Exit(code)


def _exit_code(reports: list[Report]) -> int:
    found = {report.exit_code for report in reports} - {OK}
    return next((code for code in EXIT_ORDER if code in found), UNEXPECTED if found else OK)


def _json(reports: list[Report], code: int) -> dict[str, Any]:
    return {
        "ok": code == OK,
        "exit": code,
        "verified_by": ENGINE,
        "folders": [
            {
                "folder": str(report.folder),
                "exit": report.exit_code,
                "findings": [symptom.to_json() for symptom in report.symptoms],
            }
            for report in reports
        ],
    }
