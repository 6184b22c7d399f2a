"""What a body is declared to return, found out when it is asked for: the names may be defined after the function."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any, Final

import typing_extensions

from treetask.dsl import BoundBody
from treetask.model import Return, TaskFunction

#: Of how many functions the types are kept: a pipeline has fewer.
_KEPT: Final = 1024


def result_type(body: TaskFunction | None) -> object:
    """Return the type of a body's result; `Any` where it says none, or one that cannot be found out.

    Of a spawner that is the R of its `Spawns[R]` or `SyncSpawns[R]`.
    """
    return Any if body is None else _declared(innermost(body))


def innermost(body: TaskFunction) -> Callable[..., Any]:
    """Return the function as it was written, without what was put around it."""
    function: Any = body
    while True:
        if isinstance(function, (BoundBody, functools.partial)):
            function = function.fn if isinstance(function, BoundBody) else function.func
        elif hasattr(function, "__wrapped__"):
            function = inspect.unwrap(function)
        elif inspect.isroutine(function) or inspect.isclass(function):
            return function
        else:
            function = type(function).__call__


@functools.lru_cache(maxsize=_KEPT)
def _declared(function: Callable[..., Any]) -> object:
    wanted = _return_annotation(function)
    origin, args = typing.get_origin(wanted), typing.get_args(wanted)
    if origin is AsyncGenerator:
        # What it yields is a union of what spawners may yield, with what it returns inside.
        parts = typing.get_args(args[0]) if args else ()
        returned = [each for each in parts if typing.get_origin(each) is Return]
        wanted = typing.get_args(returned[0])[0] if returned else Any
    elif origin is Generator:
        wanted = args[2] if len(args) > 2 else Any  # noqa: PLR2004 - what it yields, is sent and returns
    elif isinstance(origin, type) and issubclass(origin, Awaitable):
        wanted = args[-1] if args else Any
    return Any if wanted is object or _is_variable(wanted) else wanted


def _return_annotation(function: Callable[..., Any]) -> object:
    try:
        # Only this one: that another cannot be resolved says nothing of it.
        annotation = getattr(function, "__annotations__", {}).get("return", Any)
        holder = type("Holder", (), {"__annotations__": {"result": annotation}})
        variables = {each.__name__: each for each in getattr(function, "__type_params__", ())}
        names = getattr(function, "__globals__", {})
        return typing.get_type_hints(holder, names, variables, include_extras=True)["result"]
    except Exception:  # noqa: BLE001 - an annotation may hold any expression
        return Any


def _is_variable(wanted: object) -> bool:
    return isinstance(wanted, (typing.TypeVar, typing_extensions.TypeVar))
