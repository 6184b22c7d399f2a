"""Values as JSON, which is how tasks keep what they take and what came of them: all of a value, or a refusal.

`json.dumps` turns keys into strings and writes numbers that are none; here that is refused, with the place in the
value. Tuples become lists.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final, cast

from treetask.store._errors import StoreError

#: Above this many items a value is written down in a thread: it takes longer than an event loop should wait.
_FEW: Final = 500
#: So many characters count as one item.
_CHARACTERS: Final = 1_000
#: Of what is nested so deep that its place cannot be read, or holds itself.
_LONGEST_PLACE: Final = 5_000
_LONGEST_SHOWN: Final = 80


class NotJsonError(StoreError, TypeError):
    """A value that has no form in JSON; `place` says where in it."""

    def __init__(self, owner: str, place: str, problem: str) -> None:
        super().__init__(
            f"{owner}: {place} {problem}, which has no form in JSON; use dicts with strings as keys, lists, strings, "
            "finite numbers, True, False and None"
        )
        self.owner = owner
        self.place = place
        self.problem = problem


def json_text(value: object, owner: str, name: str) -> str:
    """Return a value as JSON in ASCII, which every database takes.

    `owner` and `name` say whose value it is and what it is called there. Raises `NotJsonError`.
    """
    _check(value, owner, name)
    try:
        return json.dumps(value, allow_nan=False)
    except RecursionError:
        raise NotJsonError(owner, name, "is nested too deep") from None
    except ValueError as error:  # a whole number of too many digits
        raise NotJsonError(owner, name, f"cannot be written ({error})") from None


def is_small(value: object) -> bool:
    """Return whether a value is written down in no time."""
    count = 0
    waiting = [value]
    while waiting:
        each = waiting.pop()
        count += 1
        if isinstance(each, str):
            count += len(each) // _CHARACTERS
        elif isinstance(each, (list, tuple)):
            waiting += cast("list[object]", each)[:_FEW]
        elif isinstance(each, dict):
            count += len(cast("dict[object, object]", each)) // 2
            if count <= _FEW:
                waiting += cast("dict[object, object]", each).values()
        if count > _FEW:
            return False
    return True


def from_json_text(text: str | None) -> Any:
    """Return what was written down; None where nothing was."""
    return None if text is None else json.loads(text)


def _check(value: object, owner: str, name: str) -> None:
    """Not by recursion, and each container once on the way down: one that holds itself is nested too deep."""
    waiting: list[tuple[object, str]] = [(value, name)]
    while waiting:
        each, place = waiting.pop()
        if each is None or isinstance(each, (str, bool, int)):
            continue
        if isinstance(each, float):
            if not math.isfinite(each):
                raise NotJsonError(owner, place, f"is {each}")
        elif isinstance(each, (list, tuple)):
            items = cast("list[object]", each)
            waiting += ((item, f"{place}[{number}]") for number, item in enumerate(items))
        elif isinstance(each, dict):
            for key, item in cast("dict[object, object]", each).items():
                if not isinstance(key, str):
                    raise NotJsonError(owner, place, f"has the key {key!r}")
                waiting.append((item, f"{place}[{key!r}]"))
        else:
            raise NotJsonError(owner, place, f"is {_shown(each)}")
        if len(place) > _LONGEST_PLACE:
            raise NotJsonError(owner, name, "is nested too deep")


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - its own `__repr__`, which may do anything
        text = ""
    kind = type(value).__name__
    return f"{text} (a {kind})" if 0 < len(text) <= _LONGEST_SHOWN else f"a {kind}"
