"""What is said of nodes and trees: troubles, retries, progress, last lines. Knows nothing of screens."""

from __future__ import annotations

from typing import Final

from treetask.model import TaskNode, TaskTree, TreeTaskConfig
from treetask.text import percent, safe_text, without_colours

#: More of an error or a reason than this fits no line, and an error may be a page long.
NOTE_SHOWN: Final = 200
#: Of a line of a log; a program may write a whole document as one.
LOG_LINE_SHOWN: Final = 500


def has_ended(tree: TaskTree) -> bool:
    """Whether nothing in a tree is still to be done."""
    if tree.root.status.is_terminal:
        return True
    stats = tree.get_work_node_stats()
    return stats["total"] > 0 and stats["pending"] + stats["working"] + stats["retrying"] == 0


def progress_text(tree: TaskTree) -> str:
    """Return `Progress: 1/4 (25%)`."""
    stats = tree.get_progress_stats()
    current, total = stats["current"], stats["total"]
    share = percent(current, total, ended=has_ended(tree))
    return f"Progress: {_bare(current)}/{_bare(total)} ({share}%)"


def _bare(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.1f}"


def trouble(node: TaskNode) -> str:
    """Return the first line of what went wrong with a node; empty if nothing is known."""
    lines = (node.error or "").strip().splitlines()
    said = lines[0] if lines else ""
    if node.exception is not None:
        kind = type(node.exception).__name__
        if not said:
            said = kind
        elif not said.startswith(kind):
            said = f"{kind}: {said}"
    return safe_text(said, limit=NOTE_SHOWN)


def retries(node: TaskNode, tree: TaskTree | None) -> str:
    """Return the retries used and, where that is bounded, the most that there may be: `2/3`.

    By the node's own options, or the tree's config.
    """
    retry, most = node.options.retry, node.options.max_retries
    if retry is not None:
        most = None if retry.attempts is None else retry.attempts - 1
    elif most is None:
        most = (TreeTaskConfig() if tree is None else tree.config).max_retries
    return f"{node.retry_count}" if most is None else f"{node.retry_count}/{most}"


def last_log_lines(node: TaskNode, count: int) -> list[str]:
    """Return the last lines that a node's body has put out, safe to be shown."""
    return [safe_text(without_colours(line), limit=LOG_LINE_SHOWN) for line in node.log[-count:]]
