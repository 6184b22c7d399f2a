"""How many columns a text takes, and how it is cut to fit. Expects text that `safe_text` has passed.

wcwidth is loaded for the first text that needs it; Latin, Greek and Cyrillic names do not.
"""

from __future__ import annotations

import functools
import re
from typing import Final

#: Letters, punctuation and lines of one column each.
_NARROW: Final = re.compile(
    r"[ -~\u00a0-\u00ac\u00ae-\u02ff\u0370-\u0482\u048a-\u052f\u2010-\u2015\u2018-\u2027\u2030-\u205e\u2190-\u21ff"
    r"\u2500-\u257f]*"
)
_EMOJI_FORM: Final = "\ufe0f"
_JOINER: Final = "\u200d"


def display_width(text: str) -> int:
    """Return the columns that a text takes, on the terminal that needs most of them.

    Terminals differ about joined emoji; here each part counts, so that no line is ever wider than it was taken for.
    """
    if text.isascii() or _NARROW.fullmatch(text) is not None:
        return len(text)
    return _measured(text)


@functools.lru_cache(maxsize=2048)
def _measured(text: str) -> int:
    return sum(_columns(text))


def _columns(text: str) -> list[int]:
    """Return what each character adds to the width."""
    from wcwidth import wcwidth

    columns: list[int] = []
    for character in text:
        if character == _EMOJI_FORM:
            # The picture of a sign (a heart, a digit) is one column wider than the sign.
            columns.append(1 if columns and columns[-1] == 1 else 0)
        else:
            columns.append(max(0, wcwidth(character)))
    return columns


def clip(text: str, width: int, ellipsis: str = "…") -> str:
    """Return a text of at most `width` columns; where something was cut off, it ends with the ellipsis."""
    if width <= 0:
        return ""
    if display_width(text) <= width:
        return text
    room = width - len(ellipsis)
    if room < 0:
        return _head(text, width)
    return _head(text, room) + ellipsis


def _head(text: str, width: int) -> str:
    if text.isascii():
        return text[:width]
    used = 0
    for index, columns in enumerate(_columns(text)):
        used += columns
        if used > width:
            return text[:index].rstrip(_JOINER)
    return text
