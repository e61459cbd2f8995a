"""Fault: what is wrong with a file or a folder, for the person who can mend it."""

import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from os import PathLike

from cards import CardError, Finding
from cards.findings import UNEXPECTED
from p2pnoise.errors import P2PNoiseError

__all__ = ["Fault", "naming", "os_fault"]


class Fault(P2PNoiseError):  # noqa: N818 - what a person can mend is not an error of the program
    """Something a person can mend: a sentence, `hint` as the next step, `code` as exit code. Nothing was changed.

    With `findings` and no `hint`, the findings follow the sentence, each with its own next step.
    """

    def __init__(
        self, message: str, hint: str = "", *, code: int = UNEXPECTED, findings: Iterable[Finding] = ()
    ) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code
        self.findings = tuple(findings)


@contextmanager
def naming(path: str | PathLike[str], hint: str = "") -> Iterator[None]:
    """Inside, a `CardError` becomes a `Fault` that names the file; `hint` replaces the general next step."""
    try:
        yield
    except CardError as error:
        finding = error.finding
        raise Fault(f"{path}: {error}", hint or finding.hint, code=finding.exit, findings=(finding,)) from None


_WORDS = {
    errno.ENOENT: ("{} does not exist", "check the name"),
    errno.EISDIR: ("{} is a folder, a file expected", "name a file in it"),
    errno.EEXIST: ("{} exists already", "choose another name"),
    errno.ENOTDIR: ("{} lies below something that is not a folder", "check the name"),
    errno.EACCES: ("{}: permission denied", "run as its owner, or have its permissions changed"),
    errno.EPERM: ("{}: not permitted", "run as its owner, or have its permissions changed"),
    errno.ELOOP: ("{} is a loop of symbolic links", "name the file itself"),
    errno.ENOSPC: ("no space left for {}", "make room and run it again; what was there before still is"),
    errno.EDQUOT: ("no space left for {}", "make room and run it again; what was there before still is"),
    errno.EROFS: ("{} lies on a read-only file system", "choose another place"),
    errno.ENAMETOOLONG: ("{} is too long a name", "choose a shorter one"),
}


def os_fault(error: OSError, path: str | PathLike[str]) -> Fault:
    """The sentence for what the operating system refused."""
    message, hint = _WORDS.get(error.errno or 0, ("{}: " + (error.strerror or str(error)).lower(), "mend that first"))
    name = str(path)
    return Fault(message.format(name if len(name) <= 200 else f"{name[:200]}..."), hint)
