"""What kind of function a body is, however it is wrapped."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from treetask import TaskNode
from treetask.model import BodyKind, kind_of


async def awaited(node: TaskNode) -> None:
    """A body for the event loop."""


async def spawning(node: TaskNode) -> AsyncIterator[None]:
    """A body for the event loop that yields."""
    yield


def called(node: TaskNode) -> None:
    """A body for a thread."""


def stepped(node: TaskNode) -> Iterator[None]:
    """A body for threads that yields."""
    yield


class Bodies:
    """The same as methods."""

    async def awaited(self, node: TaskNode) -> None: ...
    def called(self, node: TaskNode) -> None: ...

    @staticmethod
    async def static(node: TaskNode) -> None: ...

    @classmethod
    def stepped(cls, node: TaskNode) -> Iterator[None]:
        yield


class AsyncCallable:
    async def __call__(self, node: TaskNode) -> None: ...


class SteppedCallable:
    def __call__(self, node: TaskNode) -> Iterator[None]:
        yield


class Declared:
    """A body that says itself how it has to be driven, as compiled declarations do."""

    kind = BodyKind.SPAWNER

    def __call__(self, node: TaskNode) -> None: ...


class Misleading:
    """An object whose `kind` is something else."""

    kind = "async"

    async def __call__(self, node: TaskNode) -> None: ...


@functools.wraps(awaited)
def wrapped(node: TaskNode) -> object:
    """A plain function around an async one: what it returns has to be awaited, but that is seen only then."""
    return awaited(node)


BODIES: list[tuple[Callable[..., object], BodyKind]] = [
    (awaited, BodyKind.ASYNC),
    (spawning, BodyKind.SPAWNER),
    (called, BodyKind.THREAD),
    (stepped, BodyKind.THREAD_SPAWNER),
    (functools.partial(awaited), BodyKind.ASYNC),
    (functools.partial(functools.partial(stepped)), BodyKind.THREAD_SPAWNER),
    (functools.partial(AsyncCallable()), BodyKind.ASYNC),
    (Bodies().awaited, BodyKind.ASYNC),
    (Bodies().called, BodyKind.THREAD),
    (Bodies.static, BodyKind.ASYNC),
    (Bodies.stepped, BodyKind.THREAD_SPAWNER),
    (AsyncCallable(), BodyKind.ASYNC),
    (SteppedCallable(), BodyKind.THREAD_SPAWNER),
    (Declared(), BodyKind.SPAWNER),
    (Misleading(), BodyKind.ASYNC),
    (print, BodyKind.THREAD),
    (Bodies, BodyKind.THREAD),
    (wrapped, BodyKind.THREAD),
]


@pytest.mark.parametrize(("body", "kind"), BODIES)
def test_kind_is_that_of_the_function_inside(body: Callable[..., object], kind: BodyKind) -> None:
    """Partials, methods and objects with a `__call__` are seen through; a `kind` of its own comes first."""
    assert kind_of(body) is kind
