"""Builds a tree directly, node by node, in one fluent expression. Knows nothing of declarations and runs nothing."""

from __future__ import annotations

from typing import Any, Final

from typing_extensions import Self, Unpack

from treetask._errors import DefinitionError
from treetask.model import NodeKeywords, TaskFunction, TaskNode, TaskTree, TreeTaskConfig, dependencies_of, node_options

__all__ = ["TreeBuilder"]

# What `add_node` and `add_child` take beside the options, and what the root does.
_PARAMETERS: Final = frozenset({"name", "task", "data", "progress"})
_ROOT_PARAMETERS: Final = frozenset({"name", "task_fn", "data", "progress", "config"})


class TreeBuilder:
    """A tree in the making and a place in it, at first the root.

    `add_node` moves into the node that it adds, `add_child` stays, `up` moves back. `parallel=None` takes the config's
    default. Duplicate ids and bad options are refused at once, dependencies when `build` is called, so they may name
    nodes that come later.
    """

    def __init__(
        self,
        root_id: str,
        name: str | None = None,
        parallel: bool = True,  # noqa: FBT001, FBT002 - the printed API
        data: dict[str, Any] | None = None,
        *,
        config: TreeTaskConfig | None = None,
        task_fn: TaskFunction | None = None,
        progress: tuple[int, int] | None = None,
        **options: Unpack[NodeKeywords],
    ) -> None:
        self._config = TreeTaskConfig() if config is None else config
        root = TaskNode(root_id, name, data=data, progress=progress, task_fn=task_fn)
        root.options = node_options(f"node '{root_id}'", _ROOT_PARAMETERS, parallel=parallel, **options)
        self._tree = TaskTree(root, self._config)
        self._current = root

    def add_node(
        self,
        id: str,
        name: str | None = None,
        parallel: bool | None = None,  # noqa: FBT001 - the printed API
        task: TaskFunction | None = None,
        data: dict[str, Any] | None = None,
        *,
        progress: tuple[int, int] | None = None,
        **options: Unpack[NodeKeywords],
    ) -> Self:
        """Add a child to the current node and move into it. Options as in `TaskNode`; `timeout` in seconds."""
        self._current = self._add(id, name, parallel=parallel, task=task, data=data, progress=progress, **options)
        return self

    def add_child(
        self,
        id: str,
        name: str | None = None,
        parallel: bool | None = None,  # noqa: FBT001 - the printed API
        task: TaskFunction | None = None,
        data: dict[str, Any] | None = None,
        *,
        progress: tuple[int, int] | None = None,
        **options: Unpack[NodeKeywords],
    ) -> Self:
        """Add a child to the current node and stay there. Options as in `TaskNode`; `timeout` in seconds."""
        self._add(id, name, parallel=parallel, task=task, data=data, progress=progress, **options)
        return self

    def _add(
        self,
        id: str,
        name: str | None,
        *,
        parallel: bool | None,
        task: TaskFunction | None,
        data: dict[str, Any] | None,
        progress: tuple[int, int] | None,
        **options: Unpack[NodeKeywords],
    ) -> TaskNode:
        node = TaskNode(id, name, data=data, progress=progress, task_fn=task)
        if parallel is None:
            parallel = self._config.default_parallel
        if options or parallel is not True:
            node.options = node_options(f"node '{id}'", _PARAMETERS, parallel=parallel, **options)
        return self._current.add_child(node)

    def up(self) -> Self:
        """Move back to the parent. Raises `DefinitionError` at the root."""
        parent = self._current.parent
        if parent is None:
            raise DefinitionError(f"up() at the root '{self._current.id}': there is nothing above it; remove one up()")
        self._current = parent
        return self

    def build(self) -> TaskTree:
        """Return the tree. Raises `DefinitionError` for dependencies that are unknown or close a cycle."""
        dependencies_of(self._tree)
        return self._tree
