"""What a body that yields is told of values that are no children, and of children that cannot be."""

from __future__ import annotations

import pytest

from tests.engine.support import ended
from tests.spawning.spawned import run, work
from treetask import (
    AsyncExecutor,
    Child,
    DuplicateChildError,
    Registry,
    Return,
    SpawnError,
    Spawns,
    TaskNode,
    TreeFailed,
    TreeTaskError,
)

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


@pytest.mark.parametrize("parallel", [True, False])
async def test_call_instead_of_a_child_is_refused_with_the_fix(parallel: bool) -> None:
    """A coroutine that was yielded is closed, and the message says what to write."""
    registry = Registry("r")

    @registry.group(parallel=parallel, static=False)
    async def parent() -> Spawns[None]:
        yield work(1)  # type: ignore[misc]  # pyright: ignore[reportReturnType]

    error = await ended(parent.build())

    assert isinstance(error, TreeFailed)
    assert [(type(leaf), str(leaf)) for leaf in error.exceptions] == [
        (TypeError, "'r/parent': you yielded a call of 'work'; write: yield work.child(...)")
    ]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            42,
            "'r/parent' yielded 42; expected a child (task.child(...)), an iterable of children, JOIN or Return(value)",
        ),
        (
            "",
            "'r/parent' yielded ''; expected a child (task.child(...)), an iterable of children, JOIN or Return(value)",
        ),
        ([42], "'r/parent' yielded an iterable with 42; expected task.child(...) only"),
    ],
)
async def test_anything_else_is_refused_at_that_yield(value: object, message: str) -> None:
    """It is thrown in there, so the body's own `try` sees it."""
    registry = Registry("r")
    seen: list[str] = []

    @registry.group(static=False)
    async def parent() -> Spawns[str]:
        try:
            yield value  # type: ignore[misc]  # pyright: ignore[reportReturnType]
        except TypeError as error:
            seen.append(str(error))
        yield Return("went on")

    assert await run(parent.build()) == "went on"
    assert seen == [message]


async def test_duplicate_child_is_refused_at_its_yield() -> None:
    """The message names the key and the way out; the first child is not touched."""
    registry = Registry("r")
    seen: list[str] = []

    @registry.group(static=False)
    async def parent() -> Spawns[None]:
        yield work.child(1)
        try:
            yield work.child(1)
        except DuplicateChildError as error:
            seen.append(str(error))
        yield work.child(1).keyed("again")

    tree = parent.build()
    await AsyncExecutor(tree).run()

    message = "spawn it once, or tell the two apart: .child(...).keyed('...')"
    assert seen == [f"'r/parent' already has a child 'work[1]'; {message}"]
    assert tree.ids() == ["r/parent", "r/parent/work[1]", "r/parent/work[again]"]


async def test_keys_of_a_child_and_of_one_below_its_sibling_do_not_meet() -> None:
    """Whatever texts they are made of: the bracket that ends a key is told from one within it."""
    registry = Registry("r")

    @registry.group(static=False)
    async def mid(name: str) -> Spawns[None]:
        yield work.child(1).keyed("b")

    @registry.group(static=False)
    async def parent() -> Spawns[None]:
        yield [mid.child("a]/work[b"), mid.child("a")]

    tree = parent.build()
    await AsyncExecutor(tree).run()

    assert [node.id.removeprefix("r/parent/") for node in tree.walk()] == [
        "r/parent",
        "mid[a]\\/work[b]",
        "mid[a]\\/work[b]/work[b]",
        "mid[a]",
        "mid[a]/work[b]",
    ]


async def test_id_that_a_node_elsewhere_was_given_is_refused_as_that() -> None:
    """It is no sibling, so the message says where it stands."""
    registry = Registry("r")

    @registry.group(static=False)
    async def parent(node: TaskNode) -> Spawns[None]:
        node.add_child(TaskNode("other", children=[TaskNode("r/parent/work[1]")]))
        yield work.child(1)

    tree = parent.build()
    await ended(tree)

    assert tree.root.error == (
        "duplicate id 'r/parent/work[1]': first under 'other', again under 'r/parent'; give one of them another id"
    )


async def test_child_that_was_started_is_refused() -> None:
    """A child is one node."""
    registry = Registry("r")
    seen: list[str] = []

    @registry.group(static=False)
    async def parent() -> Spawns[None]:
        child = yield work.child(1)
        try:
            yield child
        except SpawnError as error:
            seen.append(str(error))

    await AsyncExecutor(parent.build()).run()

    assert seen == ["child 'r/parent/work[1]' was started before; make a second one with .child(...)"]


async def test_result_of_a_child_before_its_end_is_refused() -> None:
    """`child.result` is for children that are done."""
    registry = Registry("r")
    seen: list[str] = []

    @registry.group(static=False)
    async def parent() -> Spawns[None]:
        child: Child[float] = yield work.child(5)
        try:
            _ = child.result
        except TreeTaskError as error:
            seen.append(str(error))

    await AsyncExecutor(parent.build()).run()

    assert seen == ["child 'r/parent/work[5]' is still pending; await it first (in a plain `def`: yield JOIN)"]
