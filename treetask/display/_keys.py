"""Which keys were pressed: bytes of a terminal go in, keys come out, whatever way the bytes were split over reads.

Pure: no terminal and no clock. What a lone Esc is, only a short silence tells; whoever reads says when it was silent.
"""

from __future__ import annotations

import re
from enum import Enum, unique
from typing import Final, NamedTuple


@unique
class Key(Enum):
    """What a key asks for."""

    UP = "up"
    DOWN = "down"
    LEFT = "left"
    RIGHT = "right"
    PAGE_UP = "page up"
    PAGE_DOWN = "page down"
    HOME = "home"
    END = "end"
    ENTER = "enter"
    ESCAPE = "escape"
    FAILED = "f"
    LOG = "l"
    PAUSE = "p"
    CANCEL = "x"
    HELP = "?"


class Typed(NamedTuple):
    """Some bytes that were typed: the key that they are, and what they are to somebody who reads text."""

    key: Key | None
    text: bytes


_CHARACTERS: Final = {
    b"j": Key.DOWN,
    b"k": Key.UP,
    b"\n": Key.ENTER,
    b"\r": Key.ENTER,
    **{key.value.encode(): key for key in (Key.FAILED, Key.LOG, Key.PAUSE, Key.CANCEL, Key.HELP)},
}
#: What follows `ESC [` or `ESC O`.
_SEQUENCES: Final = {
    b"A": Key.UP,
    b"B": Key.DOWN,
    b"C": Key.RIGHT,
    b"D": Key.LEFT,
    b"H": Key.HOME,
    b"F": Key.END,
    b"M": Key.ENTER,
    b"1~": Key.HOME,
    b"7~": Key.HOME,
    b"4~": Key.END,
    b"8~": Key.END,
    b"5~": Key.PAGE_UP,
    b"6~": Key.PAGE_DOWN,
}
_ESCAPE: Final = b"\x1b"
_PASTE_BEGINS: Final = b"\x1b[200~"
_PASTE_ENDS: Final = b"\x1b[201~"
#: A whole sequence: the console's function keys, control sequences, single shifts, strings that end in BEL or ST.
_WHOLE: Final = re.compile(
    rb"\x1b(?:\[\[.|\[[0-?]*[ -/]*[@-~]|O[0-9;]*[^0-9;]|[P\]X^_][^\x07\x1b]*(?:\x07|\x1b\\)|[^\[OP\]X^_\x1b])",
    re.DOTALL,
)
#: The beginning of one.
_BEGUN: Final = re.compile(rb"\x1b(?:\[\[?|\[[0-?]*[ -/]*|O[0-9;]*|[P\]X^_][^\x07\x1b]*\x1b?)?", re.DOTALL)
#: Nothing that a key sends is longer; what a terminal answers to somebody's question may be.
_LONGEST: Final = 4096


class Decoder:
    """Makes keys of bytes."""

    def __init__(self) -> None:
        self._begun = b""
        self._is_pasting = False

    @property
    def waits(self) -> bool:
        """Whether what has come may be the beginning of something: `end` after a short silence says that it is not."""
        return bool(self._begun) and not self._is_pasting

    def feed(self, data: bytes) -> list[Typed]:
        """Return what some more bytes complete."""
        rest = self._begun + data
        typed: list[Typed] = []
        while rest:
            length = self._take(rest, typed)
            if not length:
                break
            rest = rest[length:]
        self._begun = rest if len(rest) <= _LONGEST else b""
        return typed

    def end(self) -> list[Typed]:
        """Return what has begun as what it is, now that no more comes."""
        begun, self._begun = self._begun, b""
        return [Typed(Key.ESCAPE, b"")] if begun == _ESCAPE else []

    def _take(self, rest: bytes, typed: list[Typed]) -> int:
        """Note what stands at the beginning and return its length; 0 if its end has not come."""
        if self._is_pasting:
            return self._take_pasted(rest, typed)
        if not rest.startswith(_ESCAPE):
            character = rest[:1]
            typed.append(Typed(_CHARACTERS.get(character), b"\n" if character == b"\r" else character))
            return 1
        whole = _WHOLE.match(rest)
        if whole is None:
            if _BEGUN.fullmatch(rest) is not None:
                return 0
            # Esc, and then another one begins; or a sequence that another broke off.
            typed += [Typed(Key.ESCAPE, b"")] if rest[1:2] == _ESCAPE else []
            return max(1, rest.find(_ESCAPE, 1))
        if whole[0] == _PASTE_BEGINS:
            self._is_pasting = True
        elif whole[0][1:2] in b"[O":
            key = _SEQUENCES.get(whole[0][2:])
            typed += [] if key is None else [Typed(key, b"")]
        return len(whole[0])

    def _take_pasted(self, rest: bytes, typed: list[Typed]) -> int:
        """Note what was pasted: a text for somebody, no keys."""
        end = rest.find(_PASTE_ENDS)
        if end >= 0:
            self._is_pasting = False
            typed += [Typed(None, rest[:end])] if end else []
            return end + len(_PASTE_ENDS)
        held = next((size for size in range(len(_PASTE_ENDS) - 1, 0, -1) if rest.endswith(_PASTE_ENDS[:size])), 0)
        pasted = rest[: len(rest) - held]
        typed += [Typed(None, pasted)] if pasted else []
        return len(pasted)
