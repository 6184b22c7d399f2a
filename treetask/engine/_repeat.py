"""Brings what is below a node back to where it was before an attempt of it that failed. Pure, like the scheduler."""

from __future__ import annotations

from treetask.engine._group import Group
from treetask.engine._waiting import Waiting
from treetask.model import TaskNode, TaskStatus, TaskTree


def begin_anew(
    tree: TaskTree, waiting: Waiting, top: TaskNode, group: Group
) -> tuple[list[tuple[TaskNode, str]], list[tuple[TaskNode, TaskNode]]]:
    """Discard what the bodies of a failed attempt added, and reset what is not done.

    What is done stays, with all below it: its body took responsibility for that. Returns the nodes that can never start
    now: those that waited for something discarded, each with the reason, and those with a dependency that has not ended
    well, each with that one.
    """
    discarded, again = _told_apart(top, group)
    orphans = [orphan for node in discarded for orphan in _discard(tree, waiting, node)]
    for node in again:
        _reset(tree, node)
        waiting.close(node)
    # Only now, when all are reset: a dependency that has ended badly is one that nobody will tell of.
    return orphans, waiting.lost(again)


def _told_apart(top: TaskNode, group: Group) -> tuple[list[TaskNode], list[TaskNode]]:
    discarded: list[TaskNode] = []
    again: list[TaskNode] = []
    left: list[tuple[TaskNode, Group | None]] = [(top, group)]
    while left:
        node, attempt = left.pop()
        added: set[TaskNode] = set() if attempt is None else set(attempt.added)
        for child in node._children:
            if child in added:
                discarded.append(child)
            elif child._status is not TaskStatus.DONE:
                again.append(child)
                left.append((child, child._group))
    return discarded, again


def _discard(tree: TaskTree, waiting: Waiting, top: TaskNode) -> list[tuple[TaskNode, str]]:
    """Take a node out of the tree; return who waited for it or for a node below, and now waits in vain."""
    below = list(top.walk())
    tree.remove(top)
    return [
        (dependent, f"'{node.id}' was discarded") for node in below for dependent in waiting.dependents.pop(node, ())
    ]


def _reset(tree: TaskTree, node: TaskNode) -> None:
    if node._status.is_terminal:
        tree.reset_node(node)
    node.exception = node.error = node.reason = None
    node._group = node.started_at = node.ended_at = None
    node.retry_count = 0
