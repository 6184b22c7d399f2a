"""Results as bytes and parameters as JSON, kept only if they come back as they were.

`msgspec` writes them, and reads them by the type that was declared. Pure, for any thread; what is shared is a cache of
decoders. Classes of users have their say (`__post_init__`, `__eq__`): what they raise is an answer like others.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any, Final

import msgspec

from treetask._errors import TreeTaskError, words_of
from treetask.model import Secret, mentions_secret
from treetask.store._difference import LEAVES, a_kind, are_same_builtins, difference, type_name

#: Decoders that are kept: a pipeline has fewer types.
_KEPT: Final = 1024

#: How many bytes it takes for the quicker way of comparing to be quicker.
_LARGE: Final = 1_000

#: What comes back of itself, whatever it is told to be: nothing has to be tried out.
_PLAIN: Final = frozenset({type(None), bool, int, float, str, bytes})


class NotStorable(TreeTaskError):
    """A value that would not come back as it is; `why` says so, and what to do."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class NotReadable(TreeTaskError):
    """What was stored, and cannot be read as the type that is declared by now; `why` says so."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def encode_result(value: object, wanted: object = Any, *, max_bytes: int | None = None) -> bytes:
    """Return a result as bytes that come back as it: the same types and equal values at every depth.

    `wanted` is what its body is declared to return. A moment comes back as the same one in UTC. Raises `NotStorable`
    with the fix, and nothing else, whatever the value's own methods do.
    """
    data = _tried(_write, value)
    if max_bytes is not None and len(data) > max_bytes:
        fix = "write it to a file and return its path"
        raise NotStorable(f"it takes {len(data):,} bytes, more than the {max_bytes:,} that are kept; {fix}")
    kind = type(value)
    if kind in _PLAIN and (wanted is Any or wanted is kind):
        return data
    _check_comes_back(value, data, _decoder(wanted), wanted)
    return data


def decode_result(data: bytes, wanted: object = Any) -> Any:
    """Return what was stored, of the type that is declared. Raises `NotReadable` if it is no such thing."""
    try:
        return _decoder(wanted).read(data)
    except Exception as error:
        raise NotReadable(f"it is no {shown_type(wanted)} any more: {words_of(error)}") from error


def encode_params(values: Mapping[str, object], types: Mapping[str, object]) -> tuple[str, tuple[str, ...]]:
    """Return parameters as the text of a JSON object, and the names that were left out of it.

    Left out are secrets, and what would not come back as it is.
    """
    kept: dict[str, msgspec.Raw] = {}
    left_out: list[str] = []
    for name, value in values.items():
        wanted = types.get(name, Any)
        try:
            if mentions_secret(wanted):
                raise NotStorable(_SECRET)
            data = _tried(_write_json, value)
            _check_comes_back(value, data, _json_decoder(wanted), wanted)
        except NotStorable:
            left_out.append(name)
        else:
            kept[name] = msgspec.Raw(data)
    return msgspec.json.encode(kept).decode(), tuple(left_out)


def decode_params(text: str, types: Mapping[str, object]) -> dict[str, Any]:
    """Return the parameters by name. Raises `NotReadable` for one that is not of its type any more."""
    values: dict[str, Any] = {}
    try:
        raw = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except Exception as error:
        raise NotReadable(f"the parameters cannot be read: {words_of(error)}") from error
    for name, data in raw.items():
        wanted = types.get(name, Any)
        try:
            values[name] = _json_decoder(wanted).read(data)
        except Exception as error:
            raise NotReadable(f"parameter '{name}' is no {shown_type(wanted)} any more: {words_of(error)}") from error
    return values


def shown_type(wanted: object) -> str:
    """Return a type as one would write it."""
    if isinstance(wanted, type) and typing.get_origin(wanted) is None:  # `list[str]` is a type on 3.10
        return type_name(wanted)
    return str(wanted).replace("typing.", "")


class _Reader:
    """What reads values of one type."""

    __slots__ = ("problem", "read")

    def __init__(self, make: Callable[[Any], Any], wanted: object) -> None:
        #: Why the declared type is no help, if so; then values come back as they can without one.
        self.problem: str | None = None
        try:
            decoder = make(Any if wanted is object else wanted)
        except Exception as error:  # noqa: BLE001 - a type may name what does not exist, and hold any expression
            self.problem = words_of(error)
            decoder = make(Any)
        self.read: Final[Callable[[bytes | msgspec.Raw], Any]] = decoder.decode


def _decoder(wanted: object) -> _Reader:
    return _kept(_packed, wanted)


def _json_decoder(wanted: object) -> _Reader:
    return _kept(_json, wanted)


def _kept(make: Callable[[Any], Any], wanted: object) -> _Reader:
    try:
        return _reader(make, wanted)
    except TypeError:  # a type that has no hash, as one annotated with a list
        return _Reader(make, wanted)


_reader: Final = functools.lru_cache(maxsize=_KEPT)(_Reader)


def _packed(wanted: Any) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(wanted, dec_hook=_made)


def _json(wanted: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(wanted, dec_hook=_made)


_SECRET: Final = "there is a Secret in it, which is never stored; return what was done with it"  # noqa: S105


def _as_known(value: object) -> object:
    """Return what msgspec knows in place of a value that it does not."""
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Secret):
        raise NotStorable(_SECRET)
    kind = type(value)
    base = next((each for each in kind.__mro__[1:] if each in LEAVES), None)
    if base is not None:
        fix = f"return {base.__name__}(...) of it"
    else:
        fix = "return numbers, texts, lists, dicts, or a dataclass of these"
    raise NotStorable(f"there is {a_kind(kind)} in it, which cannot be written; {fix}")


def _made(kind: Any, value: object) -> object:
    """Return what msgspec knows nothing of, out of what stands for it."""
    origin = typing.get_origin(kind) or kind
    if isinstance(origin, type) and isinstance(value, origin):
        return value  # as a list is an Iterable
    if isinstance(value, str) and PurePath in getattr(kind, "__mro__", ()):
        return kind(value)
    raise NotImplementedError(f"nothing makes a {shown_type(kind)} of what is stored")


_write: Final = msgspec.msgpack.Encoder(enc_hook=_as_known).encode
_write_json: Final = msgspec.json.Encoder(enc_hook=_as_known).encode


def _tried(write: Callable[[object], bytes], value: object) -> bytes:
    try:
        return write(value)
    except NotStorable:
        raise
    except RecursionError:
        raise NotStorable("it is nested too deep, or holds itself; return something flatter") from None
    except OverflowError:
        raise NotStorable("there is a whole number in it of more than 64 bits; return it as text") from None
    except UnicodeEncodeError:
        raise NotStorable("there is a text in it that is no Unicode; return it as bytes") from None
    except BaseException as error:
        raise _own_words("it cannot be written", error) from error


def _check_comes_back(value: object, data: bytes, reader: _Reader, wanted: object) -> None:
    try:
        back = reader.read(data)
    except BaseException as error:
        declared = f"it cannot be read again as what is declared, {shown_type(wanted)}"
        raise _own_words(declared, error) from error
    try:
        if len(data) > _LARGE and are_same_builtins(value, back):
            return
        found = difference(value, back)
    except BaseException as error:
        raise _own_words("it cannot be compared with what comes back", error) from error
    if found is not None:
        raise NotStorable(f"{found}; {_FIX_EQUALITY if '__eq__' in found else _fix(value, wanted, reader)}")


def _own_words(what: str, error: BaseException) -> NotStorable:
    """Return the refusal for what a value's own methods, or msgspec, have raised."""
    if isinstance(error, KeyboardInterrupt):
        raise error
    return NotStorable(f"{what}: {words_of(error)}")


_FIX_EQUALITY: Final = "give it one, as @dataclass does"


def _fix(value: object, wanted: object, reader: _Reader) -> str:
    if reader.problem is not None:
        return f"its declared type does not help: {reader.problem}"
    if wanted is not Any and wanted is not object:
        return f"it is declared as {shown_type(wanted)}; declare closer what it is"
    kind = type(value)
    example = "Path" if isinstance(value, PurePath) else _EXAMPLES.get(kind, kind.__qualname__)
    return f"annotate what the body returns, as in `-> {example}`"


#: Where the type of the whole does not say what is in it.
_EXAMPLES: Final[Mapping[type[Any], str]] = {
    list: "list[tuple[int, str]]",
    dict: "dict[str, tuple[int, str]]",
    tuple: "tuple[int, str]",
    set: "set[str]",
    frozenset: "frozenset[str]",
}
