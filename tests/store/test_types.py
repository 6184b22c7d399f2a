"""What a body is declared to return, as far as it can be found out."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from treetask import Registry, Spawns, SyncSpawns, TaskNode
from treetask.store._types import result_type

if TYPE_CHECKING:
    from nowhere import Nothing  # type: ignore[import-not-found]  # pyright: ignore[reportMissingImports, reportUnknownVariableType]

T = TypeVar("T")


async def loads() -> list[Later]:
    """An async body."""
    return []


def counts() -> int:
    """A plain body."""
    return 1


async def spawns() -> Spawns[dict[str, int]]:
    """A spawner."""
    yield []


def spawns_in_threads() -> SyncSpawns[tuple[int, ...]]:
    """A plain spawner."""
    yield []
    return ()


async def spawns_nothing() -> Spawns[None]:
    """A spawner without a result."""
    yield []


async def generates() -> AsyncGenerator[Any, Any]:
    """A spawner that says nothing of its result."""
    yield []


def quotes() -> list[Later]:
    """A name that is defined below."""
    return []


async def takes_what_is_nowhere(nothing: Nothing) -> int:  # pyright: ignore[reportUnknownParameterType]
    """A parameter that cannot be resolved."""
    return 1


async def returns_what_is_nowhere() -> Nothing:  # pyright: ignore[reportUnknownParameterType]
    """A result that cannot be resolved."""
    return 1


def says_nothing():  # type: ignore[no-untyped-def]  # noqa: ANN201
    """No annotation."""
    return 1


def returns_what_it_takes(value: T) -> T:
    """A type variable."""
    return value


def returns_an_object() -> object:
    """Anything."""
    return 1


def promises() -> Coroutine[Any, Any, str]:
    """A coroutine in words."""
    return loads()  # type: ignore[return-value]  # pyright: ignore[reportReturnType]


def decorated(fn: Callable[..., T]) -> Callable[..., T]:
    """A function around another."""

    @functools.wraps(fn)
    def call(*args: object) -> T:
        return fn(*args)

    return call


class Called:
    def __call__(self, node: TaskNode) -> Later:
        return Later(1)


@dataclass
class Later:
    """Defined after the functions that name it."""

    n: int


BODIES: list[tuple[Any, object]] = [
    (loads, list[Later]),
    (counts, int),
    (spawns, dict[str, int]),
    (spawns_in_threads, tuple[int, ...]),
    (spawns_nothing, type(None)),
    (generates, Any),
    (quotes, list[Later]),
    (takes_what_is_nowhere, int),
    (returns_what_is_nowhere, Any),
    (says_nothing, Any),
    (returns_what_it_takes, Any),
    (returns_an_object, Any),
    (promises, str),
    (functools.partial(counts), int),
    (decorated(counts), int),
    (Called(), Later),
    (len, Any),
    (None, Any),
]


@pytest.mark.parametrize(("body", "expected"), BODIES)
def test_type_is_that_of_the_result(body: Callable[..., Any] | None, expected: object) -> None:
    """Futures and generators are looked into; what cannot be found out is `Any`."""
    assert result_type(body) == expected


def test_type_is_found_behind_bound_arguments() -> None:
    """The body of a node is asked like the function that was declared, wherever it runs."""
    tree = Registry("t")

    @tree.task
    async def double(n: int) -> list[int]:
        return [n, n]

    @tree.task(backend="inline")
    def spawn(n: int = 1) -> SyncSpawns[float]:
        yield []
        return n / 2

    nodes = [double.make_node(double.child(1), "a"), spawn.make_node(spawn.child(2), "b")]

    assert [result_type(node.task_fn) for node in nodes] == [list[int], float]
