"""Drives bodies that yield: makes nodes of the children that they yield, and resumes them when it is time.

What must stay true, on both event loops:
- Every resume of a generator happens in its node's own task, and its closing too.
- No scope that was opened here while the generator was suspended is still open when it is resumed. The user may hold a
  scope open around the yield, and scopes have to be left in order.
- Whatever is raised while a yield is served, cancellation included, is thrown in at that yield.
- Between catching and throwing nothing is awaited without a shield; a slot is taken again only when nothing was
  cancelled.
- Children belong to the run, never to the generator's task: else what the parent raises would reach it in a group.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Iterable
from contextvars import Context
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeGuard, cast

import anyio
import anyio.lowlevel

from treetask._errors import DependencyCycleError, TreeTaskError
from treetask.engine._group import Group, handle_of, is_allowed
from treetask.engine._step import FINISHED, calls, resume, yields
from treetask.engine._threads import Threads
from treetask.model import (
    JOIN,
    Child,
    KeepDone,
    OnFailure,
    Return,
    TaskFailed,
    TaskNode,
    TaskStatus,
)

if TYPE_CHECKING:
    from treetask.engine._run import Run
    from treetask.engine._workers import Worker


#: So many children may end as soon as they come in before others get their turn; they take about a millisecond.
ENDED_AT_ONCE: Final = 100


class SpawnError(TreeTaskError):
    """A yield where none may be: after `Return`, or while the body cleans up."""


class Ended(Exception):
    """A generator returned; `value` is what a sync one returned."""

    def __init__(self, value: object = None) -> None:
        self.value = value


class Steps(Protocol):
    """A generator of either kind, one step at a time. Both raise `Ended` at its end."""

    def send(self, value: object) -> Coroutine[Any, Any, Any]: ...
    def throw(self, error: BaseException) -> Coroutine[Any, Any, Any]: ...


class AsyncSteps:
    """An async generator, stepped on the loop in the body's context.

    A step does not end at a yield that `is_served` there and then.
    """

    def __init__(self, generator: Any, context: Context, is_served: Callable[[Any], bool] | None = None) -> None:
        self.result: Any = None
        self._generator = generator
        self._context = context
        self._calls = calls(self) if is_served is None else yields(self, generator, is_served)

    def send(self, value: object) -> Coroutine[Any, Any, Any]:
        return self._step(self._generator.asend, value)

    async def throw(self, error: BaseException) -> Any:
        if self._generator.ag_frame is None:
            # It has been closed. Throwing into it would do nothing, and look like one more yield.
            raise error
        return await self._step(self._generator.athrow, error)

    async def close(self) -> None:
        """End one that should have ended by itself."""
        await self._step(lambda generator: generator.aclose(), self._generator)

    async def _step(self, function: Callable[[Any], Any], argument: object) -> Any:
        # Called in the context as well: who notes that a generator is begun is told at this call.
        try:
            trap = self._context.run(self._calls.send, (function, argument))
            if trap is not FINISHED:
                await resume(self._context, self._calls, trap)
        except StopAsyncIteration:
            raise Ended from None
        return self.result


class ThreadSteps:
    """A generator whose every step is a call in some worker thread; suspended it holds none."""

    def __init__(self, generator: Any, context: Context, threads: Threads, cancelled: type[BaseException]) -> None:
        self._generator = generator
        self._context = context
        self._threads = threads
        self._cancelled = cancelled
        self._lock = Lock()
        self._is_stepping = False
        self._is_given_up = Event()

    def send(self, value: object) -> Coroutine[Any, Any, Any]:
        return self._step(self._generator.send, value)

    async def throw(self, error: BaseException) -> Any:
        if isinstance(error, self._cancelled):
            await self._close()
            raise error
        return await self._step(self._generator.throw, error)

    async def _step(self, function: Callable[[Any], Any], argument: object) -> Any:
        def step() -> tuple[bool, Any]:
            with self._lock:
                if self._is_given_up.is_set():
                    return True, None
                self._is_stepping = True
            try:
                return False, function(argument)
            except StopIteration as end:
                return True, end.value
            finally:
                with self._lock:
                    self._is_stepping = False
                    is_left_behind = self._is_given_up.is_set()
                if is_left_behind:
                    self._generator.close()

        try:
            is_over, value = await self._threads.call(self._context, step)
        except self._cancelled:
            with self._lock:
                self._is_given_up.set()
                is_left_behind = self._is_stepping
            if not is_left_behind:
                await self._close()
            raise
        if is_over:
            raise Ended(value)
        return value

    async def _close(self) -> None:
        """Run the `finally` blocks: plain code knows no cancellation. A step left behind in a thread does it there."""
        with anyio.CancelScope(shield=True):
            await self._threads.call(self._context, self._generator.close)


class Spawner:
    """One attempt of a yielding body."""

    def __init__(self, run: Run, worker: Worker, node: TaskNode) -> None:
        self._run: Final = run
        self._worker: Final = worker
        self._node: Final = node
        self._group: Final[Group] = run.scheduler.watch(node)
        self._is_parallel: Final = node.options.parallel
        #: Whether children may end as soon as they come in: back from an earlier attempt or run, or not selected.
        self._may_end_at_once = node in run.scheduler.left_over.of or run.tree.selection is not None
        #: How many did since others had their turn.
        self._ended_at_once = 0
        #: Whether a child comes in without any wait as long as few enough are unstarted, and whether it may still.
        self._places_quickly = self._is_parallel and not self._may_end_at_once
        self._max_queued: Final = node.options.max_queued
        #: Whether lists of children and of results are handed over; else nobody is to hold so many.
        self._keeps_done: Final = node.options.keep_done is KeepDone.ALL
        self._has_result = False
        self._has_refused = False
        self._result: object = None

    async def drive(self, steps: Steps) -> object:
        """Run the body to its end; return its result."""
        step = steps.send(None)
        while True:
            try:
                yielded = await step
            except Ended as end:
                return self._result if self._has_result else end.value
            try:
                step = steps.send(await self._serve(yielded))
            except BaseException as error:
                step = steps.throw(error)

    # -- serving a yield ---------------------------------------------------------------------------------------------

    def places_at_once(self, yielded: object) -> bool:
        """Make a node of a child that has to wait for nothing; return False for all that is left to `_serve`.

        Called in the context of the body, which goes on if this returns True.
        """
        group = self._group
        if (
            type(yielded) is not Child
            or not self._places_quickly
            or group.unstarted >= self._max_queued
            or group.stopping is not None
            or group.undelivered
        ):
            return False
        node = self._run.place(yielded, self._node)  # pyright: ignore[reportUnknownArgumentType]
        if node.is_done():
            # It was done in an earlier run, as the next ones may be: others have to get their turns.
            self._may_end_at_once, self._places_quickly = True, False
        return True

    async def _serve(self, yielded: object) -> object:
        if inspect.iscoroutine(yielded):
            yielded.close()
            name = yielded.__name__
            raise TypeError(f"'{self._node.id}': you yielded a call of '{name}'; write: yield {name}.child(...)")
        if self._group.stopping is not None:
            await self._refuse()
            raise SpawnError(f"'{self._node.id}' is being stopped: nothing may be yielded while it cleans up")
        if self._has_result:
            raise SpawnError(f"'{self._node.id}' yielded after Return: only clean-up may follow it")
        if isinstance(yielded, Return):
            self._has_result, self._result = True, cast("Return[object]", yielded).value
            self._places_quickly = False
            return None
        if yielded is JOIN or yielded is None:
            return await self._join()
        if _is_child(yielded):
            await self._place(yielded)
            return yielded
        if isinstance(yielded, Iterable) and not isinstance(yielded, (str, bytes, dict)):
            return await self._place_each(cast("Iterable[object]", yielded))
        raise TypeError(
            f"'{self._node.id}' yielded {yielded!r}; expected a child (task.child(...)), an iterable of children, JOIN "
            "or Return(value)"
        )

    async def _place_each(self, children: Iterable[object]) -> list[Child[Any]] | None:
        placed: list[Child[Any]] = []
        for each in children:
            child = await self._place_one_of(each)
            if self._keeps_done:
                placed.append(child)
        return placed if self._keeps_done else None

    async def _place_one_of(self, one: object) -> Child[Any]:
        if _is_child(one):
            await self._place(one)
            return one
        if inspect.iscoroutine(one):
            one.close()
        raise TypeError(f"'{self._node.id}' yielded an iterable with {one!r}; expected task.child(...) only")

    async def _place(self, child: Child[Any]) -> None:
        """Make a child a node: under a parallel parent once few enough are unstarted, else until its end."""
        self._raise_failures()
        if self._may_end_at_once:
            await self._take_turns()
        if not self._is_parallel:
            node = self._place_now(child)
            self._refuse_to_wait(node)
            end_wait = self._run.begin_wait(self._node, node, aside=False)
            try:
                await self._wait(lambda: node.status.is_terminal, lambda: [node])
            finally:
                if end_wait is not None:
                    end_wait()
            self._raise_failures()
            # One that was skipped has not failed: the sequence goes on, as one that is declared does.
            if node.status not in (TaskStatus.DONE, TaskStatus.SKIPPED) and not is_allowed(node):
                child.claimed = True
                raise TaskFailed(child)
            return
        limit = self._max_queued
        if self._group.unstarted >= limit:
            await self._wait(lambda: self._group.unstarted < limit, list)
            self._raise_failures()
        self._place_now(child)

    def _place_now(self, child: Child[Any]) -> TaskNode:
        node = self._run.place(child, self._node)
        if node.status.is_terminal:
            self._may_end_at_once = True
            self._ended_at_once += 1
        return node

    async def _take_turns(self) -> None:
        """Let others go ahead now and then: children that end at once keep the body waiting for nothing."""
        if self._ended_at_once >= ENDED_AT_ONCE:
            self._ended_at_once = 0
            await anyio.lowlevel.checkpoint()
            self._raise_failures()

    def _refuse_to_wait(self, node: TaskNode) -> None:
        """Raise for a child that would be waited for in vain; it goes no further."""
        try:
            self._run.scheduler.refuse_to_wait(self._node, node)
        except DependencyCycleError as error:
            self._run.stop_claimed([node], str(error))
            raise

    async def _join(self) -> list[object] | None:
        """Let the static children go ahead, wait for all; return the results of all that are done, if they are kept."""
        self._run.open_gate(self._node)
        await self._wait(lambda: self._group.is_down, self._live_children)
        self._raise_failures(OnFailure.CONTINUE)
        if not self._keeps_done:
            return None
        children = self._run.scheduler.left_over.asked_for(self._node)
        return [child.result for child in children if child.status is TaskStatus.DONE]

    def _live_children(self) -> list[TaskNode]:
        return [child for child in self._node._children if not child.status.is_terminal]

    def _raise_failures(self, *policies: OnFailure) -> None:
        """Raise the failures that the body has not heard of. Under "continue" it hears of them at a JOIN alone."""
        if not self._group.undelivered:
            return
        if self._run.scheduler.policy(self._node) is OnFailure.CONTINUE and OnFailure.CONTINUE not in policies:
            return
        failures = [handle_of(node) for node in self._group.claim_failures()]
        if failures:
            raise TaskFailed(failures[0], failures[1:])

    async def _wait(self, until: Callable[[], bool], on_behalf: Callable[[], list[TaskNode]]) -> None:
        """Wait without a slot. A cancellation by the body's own scope ends the children that it waited for first."""
        if until():
            return
        try:
            await self._worker.without_slot(self._sleep_or_stop(until))
        except BaseException:
            if self._group.stopping is None:
                children = [child for child in on_behalf() if not child.options.always]
                self._run.stop_claimed(children, f"cancelled by the body of '{self._node.id}'")
                with anyio.CancelScope(shield=True):
                    await self._sleep(lambda: all(child.status.is_terminal for child in children))
            raise

    async def _sleep_or_stop(self, until: Callable[[], bool]) -> None:
        await self._sleep(until)
        await self._stop_here()

    async def _stop_here(self) -> None:
        """Take the cancellation of a body that is being stopped, once its children are down; it comes last to it."""
        if self._group.stopping is not None:
            await self._sleep(lambda: self._group.is_down)
            await anyio.lowlevel.checkpoint()

    async def _refuse(self) -> None:
        """Let a body that is being stopped hear of it by its cancellation, unless it has that and cleans up.

        One that answers each refusal by a further yield gets it again, and the loop its turn.
        """
        if not self._worker.interrupted or self._has_refused:
            await self._worker.without_slot(self._stop_here())
        self._has_refused = True

    async def _sleep(self, until: Callable[[], bool]) -> None:
        def look() -> None:
            if until():
                woken.set()
                # Until the body has its turn nobody needs to look again.
                self._group.watch = None

        try:
            while not until():
                woken = anyio.Event()
                self._group.watch = look
                await woken.wait()
        finally:
            self._group.watch = None


def _is_child(value: object) -> TypeGuard[Child[Any]]:
    return isinstance(value, Child)


def place_child(child: Child[Any], parent: TaskNode) -> TaskNode:
    """Return the node that a child becomes under a parent, in no tree yet. Raises what its yield raises."""
    if child._node is not None:
        raise SpawnError(f"child '{child._node.id}' was started before; make a second one with .child(...)")
    # A property takes as long as all that is done here, before Python 3.12.
    key = child._key or child._named()
    return child.template.make_node(child, f"{parent.id}/{key}")
