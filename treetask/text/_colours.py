"""A line that a program wrote, with its colours and nothing else that a terminal would obey.

Knows escape sequences; not where the line goes.
"""

from __future__ import annotations

import re
from typing import Final

from treetask.text._safe_text import safe_text, without_colours

_RESET: Final = "\x1b[0m"
_COLOURS: Final = re.compile(r"\x1b\[([0-9;]*)m")
#: Bold, faint, italic, underlined and back, and the colours of a palette. Nothing that hides a text, or blinks.
_ALLOWED: Final = frozenset({*range(5), *range(22, 25), *range(30, 38), *range(39, 48), 49, *range(90, 108)})
#: They begin a colour by number (`38;5;208`) or by its parts (`48;2;255;128;0`).
_LONG: Final = frozenset({"38", "48"})
_LONG_PARTS: Final = {"5": 3, "2": 5}
_LARGEST: Final = 255


def safe_colours(text: str, *, limit: int | None = None) -> str:
    """Return a text as `safe_text` does, but with its colours, which end with it; `limit` does not count them."""
    if "\x1b" not in text:
        return safe_text(text, limit=limit)
    pieces: list[str] = []
    start, left, is_coloured = 0, limit, False
    for match in _COLOURS.finditer(text):
        plain = safe_text(text[start : match.start()], limit=left)
        pieces.append(plain)
        start = match.end()
        if left is not None:
            left -= len(plain)
            if left <= 0:
                if without_colours(text[start:]):
                    pieces[-1] = f"{plain[:-1]}…"
                start = len(text)
                break
        codes = _allowed(match[1])
        if codes:
            pieces.append(f"\x1b[{codes}m")
            is_coloured = codes != "0"
    pieces.append(safe_text(text[start:], limit=left))
    if is_coloured:
        pieces.append(_RESET)
    return "".join(pieces)


def _allowed(codes: str) -> str:
    """Return those numbers of a sequence that may pass; an empty text where there is none."""
    numbers = codes.split(";")
    kept: list[str] = []
    index = 0
    while index < len(numbers):
        count = _LONG_PARTS.get(numbers[index + 1], 1) if numbers[index] in _LONG and index + 1 < len(numbers) else 1
        part = numbers[index : index + count]
        is_known = len(part) == count and all(_fits(number) for number in part)
        if is_known and (count > 1 or (int(part[0] or 0) in _ALLOWED and part[0] not in _LONG)):
            kept += [number or "0" for number in part]
        index += count
    return ";".join(kept)


def _fits(number: str) -> bool:
    return len(number) <= len(str(_LARGEST)) and int(number or 0) <= _LARGEST
