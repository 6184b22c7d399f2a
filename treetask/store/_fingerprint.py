"""What tells whether a node takes what it took in an earlier process, and whether its code has changed since."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import CodeType
from typing import Any, Final, cast

import msgspec

from treetask.dsl import BoundBody, arguments_of_body, parameters_taken
from treetask.model import Child, TaskNode
from treetask.store._typed_form import digest_of, stable_name, typed_form

_DIGEST_BYTES: Final = 16

_kind: Final = cast("Callable[[object], type[object]]", type)

#: What a code object says of itself when its first constant is its docstring (from Python 3.14).
_HAS_DOCSTRING: Final = 0x4000000


class Fingerprints:
    """What tells of which arguments the nodes of one tree are, which was `given` its parameters."""

    def __init__(self, given: Mapping[Any, object], noted: Mapping[TaskNode, str | None] | None = None) -> None:
        self._given: Final = given
        #: Of children whose arguments may be others by now.
        self._noted: Final[Mapping[TaskNode, str | None]] = {} if noted is None else noted
        #: By the parameters that nodes take; many take the same.
        self._told: Final[dict[object, str]] = {}

    def of(self, node: TaskNode) -> str | None:
        """Return what tells the arguments of a node; None for one without any, and for a child that nothing can tell.

        Results of other nodes are not among them. Of values that have no stable form their type counts, and of a Secret
        that it is one.
        """
        child = node._child
        if child is None:
            args, kwargs = arguments_of_body(node)
            own = f"#{_told([*args, *sorted(kwargs.items())])}" if args or kwargs else ""
        else:
            of_child = self._of_child(node, child) if child.makes_its_node else None
            if of_child is None:
                return None
            own = of_child
        taken = parameters_taken(node)
        return f"{own} given {self._parameters(taken)}".lstrip() if taken else own or None

    def _of_child(self, node: TaskNode, child: Child[Any]) -> str | None:
        try:
            return self._noted[node]
        except KeyError:
            return arguments_fingerprint(child)

    def _parameters(self, taken: tuple[tuple[str, Any], ...]) -> str:
        known = self._told.get(taken)
        if known is None:
            given = self._given
            values: list[object] = [[name, to.read(given[to.target])] for name, to in taken if to.target in given]
            known = self._told[taken] = f"#{_told(values)}"
        return known


def _told(values: list[object]) -> str:
    """Return a digest of values, as far as they can be told."""
    whole = digest_of(values)
    return digest_of(_tellable(values)) or "" if whole is None else whole


def _tellable(value: object) -> object:
    """Return a value with what cannot be told, in its lists and fields, replaced by the name of its type."""
    if digest_of(value) is not None:
        return value
    kind = _kind(value)
    if kind in (list, tuple):
        return [_tellable(each) for each in cast("Iterable[object]", value)]
    if dataclasses.is_dataclass(kind):
        return [[each.name, _tellable(getattr(value, each.name))] for each in dataclasses.fields(kind)]
    return stable_name(kind)


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
    if kind is str and not value.isascii() and any("\ud800" <= each <= "\udfff" for each in value):
        return ["text", value.encode("utf-8", "surrogatepass")]  # no text of msgpack's has lone surrogates
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
