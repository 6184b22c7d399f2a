"""A tree as plain data for tools. Restoring a run is not its work: a snapshot has no functions, no rich values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from typing_extensions import NotRequired, TypedDict

if TYPE_CHECKING:
    from treetask.model._node import TaskNode


class NodeDict(TypedDict):
    """One node of a snapshot. Times are seconds on the run's clock."""

    id: str
    name: str
    parent: str | None
    status: str
    parallel: bool
    depends_on: list[str]
    progress: list[int] | None
    retry_count: int
    started_at: float | None
    ended_at: float | None
    error: str | None
    reason: str | None
    data: NotRequired[dict[str, Any]]
    result: NotRequired[Any]
    #: Which of `data` and `result` were left out because JSON has no form for them.
    left_out: NotRequired[list[str]]


class TreeDict(TypedDict):
    """A whole snapshot."""

    version: int
    root: str
    nodes: list[NodeDict]


#: Raised when a reader of old snapshots would misread new ones.
SNAPSHOT_VERSION = 1


def tree_to_dict(root: TaskNode) -> TreeDict:
    """Return the nodes from `root` down, parents before children, as data that `json.dumps` takes."""
    return {"version": SNAPSHOT_VERSION, "root": root.id, "nodes": [_node_to_dict(node) for node in root.walk()]}


def _node_to_dict(node: TaskNode) -> NodeDict:
    entry: NodeDict = {
        "id": node.id,
        "name": node.name,
        "parent": None if node.parent is None else node.parent.id,
        "status": node.status.value,
        "parallel": node.parallel,
        "depends_on": list(node.options.depends_on),
        "progress": None if node.progress is None else list(node.progress),
        "retry_count": node.retry_count,
        "started_at": node.started_at,
        "ended_at": node.ended_at,
        "error": node.error,
        "reason": node.reason,
    }
    left_out: list[str] = []
    if node._data:
        if _is_json(node._data):
            entry["data"] = dict(node._data)
        else:
            left_out.append("data")
    if node.result is not None:
        if _is_json(node.result):
            entry["result"] = node.result
        else:
            left_out.append("result")
    if left_out:
        entry["left_out"] = left_out
    return entry


def _is_json(value: object) -> bool:
    """Whether JSON gives the value back as it was."""
    try:
        return bool(json.loads(json.dumps(value, allow_nan=False)) == value)
    except (TypeError, ValueError, RecursionError):
        return False
