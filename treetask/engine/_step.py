"""Runs a body's coroutine step by step in a context of its own, inside a task that other bodies use as well.

A context of its own, so that what a body sets in its ContextVars is gone with it. The task sees every wait of the body
as its own. A stack that is seen from the task ends here; it goes on in the coroutine.
"""

from __future__ import annotations

from collections.abc import Generator
from contextvars import Context, ContextVar
from types import coroutine
from typing import Any, Final, Protocol

from treetask.model import TaskNode

#: The node whose body the current code belongs to, tasks that the body started included.
current_node: Final[ContextVar[TaskNode]] = ContextVar("treetask_current_node")


class Steppable(Protocol):
    """A coroutine, or one step of an async generator."""

    def send(self, value: Any, /) -> Any: ...
    def throw(self, error: BaseException, /) -> Any: ...


@coroutine
def resume(context: Context, steps: Steppable, trap: Any) -> Generator[Any, Any, Any]:
    """Wait for what a coroutine's first step waits for, then go on with it to its end; return what it returns."""
    while True:
        try:
            value = yield trap
        except BaseException as error:
            step, argument = steps.throw, error
            del error
        else:
            step, argument = steps.send, value
        try:
            trap = context.run(step, argument)
        except StopIteration as end:
            return end.value
        finally:
            del argument, step


def begin(node: TaskNode) -> tuple[Steppable, Any]:
    """Call a node's body and run its coroutine to its first wait; return both. To be called in the context of the body.

    Raises StopIteration with the result if the body waits for nothing.
    """
    current_node.set(node)
    steps: Steppable = node._body(node)  # type: ignore[misc]  # pyright: ignore[reportOptionalCall] - it has one
    try:
        send = steps.send
    except AttributeError:
        steps = awaited(steps)
        send = steps.send
    return steps, send(None)


async def run_in(context: Context, steps: Steppable) -> Any:
    """Run a coroutine from its first step to its end in a context; return what it returns."""
    try:
        trap = context.run(steps.send, None)
    except StopIteration as end:
        return end.value
    return await resume(context, steps, trap)


async def awaited(value: Any) -> Any:
    """Return a coroutine for what can be awaited but is none itself."""
    return await value
