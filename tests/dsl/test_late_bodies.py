"""Declared bodies that are found by name and called with arguments that come late."""

from __future__ import annotations

import pytest

from treetask import DefinitionError, Registry, TaskNode
from treetask.dsl import LateBody, late_bodies, refuse_company
from treetask.model import BodyKind


def bodies_of(tree: Registry) -> dict[str, LateBody]:
    """The bodies of a registry by their paths."""
    return {body.path: body for body in late_bodies(tree)}


def test_bodies_are_found_in_their_order_however_deep() -> None:
    """Groups without a body are none."""
    tree = Registry("tree")
    with tree.group("outer") as outer:

        @outer.task
        async def first() -> None: ...

    @tree.task(backend="inline")
    def second(x: int, /, y: int = 0) -> int:
        return x + y

    @tree.task
    def third() -> None: ...

    found = bodies_of(tree)
    assert list(found) == ["tree/outer/first", "tree/second", "tree/third"]
    assert [body.kind for body in found.values()] == [BodyKind.ASYNC, BodyKind.ASYNC, BodyKind.THREAD]
    assert found["tree/second"].names == ["y"]
    assert found["tree/second"].problem({"y": 1}) == "needs 'x'; it takes (x, /, y=0)"


def test_body_is_called_with_its_node_and_arguments() -> None:
    """As a run would call it."""
    tree = Registry("tree")

    @tree.task
    def shout(node: TaskNode, word: str) -> str:
        return f"{node.id}: {word}"

    body = bodies_of(tree)["tree/shout"]
    assert body.problem({"word": "hello"}) is None
    assert body.call(TaskNode("a"), {"word": "hello"}) == "a: hello"


def test_body_that_says_how_it_stands_to_others_is_refused() -> None:
    """Conditions, orders, clean-ups and groups with tasks in them mean nothing alone."""
    tree = Registry("tree")

    def ask() -> bool:
        return True

    @tree.task(when=ask)
    async def asked() -> None: ...

    @tree.task(always=True)
    async def cleans() -> None: ...

    @tree.group
    async def around() -> None: ...

    @around.task
    async def inside() -> None: ...

    found = bodies_of(tree)
    for path, why in (
        ("tree/asked", r"says when="),
        ("tree/cleans", r"says always=True"),
        ("tree/around", r"is a group with 'inside' in it"),
    ):
        message = rf"^task 'a': '{path}' \(.*test_late_bodies\.py:\d+\) {why}, and runs only as declared$"
        with pytest.raises(DefinitionError, match=message):
            refuse_company(found[path], "task 'a'")
    refuse_company(found["tree/around/inside"], "task 'a'")
