r"""Text as every database takes it: PostgreSQL refuses the character NUL, and no encoding has lone surrogates.

`clean` is for what people read. `key_text` is for ids, which must stay apart: no two of them become the same text.
"""

from __future__ import annotations

import re
from typing import Final

#: What no database takes.
_BAD: Final = re.compile("[\x00\ud800-\udfff]")
#: What an id begins with that was changed; one that begins so by itself is changed as well.
_CHANGED: Final = "\\id:"
_SHORTENED: Final = "\\cut:"
_ESCAPE: Final = re.compile("[\x00\ud800-\udfff\\\\]")
_ESCAPED: Final = re.compile(r"\\(\\|x00|u[0-9a-f]{4})")
#: PostgreSQL's index takes 2,704 bytes, and one of its rows may hold two ids and a number.
LONGEST_KEY: Final = 1_200
#: Of an id that is longer, what is kept beside its digest, in characters (of up to four bytes each).
_HEAD: Final = 200


def clean(text: str) -> str:
    r"""Return a text with what no database takes written out: `\x00`, `\udc80`."""
    return text if _BAD.search(text) is None else _BAD.sub(_written_out, text)


def key_text(id: str) -> str:
    """Return an id as a key of a table: the same text, but for one with such characters, and for one that is too long.

    `id_of_key` gives the id back, except for one of more than 1,200 bytes: of that its beginning and a digest are kept.
    """
    if len(id) * 4 <= LONGEST_KEY and id.isascii() and id.isprintable() and not id.startswith("\\"):
        return id
    key = whole_text(id)
    encoded = key.encode()
    if len(encoded) <= LONGEST_KEY:
        return key
    from hashlib import sha256  # here, since few ids are so long

    return f"{_SHORTENED}{sha256(encoded).hexdigest()}:{key[:_HEAD]}"


def whole_text(text: str) -> str:
    """Return a text as one that every database takes, and from which `id_of_key` gives all of it back."""
    if _BAD.search(text) is None and not text.startswith((_CHANGED, _SHORTENED)):
        return text
    return _CHANGED + _ESCAPE.sub(_written_out, text)


def id_of_key(key: str) -> str:
    """Return the id that a key was made of; of one that was too long, its beginning."""
    if key.startswith(_SHORTENED):
        key = key[len(_SHORTENED) :].partition(":")[2]
        # An escape may have been cut in two.
        key = re.sub(r"(?<!\\)((?:\\\\)*)\\(?:x0?|u[0-9a-f]{0,3})?\Z", r"\1", key) if key.startswith(_CHANGED) else key
        return id_of_key(key) + "…"
    return _ESCAPED.sub(_read_back, key[len(_CHANGED) :]) if key.startswith(_CHANGED) else key


def _written_out(match: re.Match[str]) -> str:
    character = match[0]
    if character == "\\":
        return "\\\\"
    return "\\x00" if character == "\x00" else f"\\u{ord(character):04x}"


def _read_back(match: re.Match[str]) -> str:
    return "\\" if match[1] == "\\" else chr(int(match[1][1:], 16))
