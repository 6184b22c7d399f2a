"""A value as text that is the same in every process, where values that differ in anything have another.

Made of names of types and of what is in a value: never of a `repr`, a hash or an address, and never of a Secret.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import sys
from collections.abc import Iterable
from decimal import Decimal
from enum import Enum, Flag
from pathlib import PurePath
from typing import Any, Final, cast
from uuid import UUID

import msgspec

#: Of a billion values two are alike once in 10^20 runs.
_DIGEST_BYTES: Final = 16

#: Values whose `str` tells all there is to them, and will do so in later versions of Python.
_TOLD_BY_TEXT: Final = frozenset({int, dt.date, dt.timedelta, UUID, Decimal})


class Untellable(Exception):
    """A value that there is no stable form of."""


def digest_of(value: object) -> str | None:
    """Return a digest of a value, types and all; None if it cannot be told from others of its type."""
    try:
        written = msgspec.msgpack.encode(typed_form(value))
    except Exception:  # noqa: BLE001 - the attributes of users' classes may do anything; whatever it was, it is not told
        return None
    return hashlib.blake2b(written, digest_size=_DIGEST_BYTES).hexdigest()


def stable_name(kind: type[Any]) -> str:
    """Return the name of a type, whatever module the version of Python keeps its own ones in."""
    module = kind.__module__
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names:
        return kind.__qualname__ if top == "builtins" else f"{top}.{kind.__qualname__}"
    return f"{module}.{kind.__qualname__}"


def typed_form(value: object) -> Any:
    """Return lists of texts and numbers that tell a value and the types of all its parts. Raises `Untellable`."""
    kind: type[Any] = type(value)
    if value is None or kind in (bool, str, float, bytes):
        # As they are: these types msgpack tells. All others are lists that begin with a name.
        return value
    name = stable_name(kind)
    if kind in _TOLD_BY_TEXT:
        return [name, str(value)]
    if isinstance(value, Enum):
        # Combinations of flags have no name that all versions agree on; values of others may be anything.
        return [name, typed_form(value.value) if isinstance(value, Flag) else value.name]
    if isinstance(value, (dt.datetime, dt.time)) and kind in (dt.datetime, dt.time):
        # `fold` tells the two hours apart that a clock set back shows twice.
        return [name, value.isoformat(), value.fold, *_zone(value.tzinfo)]
    if isinstance(value, PurePath) and stable_name(kind).startswith("pathlib."):
        return [name, value.as_posix()]
    return [name, *_parts(kind, value)]


def _zone(zone: dt.tzinfo | None) -> list[str]:
    """Return what tells a zone beside the offset: its rules are not all in one moment."""
    if zone is None:
        return []
    key = getattr(zone, "key", "")
    if type(zone) is not dt.timezone and not (isinstance(key, str) and key):
        raise Untellable
    return [stable_name(type(zone)), key]


def _parts(kind: type[Any], value: object) -> Iterable[Any]:
    if kind in (list, tuple):
        return map(typed_form, cast("Iterable[object]", value))
    if kind is dict:
        return [[typed_form(key), typed_form(each)] for key, each in cast("dict[object, object]", value).items()]
    if kind in (set, frozenset):
        return sorted(msgspec.msgpack.encode(typed_form(each)) for each in cast("Iterable[object]", value))
    if tuple in kind.__mro__ and hasattr(kind, "_fields"):
        return map(typed_form, cast("tuple[object, ...]", value))
    return [[each, typed_form(getattr(value, each))] for each in _fields(kind, value)]


def _fields(kind: type[Any], value: object) -> Iterable[str]:
    """Return the names of the fields that are all there is to a value. Raises `Untellable` if there may be more."""
    if "__dataclass_fields__" in vars(kind):
        names: Iterable[str] = [each.name for each in dataclasses.fields(kind)]
    elif isinstance(value, msgspec.Struct):
        names = kind.__struct_fields__
    else:
        raise Untellable
    if not set(getattr(value, "__dict__", ())).issubset(names):
        raise Untellable
    return names
