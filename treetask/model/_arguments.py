"""What the arguments of a child make of it: the text of its key, and whether it is the same child as another.

A key is to be read, so it does not tell all: `1` and `"1"` make the same one. What an earlier attempt has done is taken
for the same only if the arguments themselves are; that holds for values alone, which nothing can have changed since.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final, cast

from treetask._errors import TreeTaskError

#: Longer keys are cut here and get a digest, so that ids stay readable and stay apart.
MAX_KEY_LENGTH: Final = 80
#: Of a million keys two are alike once in 37 million runs; with half the bytes, of 100,000 more often than not.
_DIGEST_BYTES: Final = 8


class UnkeyedArgumentError(TreeTaskError):
    """A child's argument that cannot be part of a key."""

    def __init__(self, label: str, argument: str, value: object) -> None:
        super().__init__(
            f"{label}.child(): argument {argument} is a {type(value).__name__}, which cannot be part of the child's "
            f"key; name the child: {label}.child(...).keyed('...')"
        )
        self.argument = argument


def arguments_key(label: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    if not args and not kwargs:
        return ""
    if len(args) == 1 and not kwargs:  # as most have
        value = args[0]
        is_plain = type(value) is int or type(value) is str
        text = str(value) if is_plain else _word(label, "1", value)
        return in_brackets(text) if "]" in text or len(text) > MAX_KEY_LENGTH else f"[{text}]"
    words = [_word(label, str(place + 1), value) for place, value in enumerate(args)]
    words += [f"{name}={_word(label, repr(name), value)}" for name, value in sorted(kwargs.items())]
    return in_brackets(",".join(words))


def _word(label: str, argument: str, value: object) -> str:
    if type(value) is str or type(value) is int:
        return str(value)
    if isinstance(value, Enum):
        # A combination of flags has no name before Python 3.11.
        return value.name or str(value)
    if value is None or isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, tuple):
        parts = cast("tuple[object, ...]", value)
        return f"({','.join(_word(label, argument, part) for part in parts)})"
    from datetime import date
    from pathlib import PurePath

    if isinstance(value, date):
        return str(value)
    if isinstance(value, PurePath):
        return value.as_posix()
    raise UnkeyedArgumentError(label, argument, value)


def in_brackets(text: str) -> str:
    """Return what follows the label in a key, made of a text: cut if it is long, and with only one place to end at.

    That is the first `]` with a `/` or nothing after it. So `]/` in the text gets a backslash between the two: else an
    id could be that of a node below as well.
    """
    if "]" in text:
        text = text.replace("]\\", "]\\\\").replace("]/", "]\\/")
    if len(text) <= MAX_KEY_LENGTH:
        return f"[{text}]"
    import hashlib

    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).hexdigest()
    return f"[{text[:MAX_KEY_LENGTH]}…{digest}]"


def are_same(one: object, other: object) -> bool:
    """Whether two arguments are the same value.

    What can be changed is none, be it equal or even the same object: nobody knows what it was. By the rules of the
    language that is what has no hash, or one of its identity only.
    """
    if type(one) is not type(other):
        return False
    if isinstance(one, tuple):
        parts, others = cast("tuple[object, ...]", one), cast("tuple[object, ...]", other)
        return len(parts) == len(others) and all(map(are_same, parts, others))
    if one is None or isinstance(one, Enum):
        return one is other
    if type(one).__eq__ is object.__eq__:
        return False
    try:
        hash(one)
        is_equal: object = one is other or one == other
        # The floats of some libraries give a truth value of their own.
        return is_equal is True or (isinstance(one, (str, int, float)) and bool(is_equal))
    except Exception:  # noqa: BLE001 - the user's own methods; what cannot be compared is not known to be the same
        return False


#: The types whose values their text tells, most of them. Not what derives from them: its text is its own affair.
_SIMPLE: Final = frozenset({str, int, float, bool, type(None)})


def shape_of(args: tuple[Any, ...], named: tuple[tuple[str, Any], ...]) -> object | None:
    """Return what tells arguments by the key that they make: types and names. None if that is not enough."""
    if len(args) == 1 and not named and type(args[0]) in _SIMPLE:  # as most have
        return cast("object", type(args[0]))
    leaves: list[object] = []
    shape = _types((*args, *(value for _, value in named)), leaves)
    if not all(map(_is_told_by_its_text, leaves)):
        return None
    if len(leaves) > 1 and any("," in _word("", "", leaf) for leaf in leaves):
        return None  # where one ends and the next begins cannot be seen
    return shape, tuple(name for name, _ in named)


def _types(value: object, leaves: list[object]) -> object:
    """Return the type of an argument, for a tuple with those in it; put what is in no tuple into `leaves`."""
    if isinstance(value, tuple):
        parts = cast("tuple[object, ...]", value)
        return type(parts), *(_types(part, leaves) for part in parts)
    leaves.append(value)
    return type(value)


def _is_told_by_its_text(leaf: object) -> bool:
    from datetime import date, datetime
    from pathlib import PurePath

    return type(leaf) in _SIMPLE or isinstance(leaf, (Enum, PurePath)) or type(leaf) in (date, datetime)
