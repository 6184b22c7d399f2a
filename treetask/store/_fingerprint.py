"""What tells whether a spawned child is the one of an earlier process, and whether its code has changed since."""

from __future__ import annotations

import functools
import hashlib
import sys
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any, Final, cast

import msgspec

from treetask.dsl import BoundBody
from treetask.model import Child
from treetask.store._typed_form import digest_of, stable_name, typed_form

_DIGEST_BYTES: Final = 16

_kind: Final = cast("Callable[[object], type[object]]", type)

#: What a code object says of itself when its first constant is its docstring (from Python 3.14).
_HAS_DOCSTRING: Final = 0x4000000


def arguments_fingerprint(child: Child[Any]) -> str | None:
    """Return what tells, beside its key, of which arguments a child is; None where nothing can.

    It is the same in every process and for every version of Python. Where the key tells the values it is their types;
    else a digest of the values, which may be lists, dicts, dataclasses and what these are made of, but no Secret.
    """
    shape = child.shape
    if shape is not None:
        return _shape_text(shape)
    digest = digest_of([[*child.args], [[name, each] for name, each in sorted(child.kwargs.items())]])
    return None if digest is None else f"#{digest}"


def _shape_text(shape: object) -> str:
    """Return a shape in words: `str`, `(int,str)`, `(int,str) name`."""
    if isinstance(shape, type):
        return stable_name(shape)  # of the one argument, by position
    types, names = cast("tuple[tuple[Any, ...], tuple[str, ...]]", shape)
    return " ".join((_types_text(types), *names))


def _types_text(types: object) -> str:
    if isinstance(types, type):
        return stable_name(types)
    kind, *parts = cast("tuple[Any, ...]", types)
    inside = ",".join(map(_types_text, parts))
    return f"({inside})" if kind is tuple else f"{stable_name(kind)}({inside})"


def code_digest(fn: object) -> str:
    """Return a digest of the code of a function; empty where there is none to see, as of built-in ones.

    Comments, what a docstring says and the place in the file do not count, nor does what the function calls. It holds
    for one minor version of Python, optimised or not.
    """
    forms = [[_code_form(code), _defaults(function)] for function, code in _functions(fn)]
    if not forms:
        return ""
    return hashlib.blake2b(msgspec.msgpack.encode(forms), digest_size=_DIGEST_BYTES).hexdigest()


def _functions(fn: object) -> Iterator[tuple[Any, CodeType]]:
    """Yield a function and those that it is wrapped around, each with its code."""
    function: Any = fn
    met: set[int] = set()
    while function is not None and id(function) not in met:
        met.add(id(function))
        if isinstance(function, BoundBody):
            function = function.fn
        elif isinstance(function, functools.partial):
            function = function.func
        elif isinstance(getattr(function, "__code__", None), CodeType):
            yield function, function.__code__
            function = getattr(function, "__wrapped__", None)
        else:
            # An object that is called like a function, perhaps put around one.
            function = getattr(function, "__wrapped__", None) or vars(_kind(function)).get("__call__")


def _defaults(function: Any) -> list[Any]:
    """Return the defaults that can be told."""
    named: dict[str, object] = getattr(function, "__kwdefaults__", None) or {}
    defaults: tuple[object, ...] = getattr(function, "__defaults__", None) or ()
    return [digest_of(each) for each in (*defaults, *(named[name] for name in sorted(named)))]


def _code_form(code: CodeType) -> list[Any]:
    return [
        code.co_code,
        [_constant(each) for each in _without_docstring(code)],
        *([*names] for names in (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)),
        [code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount],
    ]


def _constant(value: Any) -> Any:
    """Return what tells a constant: the compiler makes some that nobody would hand over as an argument."""
    kind = _kind(value)
    if kind is CodeType:
        return ["code", *_code_form(value)]
    if kind is complex:
        return ["complex", value.real, value.imag]
    if kind is tuple:
        return ["tuple", *map(_constant, value)]
    if kind is frozenset:
        # Of another order in each process.
        return ["frozenset", *sorted(msgspec.msgpack.encode(_constant(each)) for each in value)]
    if kind is slice:
        return ["slice", *map(_constant, (value.start, value.stop, value.step))]
    return "..." if value is ... else typed_form(value)


def _without_docstring(code: CodeType) -> tuple[object, ...]:
    constants = code.co_consts
    if sys.version_info >= (3, 14):
        return constants[1:] if code.co_flags & _HAS_DOCSTRING else constants
    # Where there is none, the first constant of a `def` is None; lambdas and comprehensions have names in brackets.
    is_def = not code.co_name.startswith("<")
    return constants[1:] if is_def and constants and isinstance(constants[0], (str, type(None))) else constants
