"""Runs trees for declarations, which are on a floor below and get this handed in."""

from __future__ import annotations

from os import PathLike
from typing import Any, Protocol

from treetask.abc import RunStore
from treetask.engine._executor import AsyncExecutor
from treetask.engine._main_thread import run_sync
from treetask.model import ExecutionResult, TaskTree, TreeTaskConfig


class HowToRun(Protocol):
    """What a caller of `run` says of how to run."""

    @property
    def config(self) -> TreeTaskConfig | None:
        """What replaces the tree's own."""
        ...

    @property
    def store(self) -> RunStore | str | PathLike[str] | None:
        """Where the run is recorded."""
        ...


class EngineRunner:
    """What `Registry.run` and its like run a tree with."""

    async def run(self, tree: TaskTree, how: HowToRun, /) -> ExecutionResult[Any]:
        return ExecutionResult(await AsyncExecutor(tree, config=how.config, store=how.store).run())

    def run_sync(self, tree: TaskTree, how: HowToRun, /) -> ExecutionResult[Any]:
        return ExecutionResult(run_sync(tree, config=how.config, store=how.store))
