"""Runs test vectors and cases against p2pnoise: python -m tests.conformance KIND FILE...

The kinds are noise, noisesocket, ed25519 and x25519 for files of published vectors, and cards for a folder of cases.

Says on standard error what failed and why, and ends with the line `N passed, M failed`. Exit codes: 0 if every
vector passed, 1 if one failed or a file cannot be read, 2 if the call is none, 3 if a file holds no vectors.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.conformance import card_cases, crypto_vectors, noise_vectors, noisesocket_vectors
from tests.conformance.report import Report, UnusableFile

Runner = Callable[[Path, Report], None]

KINDS: Mapping[str, Runner] = {
    "noise": noise_vectors.run,
    "noisesocket": noisesocket_vectors.run,
    "ed25519": crypto_vectors.run_ed25519,
    "x25519": crypto_vectors.run_x25519,
    "cards": card_cases.run,
}
"""What runs the vectors of each kind."""

USAGE = f"usage: python -m tests.conformance {'|'.join(KINDS)} FILE..."


def main(arguments: list[str]) -> int:
    """Runs the files that the arguments name; the exit code."""
    if arguments in (["--help"], ["-h"]):
        sys.stdout.write(f"{USAGE}\n")
        return 0
    kind, *names = arguments or [""]
    if kind not in KINDS or not names:
        sys.stderr.write(f"{USAGE}\n")
        return 2
    report = Report(lambda line: sys.stderr.write(f"{line}\n"))
    codes = {0}
    for name in names:
        try:
            KINDS[kind](Path(name), report)
        except UnusableFile as error:
            report.tell(f"{name}: {error}")
            codes.add(error.exit_code)
    sys.stdout.write(f"{report}\n")
    return 1 if report.failed else max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
