"""A tree as plain data for tools. Restoring a run is not its work: a snapshot has no functions, no rich values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

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
    #: Nodes below this one that are done, were folded into it, and are not in the snapshot.
    folded: NotRequired[int]
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
    if node._tree is not None and node._tree.folds is not None:
        folded = node._tree.folds.nodes(node)
        if folded:
            entry["folded"] = folded
    left_out: list[str] = []
    if node._data:
        data = _as_json(node._data)
        if data is _NO_FORM:
            left_out.append("data")
        else:
            entry["data"] = data
    if node.result is not None:
        result = _as_json(node.result)
        if result is _NO_FORM:
            left_out.append("result")
        else:
            entry["result"] = result
    if left_out:
        entry["left_out"] = left_out
    return entry


#: Stands for a value that JSON would not give back as it was.
_NO_FORM: Final = object()


def _as_json(value: object) -> Any:  # noqa: ANN401 - what JSON gives back
    """Return a copy of the value in JSON's own types, which the run does not change any more."""
    import json  # here, since few runs take a snapshot

    try:
        copy = json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return _NO_FORM
    return copy if copy == value else _NO_FORM
