"""Runs a body's coroutine step by step in a context of its own, inside a task that other bodies use as well.

A context of its own, so that what a body sets in its ContextVars is gone with it. The task sees every wait of the body
as its own. A stack that is seen from the task ends here; it goes on in the coroutine.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextvars import Context, ContextVar
from types import CoroutineType, coroutine
from typing import Any, Final, Protocol, cast

from treetask.model import TaskNode

#: The node whose body the current code belongs to, tasks that the body started included.
current_node: Final[ContextVar[TaskNode]] = ContextVar("treetask_current_node")


#: What is called as soon as the body of a node has ended, however it did, and before anybody is told. Filled by those
#: who follow what bodies put out, of any thread; must not raise.
body_ends: Final[dict[TaskNode, Callable[[TaskNode], None]]] = {}


#: What a step gives when it was the last one: the result is in the seat.
FINISHED: Final = object()


class Seat(Protocol):
    """Who asked for a result, and gets it."""

    result: Any


class Steppable(Protocol):
    """What is run step by step: it gives what it waits for, gets what came of that, and gives FINISHED at its end."""

    def send(self, value: Any, /) -> Any: ...
    def throw(self, error: BaseException, /) -> Any: ...


# Both generators delegate to coroutines instead of sending to them: a coroutine that waits for nothing then hands over
# its value, and costs less than half of what it costs to raise StopIteration with it through the frames of a step.


@coroutine
def _bodies(seat: Seat) -> Generator[Any, Any, None]:
    while True:
        node: TaskNode = yield FINISHED
        current_node.set(node)
        body = node._body  # called by way of a variable: what is no method is quicker so
        steps = body(node)  # type: ignore[misc]  # pyright: ignore[reportOptionalCall] - it has one
        if type(steps) is not CoroutineType:
            steps = awaited(steps)
        seat.result = yield from steps  # pyright: ignore[reportGeneralTypeIssues] - the decorator lets it


@coroutine
def _calls(seat: Seat) -> Generator[Any, Any, None]:
    while True:
        function, argument = yield FINISHED
        seat.result = yield from function(argument)


@coroutine
def _yields(seat: Seat, generator: Any, is_served: Callable[[Any], bool]) -> Generator[Any, Any, None]:
    step: Callable[[Any], Generator[Any, Any, Any]]
    go_on = generator.asend
    while True:
        step, argument = yield FINISHED
        while True:
            value = yield from step(argument)
            try:
                if not is_served(value):
                    break
                step, argument = go_on, value
            except BaseException as error:
                step, argument = generator.athrow, error
        seat.result = value
        del argument, value


def bodies(seat: Seat) -> Steppable:
    """Return what runs the bodies of nodes, one after another. It is sent a node, in the context of its body.

    What a body raises comes out of the step, and this is of no more use then.
    """
    return _begun(_bodies(seat))


def calls(seat: Seat) -> Steppable:
    """Return the same for functions whose return value is awaited. It is sent a function with its argument."""
    return _begun(_calls(seat))


def yields(seat: Seat, generator: Any, is_served: Callable[[Any], bool]) -> Steppable:
    """Return the same for the methods of an async generator, which goes on at once from what `is_served` there.

    What that raises is thrown in. A step by itself costs as much as all else that a generator does at a yield.
    """
    return _begun(_yields(seat, generator, is_served))


def _begun(generator: Any) -> Steppable:
    generator.send(None)
    return cast("Steppable", generator)


@coroutine
def resume(context: Context, steps: Steppable, trap: Any) -> Generator[Any, Any, None]:
    """Wait for what the first step waits for, and so on to the end."""
    while trap is not FINISHED:
        try:
            value = yield trap
        except BaseException as error:
            step, argument = steps.throw, error
            del error
        else:
            step, argument = steps.send, value
        try:
            trap = context.run(step, argument)
        finally:
            del argument, step


#: The functions of the engine that are on the stack between it and a body.
STEPS: Final = (_bodies, _calls, _yields, resume)


def note_body_end(node: TaskNode) -> None:
    """Tell whoever follows what a body puts out that it has ended."""
    act = body_ends.pop(node, None)
    if act is not None:
        act(node)


class _Seat:
    __slots__ = ("result",)

    result: Any


async def run_in(context: Context, function: Callable[[Any], Any], argument: object) -> Any:
    """Call a function in a context and await there what it returns; return what comes of it."""
    seat = _Seat()
    steps = calls(seat)
    trap = context.run(steps.send, (function, argument))
    if trap is not FINISHED:
        await resume(context, steps, trap)
    return seat.result


async def awaited(value: Any) -> Any:
    """Return a coroutine for what can be awaited but is none itself."""
    return await value
