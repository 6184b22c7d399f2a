"""How what is below a node that is repeated comes back to where it was before the attempt. Pure."""

from __future__ import annotations

from treetask.engine._group import Group
from treetask.engine._left_over import LeftOver, Orphan, discard, may_be_left_over
from treetask.engine._waiting import Waiting
from treetask.model import TaskNode, TaskStatus, TaskTree


def begin_anew(
    tree: TaskTree, waiting: Waiting, left_over: LeftOver, top: TaskNode, group: Group
) -> tuple[list[Orphan], list[tuple[TaskNode, TaskNode]]]:
    """Discard what the bodies of a failed attempt added, but what they may take again, and reset what is not done.

    What is done stays, with all below it: its body took responsibility for that. But what always runs does so in each
    attempt of its group, since there is something to clean up after each. Of what was folded the same goes. Returns the
    nodes that can never start now: those that waited for something discarded, and those with a dependency that has not
    ended well, each with that one.
    """
    discarded, again = _told_apart(left_over, top, group)
    left_over.forget(node for children in discarded for child in children for node in child.walk())
    orphans = [orphan for children in discarded for orphan in discard(tree, waiting, children)]
    for node in again:
        _reset(tree, node)
    waiting.begin_anew(again)
    # Only now, when all are reset: a dependency that has ended badly is one that nobody will tell of.
    return orphans, waiting.lost(again)


def _told_apart(left_over: LeftOver, top: TaskNode, group: Group) -> tuple[list[list[TaskNode]], list[TaskNode]]:
    """Leave over what may be taken again; return what is to be discarded, by parent, and what is to run again."""
    discarded: list[list[TaskNode]] = []
    again: list[TaskNode] = []
    left: list[tuple[TaskNode, Group | None, bool]] = [(top, group, False)]
    while left:
        node, attempt, is_all = left.pop()
        added = left_over.pop(node, is_all=is_all)
        added.update(() if attempt is None else attempt.added)
        gone: list[TaskNode] = []
        kept: list[TaskNode] = []
        for child in node._children:
            # What always runs belongs to the attempt that it has followed: it runs after the next one as well.
            is_whole = is_all or child.options.always
            if child in added:
                (kept if may_be_left_over(child) and not is_whole else gone).append(child)
            elif is_whole or child._status is not TaskStatus.DONE:
                again.append(child)
                left.append((child, child._group, is_whole))
        gone += left_over.keep(node, kept, () if attempt is None else attempt.added)
        discarded.append(gone)
    return discarded, again


def _reset(tree: TaskTree, node: TaskNode) -> None:
    if node._status.is_terminal:
        tree.reset_node(node)
    node.result = node.exception = node.error = node.reason = None
    node._group = node.started_at = node.ended_at = None
    node.retry_count = 0
    if node._child is not None:
        node._child.claimed = False
