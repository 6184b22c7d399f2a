"""Text that others wrote, made safe to be shown: what a terminal would obey, or an eye would miss, is made visible.

Names, errors, reasons and messages go through `safe_text` before they are measured or painted. Knows characters, not
where they go.
"""

from __future__ import annotations

import functools
import re
from typing import Final

#: What a terminal obeys (controls, escapes, line breaks), what reorders a line (bidi), what nobody sees (zero-width,
#: fillers, tags, variation selectors) and what cannot be encoded (lone surrogates).
_SUSPECT: Final = (
    r"\x00-\x1f\x7f-\x9f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5"
    r"\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    r"\U000110bd\U000110cd\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
#: Pictures that a zero-width joiner makes one of, and signs that a variation selector turns into pictures.
_PICTURES: Final = r"\u2190-\u21ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff"
_SIGNS: Final = _PICTURES + r"\u00a9\u00ae\u203c\u2049\u2100-\u214f\u2300-\u23ff\u25a0-\u25ff\u3030\u303d\u3297\u3299"
#: Marks drawn over the character before them.
_MARKS: Final = r"\u0300-\u034e\u0350-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
#: Languages put at most this many marks on one character; a hundred of them are drawn over the lines above and below.
_MARKS_KEPT: Final = 4

_HARMLESS_JOINT: Final = (
    rf"(?<=[{_PICTURES}])\u200d(?=[{_PICTURES}])"
    rf"|(?<=[{_PICTURES}]\ufe0f)\u200d(?=[{_PICTURES}])"
    rf"|(?<=[{_SIGNS}])[\ufe0e\ufe0f]"
    r"|(?<=[#*0-9])\ufe0f(?=\u20e3)"  # a key of a telephone
)
_FIND: Final = rf"({_HARMLESS_JOINT})|[{_SUSPECT}]|(?<={f'[{_MARKS}]' * _MARKS_KEPT})[{_MARKS}]"
#: A quick first look: most texts have none of these and need no second.
_DOUBTFUL: Final = f"[{_SUSPECT}{_MARKS}]"
_HIDDEN: Final = re.compile(f"[{_SUSPECT}]")
#: What sets colours, which programs write to wherever they think a terminal is.
_COLOURS: Final = r"\x1b\[[0-9;:]*m"
_SHORT: Final = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


_compiled: Final = functools.cache(re.compile)


def safe_text(text: object, *, limit: int | None = None) -> str:
    r"""Return a text with everything in it visible, on one line, at most `limit` characters long.

    Escapes, control and bidi characters, line breaks, zero-width characters and lone surrogates are written as in
    Python's own literals (`\x1b`, `\u202e`); the joints inside emoji stay. A text that is clean comes back as it is.
    """
    value = text if isinstance(text, str) else str(text)
    if limit is not None and len(value) > limit:
        value = value[: limit + 1]  # the rest of a page of error text is not even looked at
    # The patterns are compiled when they are needed, which for most programs is never: that takes milliseconds.
    if not (value.isascii() and value.isprintable()) and _compiled(_DOUBTFUL).search(value) is not None:
        value = _compiled(_FIND).sub(_visible, value)
    if limit is not None and len(value) > limit:
        value = value[: limit - 1] + "…" if limit > 0 else ""
    return value


def safe_json(text: str) -> str:
    """Return JSON in which what `safe_text` makes visible is written in JSON's own escapes: it says what it said."""
    if text.isascii() and "\x7f" not in text:
        return text
    return _HIDDEN.sub(_as_json_escape, text)


def without_colours(text: str) -> str:
    """Return a text without the sequences that set its colours; a display has its own."""
    return _compiled(_COLOURS).sub("", text) if "\x1b" in text else text


def _as_json_escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _visible(match: re.Match[str]) -> str:
    character = match[0]
    if match[1] is not None:
        return character
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    if code <= 0xFF:  # noqa: PLR2004 - the widths of Python's three escapes
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004
