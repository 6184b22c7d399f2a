"""Runs a tree: a pure scheduler that says what is ready, and an executor that obeys it on anyio."""

from treetask.engine._executor import AsyncExecutor
from treetask.engine._main_thread import Interrupted, run_in_main, run_sync
from treetask.engine._runner import EngineRunner
from treetask.engine._spawner import SpawnError

__all__ = ["AsyncExecutor", "EngineRunner", "Interrupted", "SpawnError", "run_in_main", "run_sync"]
