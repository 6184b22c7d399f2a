"""Runs a tree: a pure scheduler that says what is ready, and an executor that obeys it on anyio.

Where to look, pure modules first:

    a node becomes ready        `_scheduler` (its parent lets it go), `_endings` (what it depends on has ended)
    who gets a slot             `_slots` (`take`, `want`), with `_queue`; limits and places: `_gates`
    how a node ends             `_endings`; another attempt: `_repeat`, `_anew`
    who waits for ever          `_deadlocks`
    one run                     `_run` is the world to the scheduler, and the engine to the tree
    bodies are driven           `_workers`; those that yield: `_spawner`; in threads: `_threads`
    observers are told          `_observers`; ends are put on record first: `_recording`, `_uninterrupted`
    Ctrl-C                      `_main_thread`; what takes too long to end: `_grace`
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from treetask.engine._executor import AsyncExecutor
from treetask.engine._main_thread import Interrupted, run_in_main, run_sync
from treetask.engine._runner import EngineRunner
from treetask.engine._spawner import SpawnError
from treetask.engine._step import body_ends, current_node
from treetask.engine._stores import install_stores
from treetask.engine._threads import BusyThreads, busy_threads
from treetask.engine._uninterrupted import uninterrupted

if _TYPE_CHECKING:
    from treetask.engine._process import ProcessFailed
else:

    def __getattr__(name: str) -> object:
        """Load what only bodies that run processes need, when they do."""
        if name == "ProcessFailed":
            from treetask.engine._process import ProcessFailed

            return ProcessFailed
        raise AttributeError(f"module 'treetask.engine' has no attribute '{name}'")


__all__ = [
    "AsyncExecutor",
    "BusyThreads",
    "EngineRunner",
    "Interrupted",
    "ProcessFailed",
    "SpawnError",
    "body_ends",
    "busy_threads",
    "current_node",
    "install_stores",
    "run_in_main",
    "run_sync",
    "uninterrupted",
]
