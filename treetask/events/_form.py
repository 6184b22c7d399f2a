"""The form of lines: JSON, one object a line, in UTF-8, in which nothing is hidden that an eye or a terminal obeys."""

from __future__ import annotations

from typing import Final, cast

import msgspec

from treetask.events._lines import Line
from treetask.text import safe_json

#: Wherever this stands in a line, GitHub Actions takes what follows for a command; and the same, in JSON's own escapes.
_COMMAND: Final = b"##["
_NO_COMMAND: Final = b"#\\u0023["

_encoder: Final = msgspec.json.Encoder()


def encoded(line: Line) -> bytes:
    """Return a line with its end. What no encoding has, lone surrogates, is written as in Python's own literals."""
    try:
        data = _encoder.encode(line)
    except UnicodeEncodeError:
        data = _encoder.encode(_encodable(msgspec.to_builtins(line)))
    if not data.isascii() or b"\x7f" in data:
        data = safe_json(data.decode("utf-8")).encode("utf-8")
    if _COMMAND in data:
        data = data.replace(_COMMAND, _NO_COMMAND)
    return data + b"\n"


def _encodable(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {_encodable(key): _encodable(each) for key, each in cast("dict[object, object]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_encodable(each) for each in cast("list[object]", value)]
    return value
