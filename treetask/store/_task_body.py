"""The body of a task in a run: calls its executor with inputs and results of others, and takes its result as JSON.

To the engine it is a function like any other, of the kind that the executor is. What it hands back is what the store
will give back, so that a dependent sees the same now and after a restart.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from typing import Any, Final, NamedTuple, cast

import anyio.to_thread

from treetask.dsl import LateBody
from treetask.model import BodyKind, Openable, OpensFirst, Return, TaskNode
from treetask.store._executors import arguments_of
from treetask.store._json_text import is_small, json_text
from treetask.store._task import TaskState
from treetask.store._tree_node import TaskTreeNode


class Source(NamedTuple):
    """A task that another one depends on."""

    place: TaskTreeNode
    #: The input that its result becomes.
    name: str
    is_required: bool
    #: Whether it is a folder around the dependent: it has no body to wait for.
    is_around: bool


class TaskBody:
    """The body of one task, with an executor."""

    __slots__ = ("_body", "_place", "_sources", "kind", "text")

    def __init__(self, place: TaskTreeNode, body: LateBody, sources: Sequence[Source]) -> None:
        self._place: Final = place
        self._body: Final = body
        self._sources: Final = sources
        #: How the engine has to drive it.
        self.kind: Final = body.kind
        #: The result as JSON, once there is one.
        self.text: str | None = None

    def __call__(self, node: TaskNode) -> Any:
        self.text = None  # of an earlier attempt
        return _WAYS[self.kind](self, node)

    def _call(self, node: TaskNode) -> Any:
        task = self._place.task
        results = {source.name: result for source in self._sources for result in _results(source)}
        return self._body.call(node, arguments_of(self._body, str(task), task.inputs, results))

    async def _in_loop(self, node: TaskNode) -> Any:
        return await self._taken(await self._call(node))

    def _in_thread(self, node: TaskNode) -> Any:
        result = self._call(node)
        return self._taken_later(result) if hasattr(result, "__await__") else self._keep(result)

    async def _steps(self, node: TaskNode) -> AsyncGenerator[Any, Any]:
        """What its generator does, with another result. Nothing of its own may stay open across a yield."""
        generator = self._call(node)
        try:
            yielded = await generator.__anext__()
            while True:
                returned = _returned(yielded)
                if returned is not None:
                    yielded = Return(await self._taken(returned.value))
                try:
                    answer = yield yielded
                except GeneratorExit:
                    raise
                except BaseException as error:  # noqa: BLE001 - whatever it is, the body may catch it
                    yielded = await generator.athrow(error)
                else:
                    yielded = await generator.asend(answer)
        except StopAsyncIteration:
            return
        finally:
            await generator.aclose()

    def _thread_steps(self, node: TaskNode) -> Generator[Any, Any, Any]:
        generator = self._call(node)
        try:
            yielded = next(generator)
            while True:
                returned = _returned(yielded)
                if returned is not None:
                    yielded = Return(self._keep(returned.value))
                try:
                    answer = yield yielded
                except GeneratorExit:
                    raise
                except BaseException as error:  # noqa: BLE001 - whatever it is, the body may catch it
                    yielded = generator.throw(error)
                else:
                    yielded = generator.send(answer)
        except StopIteration as end:
            return self._keep(end.value) if self.text is None or end.value is not None else None
        finally:
            generator.close()

    async def _taken(self, result: object) -> Any:
        return self._keep(result) if is_small(result) else await anyio.to_thread.run_sync(self._keep, result)

    async def _taken_later(self, result: Any) -> Any:
        return await self._taken(await result)

    def _keep(self, result: object) -> Any:
        self.text = json_text(result, str(self._place.task), "its result")
        return json.loads(self.text)


class OpeningTaskBody(TaskBody, OpensFirst):
    """One whose executor takes resources."""

    __slots__ = ("_resources",)

    def __init__(self, place: TaskTreeNode, body: LateBody, sources: Sequence[Source]) -> None:
        super().__init__(place, body, sources)
        self._resources: Final = _resources(place, body, sources)

    @property
    def resources(self) -> tuple[Openable, ...]:
        return self._resources


def task_body(place: TaskTreeNode, body: LateBody, sources: Sequence[Source]) -> TaskBody:
    """Return the body of a task."""
    shape = OpeningTaskBody if _resources(place, body, sources) else TaskBody
    return shape(place, body, sources)


class FixedBody:
    """The body of a task that does not run: one that was completed before, or, with an error, one that cannot begin."""

    __slots__ = ("_error", "kind")

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error
        self.kind: Final = BodyKind.ASYNC

    async def __call__(self, _node: TaskNode) -> None:
        if self._error is not None:
            raise self._error


def _returned(yielded: object) -> Return[Any] | None:
    return cast("Any", yielded) if isinstance(yielded, Return) else None


def _results(source: Source) -> Sequence[object]:
    """Return the result of a task, if there is one to be had: of one that need not be completed there may be none."""
    if source.is_around:
        return [None]
    return [source.place.task.result] if source.place.task.status is TaskState.COMPLETED else []


def _resources(place: TaskTreeNode, body: LateBody, sources: Sequence[Source]) -> tuple[Openable, ...]:
    return body.resources(frozenset(place.task.inputs) | {source.name for source in sources})


_WAYS: Final[dict[BodyKind, Callable[[TaskBody, TaskNode], Any]]] = {
    BodyKind.ASYNC: TaskBody._in_loop,
    BodyKind.SPAWNER: TaskBody._steps,
    BodyKind.THREAD: TaskBody._in_thread,
    BodyKind.THREAD_SPAWNER: TaskBody._thread_steps,
}
