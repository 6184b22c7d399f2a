"""Groups with places, and bodies in them that wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.engine.desk import Desk
from tests.engine.support import ok
from treetask import TaskNode, TaskTree, TreeTaskConfig


def group_of(*children: TaskNode, max_parallel: int = 1, **options: Any) -> TaskTree:  # noqa: ANN401 - as TaskNode takes them
    """Return a tree whose root is a group with so many places."""
    root = TaskNode("root", max_parallel=max_parallel, **options)
    for child in children:
        root.add_child(child)
    return TaskTree(root, TreeTaskConfig(max_retries=0))


def leaf(node_id: str, *depends_on: str, **options: Any) -> TaskNode:  # noqa: ANN401 - as TaskNode takes them
    """Return a node with a body."""
    return TaskNode(node_id, task_fn=ok, depends_on=depends_on, **options)


def branch(node_id: str, *children: TaskNode, **options: Any) -> TaskNode:  # noqa: ANN401 - as TaskNode takes them
    """Return a node with children, and without a body unless it is given one."""
    node = TaskNode(node_id, **options)
    for child in children:
        node.add_child(child)
    return node


def awaits(desk: Desk, body: str, awaited: str, *, aside: bool = False) -> Callable[[], None]:
    """Let a body wait for a node, as `await` does; return what ends the wait."""
    if not aside:
        desk.scheduler.refuse_to_wait(desk.node(body), desk.node(awaited))
    end = desk.scheduler.begin_wait(desk.node(body), desk.node(awaited), 0.0, aside=aside)
    desk.suspend(body)
    return end or (lambda: None)


def goes_on(desk: Desk, body: str, end: Callable[[], None]) -> bool:
    """Let a body whose wait is over ask for its slot; return whether it has it at once."""
    end()
    return desk.want(body)


def desk_of(*children: TaskNode, parallel: bool = True) -> Desk:
    """Return a desk with these below the root; all that may begin have begun."""
    desk = Desk(TaskTree(branch("root", *children, parallel=parallel)))
    desk.begin_all()
    return desk
