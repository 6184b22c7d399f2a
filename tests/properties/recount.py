"""The counters of a tree, counted the slow way: by looking at every node."""

from __future__ import annotations

from collections.abc import Iterable

from treetask import TaskNode, TaskStatus, TaskTree
from treetask.model import SubtreeStats


def check_counters(tree: TaskTree, group: TaskNode) -> None:
    """Compare the counters of a tree, and of the subtree below a node, with a recount."""
    nodes = list(tree.walk())
    assert tree.get_stats() == counted(nodes)
    assert tree.get_leaf_stats() == counted(node for node in nodes if not node.children)
    assert tree.get_work_node_stats() == counted(node for node in nodes if node.task_fn is not None)
    assert tree.get_progress_stats() == progress_counted(nodes)
    assert tree.subtree_stats(group) == rolled_up(group)


def counted(nodes: Iterable[TaskNode]) -> dict[str, int]:
    """Count nodes by status, the slow way."""
    counts = dict.fromkeys((status.value for status in TaskStatus), 0)
    total = 0
    for node in nodes:
        counts[node.status.value] += 1
        total += 1
    return {**counts, "total": total}


def units(node: TaskNode) -> tuple[int, int]:
    """What a node adds to progress."""
    current, total = node.progress or (0, 1)
    return (total if node.is_done() else current), total


def progress_counted(nodes: list[TaskNode]) -> dict[str, int]:
    """Count progress, the slow way."""
    work = [node for node in nodes if node.task_fn is not None or node.progress is not None]
    counts = counted(work)
    return {
        "current": sum(units(node)[0] for node in work),
        "total": sum(units(node)[1] for node in work),
        "done": counts["done"],
        "working": counts["working"],
        "pending": counts["pending"],
        "failed": counts["failed"],
        "nodes_with_progress": sum(node.progress is not None for node in nodes),
    }


def rolled_up(group: TaskNode) -> SubtreeStats:
    """Count what is below a node, the slow way."""
    below = [
        node for node in group.walk() if node is not group and (node.task_fn is not None or node.progress is not None)
    ]
    counts = counted(below)
    sums = [sum(units(node)[place] for node in below) for place in (0, 1)]
    return SubtreeStats(*[*(counts[status.value] for status in TaskStatus), *sums])
