"""QR codes of short texts, in the terminal and as SVG. Only what asks for one loads the library."""

import io
from typing import Any


def draw_qr(text: str) -> str:
    """The code in half blocks, two rows a line, dark on light where the terminal is."""
    drawn = io.StringIO()
    _make(text).terminal(out=drawn, compact=True)
    return drawn.getvalue()


def qr_svg(text: str) -> str:
    """The code as an SVG document, ten units a module."""
    picture = io.BytesIO()
    _make(text).save(picture, kind="svg", scale=10)
    return picture.getvalue().decode()


def _make(text: str) -> Any:
    import segno  # noqa: PLC0415 - slow, and rarely wanted

    return segno.make(text, error="l", micro=False)
