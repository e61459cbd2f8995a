"""Writes the seeds of every fuzz target into its corpus: python -m tests.fuzz.seeds"""

from tests.fuzz.target import CORPUS
from tests.fuzz.targets import TARGETS

for name, target in TARGETS.items():
    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("seed-*"):
        old.unlink()
    for number, seed in enumerate(target.seeds(), 1):
        (folder / f"seed-{number:02}").write_bytes(seed)
