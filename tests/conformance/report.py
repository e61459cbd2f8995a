"""What a run of test vectors came to, and how a file of them is opened."""

import json
from collections.abc import Callable
from pathlib import Path


class UnusableFile(Exception):  # noqa: N818 - says what is unusable
    """A file from which no vector can be run; the message is one sentence for the person who named it."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class VectorFailed(Exception):  # noqa: N818 - says what failed
    """A vector that we do not reproduce, or of which we do not know what it says."""


class Report:
    """Counts vectors, and tells why each that failed did."""

    def __init__(self, tell: Callable[[str], object]) -> None:
        self.tell = tell
        self.passed = 0
        self.failed = 0

    def run(self, name: str, vector: Callable[[], None]) -> None:
        """Runs one vector; VectorFailed is its failure."""
        try:
            vector()
        except VectorFailed as error:
            self.failed += 1
            self.tell(f"{name}: {error}")
        else:
            self.passed += 1

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed"


def load_json(path: Path) -> object:
    """What a JSON file holds. Raises UnusableFile."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UnusableFile("not a text file", 3) from None
    except (OSError, ValueError) as error:
        raise UnusableFile(f"cannot be read: {getattr(error, 'strerror', None) or error}", 1) from None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnusableFile(f"not JSON: {error}", 3) from None


def load_vectors(path: Path, *keys: str) -> list[object]:
    """The list under one of these keys of a JSON file. Raises UnusableFile."""
    loaded = load_json(path)
    lists = [loaded.get(key) for key in keys] if isinstance(loaded, dict) else []
    vectors = next((vectors for vectors in lists if isinstance(vectors, list) and vectors), None)
    if vectors is None:
        names = " or ".join(f'"{key}"' for key in keys)
        raise UnusableFile(f"of another form: an object with a list {names} expected", 3)
    return vectors
