"""Runs trees for declarations, which are on a floor below and get this handed in."""

from __future__ import annotations

from typing import Any

from treetask.engine._executor import AsyncExecutor
from treetask.engine._main_thread import run_sync
from treetask.model import ExecutionResult, TaskTree, TreeTaskConfig


class EngineRunner:
    """What `Registry.run` and its like run a tree with."""

    async def run(self, tree: TaskTree, /, *, config: TreeTaskConfig | None) -> ExecutionResult[Any]:
        return ExecutionResult(await AsyncExecutor(tree, config=config).run())

    def run_sync(self, tree: TaskTree, /, *, config: TreeTaskConfig | None) -> ExecutionResult[Any]:
        return ExecutionResult(run_sync(tree, config=config))
