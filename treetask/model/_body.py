"""What kind of function a body is. Knows how to look at a function, not how to run one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from enum import Enum, auto
from typing import Any

#: A body as the engine calls it: with its node. What comes back depends on its kind.
TaskFunction = Callable[..., Any]


class BodyKind(Enum):
    """How a body has to be driven."""

    #: Whether it occupies a thread while it runs.
    in_thread: bool
    #: Whether what it yields becomes its children.
    yields: bool

    ASYNC = auto()
    """`async def`: awaited on the event loop."""
    SPAWNER = auto()
    """`async def` with `yield`: stepped on the event loop; what it yields becomes its children."""
    THREAD = auto()
    """`def`: called in a worker thread."""
    THREAD_SPAWNER = auto()
    """`def` with `yield`: every step is a call in some worker thread."""


# Plain attributes, since every start and end of a body reads them: looking a member up runs its hash, Python code.
for _kind in BodyKind:
    _kind.in_thread = _kind in {BodyKind.THREAD, BodyKind.THREAD_SPAWNER}
    _kind.yields = _kind in {BodyKind.SPAWNER, BodyKind.THREAD_SPAWNER}


def kind_of(body: TaskFunction) -> BodyKind:
    """Return how `body` has to be driven: what its `kind` attribute says, else what the function is.

    Functions wrapped by `functools.partial`, bound methods and objects with an async `__call__` are seen through.
    """
    kind = getattr(body, "kind", None)
    if isinstance(kind, BodyKind):
        return kind
    return _inspected(body)


def _inspected(body: TaskFunction) -> BodyKind:
    function: Any = body
    while isinstance(function, functools.partial):
        function = function.func
    if not inspect.isroutine(function) and not inspect.isclass(function):
        function = type(function).__call__
    if inspect.isasyncgenfunction(function):
        return BodyKind.SPAWNER
    if inspect.iscoroutinefunction(function):
        return BodyKind.ASYNC
    if inspect.isgeneratorfunction(function):
        return BodyKind.THREAD_SPAWNER
    return BodyKind.THREAD
