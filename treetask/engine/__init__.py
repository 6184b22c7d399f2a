"""Runs a tree: a pure scheduler that says what is ready, and an executor that obeys it on anyio."""

from treetask.engine._executor import AsyncExecutor
from treetask.engine._main_thread import Interrupted, run_in_main, run_sync
from treetask.engine._runner import EngineRunner
from treetask.engine._spawner import SpawnError
from treetask.engine._threads import BusyThreads, busy_threads

__all__ = [
    "AsyncExecutor",
    "BusyThreads",
    "EngineRunner",
    "Interrupted",
    "SpawnError",
    "busy_threads",
    "run_in_main",
    "run_sync",
]
