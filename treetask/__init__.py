"""TreeTask: decorated async functions, compiled to a tree of tasks, run with structured concurrency, shown live.

The map of the package, floor by floor; a module imports from lower floors and its own package only:

    cli, __main__      python -m treetask module:pipeline
    testing            a virtual clock, a recorder, pytest fixtures
    display            what a person sees: renderer, live region, plain lines
    engine             a pure scheduler, and the executor that obeys it on anyio
    dsl                @tree.task, @tree.group: declarations, compiled through the builder
    builder, abc       building a tree directly; what users plug in
    model              nodes, trees, statuses, counters, edges, events: no event loop, no clock, no I/O
    _errors, _clock    the roots of errors and of time
"""

from __future__ import annotations

from treetask._errors import (
    DefinitionError,
    DependencyCycleError,
    DuplicateNodeError,
    FinishedParentError,
    InternalError,
    NodeOwnedError,
    StatusError,
    TreeRunningError,
    TreeTaskError,
    UnknownDependencyError,
)
from treetask.builder import TreeBuilder
from treetask.model import (
    JOIN,
    Child,
    Event,
    ExecutionResult,
    OnFailure,
    Return,
    Spawns,
    SyncSpawns,
    TaskFailed,
    TaskNode,
    TaskStatus,
    TaskTree,
    TreeCancelled,
    TreeFailed,
    TreeTaskConfig,
)

__all__ = [
    "JOIN",
    "Child",
    "DefinitionError",
    "DependencyCycleError",
    "DuplicateNodeError",
    "Event",
    "ExecutionResult",
    "FinishedParentError",
    "InternalError",
    "NodeOwnedError",
    "OnFailure",
    "Return",
    "Spawns",
    "StatusError",
    "SyncSpawns",
    "TaskFailed",
    "TaskNode",
    "TaskStatus",
    "TaskTree",
    "TreeBuilder",
    "TreeCancelled",
    "TreeFailed",
    "TreeRunningError",
    "TreeTaskConfig",
    "TreeTaskError",
    "UnknownDependencyError",
]
