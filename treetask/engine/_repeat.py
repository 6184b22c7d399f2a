"""Whether a failed attempt is repeated, and how what is below the node comes back to where it was. Pure."""

from __future__ import annotations

import sys
from collections.abc import Callable

from treetask.engine._bounds import total_bound
from treetask.engine._group import Group
from treetask.engine._left_over import LeftOver, Orphan, discard, may_be_left_over
from treetask.engine._waiting import Waiting
from treetask.model import TaskNode, TaskStatus, TaskTree, TreeTaskConfig

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup


def wait_before_next(
    node: TaskNode, config: TreeTaskConfig, at: float, chance: Callable[[], float], *, by_body: bool
) -> float | None:
    """Return the seconds before the next attempt of a node that has just failed, or None if there is none.

    `by_body` says that the body failed, and no child. What `Retry.on` raises takes the place of what failed.
    """
    retry = node.options.retry
    if retry is None:
        return 0.0 if node.retry_count < _retries(node, config, by_body=by_body) else None
    error = _what_failed(node)
    if error is None:
        return None
    try:
        wait = retry.wait(error, node.retry_count + 1, chance())
    except BaseException as broken:  # a user's function, whatever it raises
        node.exception, node.error = broken, str(broken) or type(broken).__name__
        return None
    total = total_bound(node, at, attempts=node.retry_count + 1)
    return None if wait is None or (total is not None and at + wait >= total.at) else wait


def may_be_repeated(node: TaskNode, config: TreeTaskConfig) -> bool:
    """Return whether there may be another attempt of a node, whatever fails."""
    if node._status.is_terminal:
        return False
    return node.options.retry is not None or node.retry_count < _retries(node, config, by_body=True)


def _retries(node: TaskNode, config: TreeTaskConfig, *, by_body: bool) -> int:
    """Return how often a node without `Retry` is repeated at most."""
    if node.options.max_retries is not None:
        return node.options.max_retries
    # The config's default is for what a body raises; repeating a whole group has to be asked for.
    return config.max_retries if by_body and node.task_fn is not None else 0


def _what_failed(node: TaskNode) -> Exception | None:
    """Return what a body raised: that of the node, or of the children that failed it, together if they are several."""
    errors: list[Exception] = []
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one.exception, Exception):
            errors.append(one.exception)
            continue
        group: Group | None = one._group
        failed = [] if group is None or one.exception is not None else group.unclaimed_failures()
        if not failed:
            return None
        waiting.extend(failed)
    return errors[0] if len(errors) == 1 else ExceptionGroup("several children failed", errors)


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
        left_over.keep(node, kept)
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
