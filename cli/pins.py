"""Pins on the command line: pins.toml written, where p2pnoise/folder/pins.py reads it."""

from pathlib import Path

from p2pnoise.folder.pins import Pins, name_in, read, text_of

from . import files

__all__ = ["Pins", "read", "write"]


def write(path: Path, pins: Pins) -> None:
    """Have the file say these pins; comments and the lines of pins that stay are left as people wrote them."""
    held, wanted = read(path).texts(), pins.texts()
    lines = text_of(path).split("\n")[:-1] if path.exists() else []
    kept = [line for line in lines if (name := name_in(line)) is None or held[name] == wanted.get(name)]
    new = [f'"{name}" = "{text}"' for name, text in wanted.items() if held.get(name) != text]
    files.write(path, "".join(f"{line}\n" for line in (*kept, *new)).encode(), force=True)
