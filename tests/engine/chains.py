"""Chains of groups or bodies, each with one below it."""

from __future__ import annotations

from treetask import TaskNode, TaskTree, TreeTaskConfig
from treetask.model import TaskFunction


def a_chain(depth: int, body: TaskFunction | None, last: TaskFunction | None = None) -> TaskTree:
    """Return a tree in which each node has one child."""
    node = top = TaskNode("0", task_fn=body)
    for number in range(1, depth):
        child = TaskNode(f"{number}", task_fn=last if number == depth - 1 and last is not None else body)
        node.add_child(child)
        node = child
    return TaskTree(top, TreeTaskConfig(max_retries=0))
