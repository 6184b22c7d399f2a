"""TreeTask: decorated async functions, compiled to a tree of tasks, run with structured concurrency, shown live.

The map of the package, floor by floor; a module imports from lower floors and its own package only:

    cli, __main__      python -m treetask module:pipeline
    testing            a virtual clock, a recorder, a terminal that keeps frames
    display            what a person sees: renderer, live region, plain lines
    engine             a pure scheduler, and the executor that obeys it on anyio
    dsl                @tree.task, @tree.group: declarations, compiled through the builder
    builder, abc       building a tree directly; what users plug in
    model              nodes, trees, statuses, counters, edges, events: no event loop, no clock, no I/O
    _errors, _clock    the roots of errors and of time

The names below are loaded when they are first used, so that a program pays for what it uses.
"""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import TYPE_CHECKING
from typing import Any as _Any

if TYPE_CHECKING:
    from os import PathLike

    from treetask._errors import (
        DefinitionError,
        DependencyCycleError,
        DuplicateNodeError,
        FinishedParentError,
        InternalError,
        LeakedScopeError,
        NodeOwnedError,
        NothingSelectedError,
        ResourceError,
        RunTimeoutError,
        StatusError,
        StrayCancellationError,
        TreeRunningError,
        TreeTaskError,
        UnknownDependencyError,
    )
    from treetask.abc import RunStore
    from treetask.builder import TreeBuilder
    from treetask.display import LiveDisplay, TreeRenderer
    from treetask.dsl import (
        AsyncTask,
        BodyError,
        Group,
        HowToRun,
        MisplacedDependencyError,
        Params,
        Registry,
        Resource,
        SyncTask,
        Task,
    )
    from treetask.engine import AsyncExecutor, EngineRunner, ProcessFailed, SpawnError
    from treetask.model import (
        JOIN,
        Child,
        DuplicateChildError,
        Event,
        ExecutionResult,
        KeepDone,
        Limit,
        LogExtended,
        NodeAdded,
        NodeRemoved,
        NoResultError,
        OnFailure,
        OptionalDependency,
        Outcome,
        ProcessResult,
        ProgressChanged,
        Retry,
        Return,
        RunEnded,
        RunStarted,
        Secret,
        Spawns,
        StatusChanged,
        SyncSpawns,
        TaskFailed,
        TaskNode,
        TaskStatus,
        TaskTree,
        TreeCancelled,
        TreeFailed,
        TreeTaskConfig,
        UnkeyedArgumentError,
        UnplacedChildError,
        optional,
    )

    __version__: str

__all__ = [
    "JOIN",
    "AsyncExecutor",
    "AsyncTask",
    "BodyError",
    "Child",
    "DefinitionError",
    "DependencyCycleError",
    "DuplicateChildError",
    "DuplicateNodeError",
    "Event",
    "ExecutionResult",
    "FinishedParentError",
    "Group",
    "InternalError",
    "KeepDone",
    "LeakedScopeError",
    "Limit",
    "LiveDisplay",
    "LogExtended",
    "MisplacedDependencyError",
    "NoResultError",
    "NodeAdded",
    "NodeOwnedError",
    "NodeRemoved",
    "NothingSelectedError",
    "OnFailure",
    "OptionalDependency",
    "Outcome",
    "Params",
    "ProcessFailed",
    "ProcessResult",
    "ProgressChanged",
    "Registry",
    "Resource",
    "ResourceError",
    "Retry",
    "Return",
    "RunEnded",
    "RunStarted",
    "RunTimeoutError",
    "Secret",
    "SpawnError",
    "Spawns",
    "StatusChanged",
    "StatusError",
    "StrayCancellationError",
    "SyncSpawns",
    "SyncTask",
    "Task",
    "TaskFailed",
    "TaskNode",
    "TaskStatus",
    "TaskTree",
    "TreeBuilder",
    "TreeCancelled",
    "TreeFailed",
    "TreeRenderer",
    "TreeRunningError",
    "TreeTaskConfig",
    "TreeTaskError",
    "UnkeyedArgumentError",
    "UnknownDependencyError",
    "UnplacedChildError",
    "__version__",
    "optional",
]

# Which part of the package has which names; all others are the model's.
_HOMES = {
    "treetask._errors": (
        "DefinitionError DependencyCycleError DuplicateNodeError FinishedParentError InternalError LeakedScopeError "
        "NodeOwnedError NothingSelectedError ResourceError RunTimeoutError StatusError StrayCancellationError "
        "TreeRunningError TreeTaskError UnknownDependencyError"
    ),
    "treetask.builder": "TreeBuilder",
    "treetask.display": "LiveDisplay TreeRenderer",
    "treetask.dsl": "AsyncTask BodyError Group MisplacedDependencyError Params Registry Resource SyncTask Task",
    "treetask.engine": "AsyncExecutor ProcessFailed SpawnError",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> _Any:  # noqa: ANN401 - whatever the name stands for
    if name == "__version__":
        from importlib.metadata import version

        value: _Any = version("treetask")
    elif name in __all__:
        home = _HOME.get(name, "treetask.model")
        value = getattr(_import_module(home), name)
        if home == "treetask.dsl":
            _hand_in_the_engine()
        elif home == "treetask.engine":
            _hand_in_the_stores()
    else:
        raise AttributeError(f"module 'treetask' has no attribute '{name}'")
    globals()[name] = value
    return value


def _hand_in_the_engine() -> None:
    """Let declarations run: they stand on a lower floor than what runs them."""
    from treetask.dsl import install_runner

    class Engine:
        """Loads the engine when a declaration is first run."""

        async def run(self, tree: TaskTree, how: HowToRun, /) -> ExecutionResult[_Any]:
            return await self._runner().run(tree, how)

        def run_sync(self, tree: TaskTree, how: HowToRun, /) -> ExecutionResult[_Any]:
            return self._runner().run_sync(tree, how)

        @staticmethod
        def _runner() -> EngineRunner:
            from treetask.engine import EngineRunner

            _hand_in_the_stores()
            return EngineRunner()

    install_runner(Engine())


def _hand_in_the_stores() -> None:
    """Let runs be recorded: stores stand on a higher floor than what runs trees."""
    from treetask.engine import install_stores

    def opened(place: str | PathLike[str]) -> RunStore:
        from treetask.store import RunsIn

        return RunsIn(place)

    install_stores(opened)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
