"""Reads lines of a run again, whoever has written them: what is no line of ours is refused by its place and by name.

Knows the form of lines, and not what they say of each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import BinaryIO, Final, cast

import msgspec

from treetask._errors import TreeTaskError
from treetask.events._lines import FORMAT_VERSION, Line, StartLine

#: What the decoder raises for what is no JSON, no line, no UTF-8, or nested deeper than it can follow.
_NO_LINE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_decoder: Final = msgspec.json.Decoder(Line)
_EXPECTED: Final = "expected the events of a run, as --events FILE writes them"
#: Of what was found instead, what a message shows.
_FOUND_SHOWN: Final = 60
#: A line is longer than this only in a file that has none of ours: a disk image, say.
_LINE_BYTES: Final = 64 * 1024 * 1024


class EventsError(TreeTaskError):
    """A stream of lines that cannot be read as the events of a run; says where, what was found and what was expected.

    `line` counts from 1; None where the trouble is in no line.
    """

    def __init__(self, name: str, line: int | None, trouble: str) -> None:
        where = name if line is None else f"{name}, line {line}"
        super().__init__(f"{where}: {trouble}")
        self.name: Final = name
        self.line: Final = line


def read_events(path: str | PathLike[str]) -> Iterator[Line]:
    """Yield the lines of a file, one after another. Raises `EventsError`, the first one before anything is yielded."""
    name = str(path)
    try:
        with Path(path).open("rb") as stream:
            yield from lines_of(_whole_lines(stream, name), name)
    except OSError as error:
        raise EventsError(name, None, f"it cannot be read: {error.strerror or error}") from error


def lines_of(stream: Iterable[bytes], name: str) -> Iterator[Line]:
    """Yield the lines of a stream, such as a binary file, which messages call by a name. Raises `EventsError`.

    What a later version of TreeTask may add is skipped: keys, and kinds of events. A last line that was cut off in the
    middle is no error, since that is how a run looks whose process was killed.
    """
    number = 0
    for number, text in enumerate(stream, 1):
        line = _first(text, name) if number == 1 else _later(text, number, name)
        if line is not None:
            yield line
    if number == 0:
        raise EventsError(name, None, f"it is empty; {_EXPECTED}")


def _whole_lines(stream: BinaryIO, name: str) -> Iterator[bytes]:
    number = 0
    while text := stream.readline(_LINE_BYTES):
        number += 1
        if len(text) == _LINE_BYTES and not text.endswith(b"\n"):
            raise EventsError(name, number, f"it is longer than {_LINE_BYTES:,} bytes; {_EXPECTED}")
        yield text


def _first(text: bytes, name: str) -> StartLine:
    """Return the line that says which form the others have, before anything is made of them."""
    try:
        found: object = msgspec.json.decode(text)
    except _NO_LINE:
        raise EventsError(name, 1, f"found {_shown(text)}; {_EXPECTED}") from None
    fields = cast("Mapping[str, object]", found if isinstance(found, dict) else {})
    if fields.get("event") != "run_started":
        raise EventsError(name, 1, f"found {_shown(text)}; {_EXPECTED}")
    version = fields.get("version")
    if isinstance(version, int) and version > FORMAT_VERSION:
        trouble = f"it has version {version} of the events, and this TreeTask reads up to {FORMAT_VERSION}; update it"
        raise EventsError(name, 1, trouble)
    line = _decoded(text, 1, name)
    assert isinstance(line, StartLine)
    return line


def _later(text: bytes, number: int, name: str) -> Line | None:
    if not text.endswith(b"\n"):
        # The last one, which nobody has finished; unless only its end is missing.
        try:
            msgspec.json.decode(text)
        except _NO_LINE:
            return None
    elif text.isspace():
        return None
    line = _decoded(text, number, name)
    if isinstance(line, StartLine):
        raise EventsError(name, number, "a second run begins here; expected the events of one run in a file")
    return line


def _decoded(text: bytes, number: int, name: str) -> Line | None:
    """Return a line; None for one of a kind that is not known here."""
    try:
        line: Line = _decoder.decode(text)
    except _NO_LINE as error:
        if _is_of_unknown_kind(text):
            return None
        raise EventsError(name, number, f"{_said(error)}; found {_shown(text)}") from None
    return line


def _is_of_unknown_kind(text: bytes) -> bool:
    try:
        found: object = msgspec.json.decode(text)
    except _NO_LINE:
        return False
    kind = cast("Mapping[str, object]", found).get("event") if isinstance(found, dict) else None
    return isinstance(kind, str) and kind not in _KINDS


_KINDS: Final = frozenset(each.__struct_config__.tag for each in Line.__args__)


def _said(error: Exception) -> str:
    words = str(error)
    return words[:1].lower() + words[1:] if words[1:2].islower() else words


def _shown(text: bytes) -> str:
    shown = text.strip().decode("utf-8", "backslashreplace")
    return repr(shown if len(shown) <= _FOUND_SHOWN else f"{shown[: _FOUND_SHOWN - 1]}…")
