"""Runs a pipeline for a test: in virtual time, with everything that happened kept, and an end whatever came of it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, Final, overload

import anyio
from typing_extensions import TypeVar

from treetask.builder import TreeBuilder
from treetask.dsl import Registry, Task
from treetask.engine import AsyncExecutor
from treetask.model import ExecutionResult, TaskTree, TreeCancelled, TreeFailed, TreeTaskConfig
from treetask.testing._recorder import Recorder
from treetask.testing._virtual_clock import VirtualClock, VirtualClockError

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True, default=Any)


class RecordedResult(ExecutionResult[R_co]):
    """The result of a run, good or bad, with the events of it."""

    def __init__(self, tree: TaskTree, recorder: Recorder, failure: TreeFailed | TreeCancelled | None) -> None:
        super().__init__(tree)
        #: What happened, in order: `result.recorder.starts`, `result.recorder.statuses("root/fetch")`.
        self.recorder: Final = recorder
        #: What `run` would have raised.
        self.failure: Final = failure


class TreeTaskRun:
    """Runs pipelines in tests, on the virtual clock: the fixture `treetask_run`.

        def test_nightly(treetask_run: TreeTaskRun) -> None:
            result = treetask_run(nightly, env="prod")
            assert result.success

    A registry takes the parameters of its pipeline, a group or task its own arguments too, as `run` does; a tree and a
    builder take none. In a test that is an `async def`, write `await treetask_run.async_(...)`.

    What fails does not raise: see `RecordedResult.failure`. What is refused before the run raises, as everywhere.
    """

    def __init__(
        self, clock: VirtualClock, *, backend: str = "asyncio", backend_options: Mapping[str, Any] | None = None
    ) -> None:
        self._clock: Final = clock
        self._backend: Final = backend
        self._options: Final = dict(backend_options or {})

    @overload
    def __call__(
        self, tree: Registry, /, *, config: TreeTaskConfig | None = None, **params: object
    ) -> RecordedResult[None]: ...
    @overload
    def __call__(
        self, task: Task[..., R], /, *args: object, config: TreeTaskConfig | None = None, **kwargs: object
    ) -> RecordedResult[R]: ...
    @overload
    def __call__(
        self, tree: TaskTree | TreeBuilder, /, *, config: TreeTaskConfig | None = None
    ) -> RecordedResult[Any]: ...
    def __call__(self, target: Any, /, *args: object, **kwargs: Any) -> RecordedResult[Any]:
        """Run it on an event loop of its own and return what came of it."""
        if self._clock.is_in_charge:
            raise VirtualClockError(
                "treetask_run(...) starts an event loop of its own, and one is running; "
                "write: await treetask_run.async_(...)"
            )
        run = functools.partial(self.async_, target, *args, **kwargs)
        return anyio.run(run, backend=self._backend, backend_options=self._options)

    @overload
    async def async_(
        self, tree: Registry, /, *, config: TreeTaskConfig | None = None, **params: object
    ) -> RecordedResult[None]: ...
    @overload
    async def async_(
        self, task: Task[..., R], /, *args: object, config: TreeTaskConfig | None = None, **kwargs: object
    ) -> RecordedResult[R]: ...
    @overload
    async def async_(
        self, tree: TaskTree | TreeBuilder, /, *, config: TreeTaskConfig | None = None
    ) -> RecordedResult[Any]: ...
    async def async_(self, target: Any, /, *args: object, **kwargs: Any) -> RecordedResult[Any]:
        """Do the same on the event loop that is running."""
        tree = _tree_of(target, args, kwargs)
        recorder = Recorder()
        executor = AsyncExecutor(tree, config=kwargs.get("config"))
        executor.subscribe(recorder)
        failure: TreeFailed | TreeCancelled | None = None
        with nullcontext() if self._clock.is_in_charge else self._clock:
            try:
                await executor.run()
            except (TreeFailed, TreeCancelled) as error:
                failure = error
        return RecordedResult(tree, recorder, failure)


def _tree_of(target: object, args: tuple[object, ...], kwargs: dict[str, Any]) -> TaskTree:
    """Return the tree that is meant, and refuse arguments that nothing takes."""
    if isinstance(target, Task):
        return target.build(*args, **kwargs)
    if not isinstance(target, (Registry, TaskTree, TreeBuilder)):
        raise TypeError(f"treetask_run: {target!r} is no Registry, task, group, TaskTree or TreeBuilder")
    given = args if isinstance(target, Registry) else (*args, *(name for name in kwargs if name != "config"))
    if given:
        raise TypeError(f"treetask_run: was given {given[0]!r}, which no {type(target).__name__} takes")
    if isinstance(target, Registry):
        return target.build(**kwargs)
    return target if isinstance(target, TaskTree) else target.build()
