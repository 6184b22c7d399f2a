"""Tells whether what came back is what was stored: at every depth the same type and an equal value.

Plain `==` takes `True` for `1` and a text for the member of an Enum that equals it. Nothing here recurses. Methods of
the values' own classes are called, and whatever these raise comes out.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import functools
import io
import pickle
import uuid
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from enum import Enum
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any, Final, TypeAlias, cast

#: Types of values that hold no others, whose `==` gives a truth.
LEAVES: Final = frozenset(
    {
        *(type(None), bool, int, float, str, bytes, bytearray),
        *(dt.datetime, dt.date, dt.time, dt.timedelta, uuid.UUID, decimal.Decimal),
        *(PosixPath, PurePosixPath, PureWindowsPath, WindowsPath),
    }
)

#: Of how many classes the fields are kept.
_KEPT: Final = 1024

_kind: Final = cast("Callable[[object], type[object]]", type)

#: How many steps of a path are shown.
_STEPS_SHOWN: Final = 8

#: The way to a value: that to what holds it, and the last step. Put together only when it has to be shown.
_Path: TypeAlias = "tuple[_Path, str, object] | None"
_Pair: TypeAlias = tuple[Any, Any, _Path]


def difference(value: object, back: object) -> str | None:
    """Return in words where a value and what came back of it differ; None if they do not."""
    waiting: list[_Pair] = [(value, back, None)]
    while waiting:
        one, other, path = waiting.pop()
        kind, kind_back = _kind(one), _kind(other)
        if kind is _Verdict:
            return f"{one}{_at(path)}"
        if kind is not kind_back:
            if kind is int and kind_back is float and one == other:
                continue  # only where a float was declared, for which an int may stand
            return f"{a_kind(kind)} comes back as {a_kind(kind_back)}{_at(path)}"
        if kind not in LEAVES:
            waiting += _parts(kind, one, other, path)
        elif not _are_equal_leaves(one, other):
            return f"{a_kind(kind)} comes back changed{_at(path)}"
    return None


class _Verdict(str):
    """What is to be said, in place of a pair, once what was put behind it has been found the same."""

    __slots__ = ()


def _parts(kind: type[object], one: Any, other: Any, path: _Path) -> Iterable[_Pair]:
    """Return what has to be the same for two of one type to be so, at last a verdict if they are not all the same."""
    what = kind  # to the type checkers, `kind` changes below
    if issubclass(kind, (list, tuple)):
        if len(one) != len(other):
            return ((_Verdict(f"{a_kind(what)} comes back longer or shorter"), None, path),)
        return () if _are_same_leaves(one, other) else _steps(zip(one, other, strict=True), path)
    if issubclass(kind, dict):
        if len(one) != len(other):
            return ((_Verdict(f"{a_kind(what)} comes back with more or fewer keys"), None, path),)
        if _are_same_leaves([*one], [*other]) and _are_same_leaves([*one.values()], [*other.values()]):
            return ()
        return _entries(one, other, path)
    if issubclass(kind, (set, frozenset)):
        if one != other:
            return ((_Verdict(f"{a_kind(what)} comes back changed"), None, path),)
        counterparts: dict[object, object] = {each: each for each in other}
        return ((each, counterparts[each], path) for each in one)
    if issubclass(kind, Enum):
        return () if one is other else ((_Verdict(f"{a_kind(what)} comes back as another"), None, path),)
    fields = ((getattr(one, name), getattr(other, name), (path, ".", name)) for name in _fields(cast("Hashable", what)))
    problem = _problem(kind, one, other)
    return fields if problem is None else ((_Verdict(problem), None, path), *fields)


class _NotBuiltInError(Exception):
    pass


class _Form(pickle.Pickler):
    """Writes built-in values only, and runs nobody's code."""

    def reducer_override(self, obj: object) -> Any:
        raise _NotBuiltInError


def are_same_builtins(value: object, back: object) -> bool:
    """Whether two values are the same, made of nothing but built-in types; false where that is not easily told.

    For large ones: it is found out without any Python code, by how they would be pickled, which tells every type.
    Nothing that is written so is kept.
    """
    try:
        return _form(value) == _form(back)
    except (_NotBuiltInError, RecursionError):
        return False


def _form(value: object) -> bytes:
    written = io.BytesIO()
    form = _Form(written, pickle.DEFAULT_PROTOCOL)
    form.fast = True  # what a value is, not whether it is the same object as another
    form.dump(value)
    return written.getvalue()


def _are_equal_leaves(one: Any, other: Any) -> bool:
    return bool(one == other or (one != one and other != other))  # noqa: PLR0124 - not a number is not even itself


def _are_same_leaves(one: Any, other: Any) -> bool:
    """Whether all in them are leaves and the same, which for many is told far sooner than one by one."""
    kinds = [*map(type, one)]
    return LEAVES.issuperset(kinds) and kinds == [*map(type, other)] and bool(one == other)


def _steps(pairs: Iterable[tuple[object, object]], path: _Path) -> Iterator[_Pair]:
    return ((one, other, (path, "[]", place)) for place, (one, other) in enumerate(pairs))


def _entries(one: Mapping[object, object], other: Mapping[object, object], path: _Path) -> Iterator[_Pair]:
    """Yield the keys and values of two dicts, by their order, which is kept."""
    for (key, value), (key_back, value_back) in zip(one.items(), other.items(), strict=True):
        yield value, value_back, (path, "[]", key)
        yield key, key_back, (path, "key ", key)


def _problem(kind: type[object], one: object, other: object) -> str | None:
    if getattr(kind, "__eq__", None) is object.__eq__:
        return f"{a_kind(kind)} has no __eq__, so nobody can tell whether it comes back"
    is_equal: object = one == other
    # Anything else, as the array that the values of some libraries give, is no answer.
    return None if is_equal is True else f"{a_kind(kind)} does not come back equal"


@functools.lru_cache(maxsize=_KEPT)
def _fields(kind: Hashable) -> tuple[str, ...]:
    if dataclasses.is_dataclass(kind):
        return tuple(each.name for each in dataclasses.fields(kind))
    return cast("tuple[str, ...]", getattr(kind, "__struct_fields__", ()))


def a_kind(kind: type[Any]) -> str:
    """Return a type in words, with its article."""
    if kind is type(None):
        return "None"
    name = type_name(kind)
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def type_name(kind: type[Any]) -> str:
    """Return the name of a type as one would write it."""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _at(path: _Path) -> str:
    steps: list[str] = []
    while path is not None:
        path, how, step = path
        shown = repr(step)[:40] if type(step) in {str, int} else "…"
        steps.append(f".{step}" if how == "." else f"[{'key ' if how == 'key ' else ''}{shown}]")
    if not steps:
        return ""
    cut = len(steps) > _STEPS_SHOWN
    return f" at {'…' if cut else ''}{''.join(reversed(steps[:_STEPS_SHOWN]))}"
