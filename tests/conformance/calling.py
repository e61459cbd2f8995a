"""The command called in the process of a test, which is told what a shell would be."""

from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

from tests.conformance.__main__ import main


def conformance(*arguments: object) -> tuple[int, str, str]:
    """The command's exit code, what it answered and what it narrated."""
    with redirect_stdout(StringIO()) as answer, redirect_stderr(StringIO()) as narration:
        code = main([str(argument) for argument in arguments])
    return code, answer.getvalue(), narration.getvalue()
