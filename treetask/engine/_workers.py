"""Runs bodies in an adaptive set of workers, so that a node costs no task of its own unless its body really waits.

A worker is a task that takes ready nodes one after another. Before a body starts, while more is ready, one spare worker
is asked for; it gets its turn only when the first one waits. So bodies that await nothing share one task, no body waits
for another, and what is limited is slots, never workers.

What must stay true:
- A worker's scope is shielded, opened before the body and closed after it. It is the body's scope, too: its deadline is
  the body's timeout, its cancellation interrupts the body. One that was cancelled is not used again, nor is its worker.
- The deadline is cleared before `cancel_called` is read, else a body that returned in time is taken for a late one.
- One stamp for all workers says when this turn of the loop began. A worker that finds it old hands over to a spare,
  which runs in a later turn: with a stamp for each, a hundred workers that wake together would starve the loop.
- After each body the task has to be as it was before. If not, the node fails, and the worker is retired without leaving
  its scope, since something else is innermost now.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextvars import copy_context
from typing import Any, Final, cast

import anyio

from treetask._errors import InternalError, LeakedScopeError, StrayCancellationError, words_of
from treetask.engine._bounds import Bound
from treetask.engine._failures import real_error, without_engine_frames
from treetask.engine._gates import LimitGate
from treetask.engine._generators import OpenGenerators
from treetask.engine._loop import Loop, Post
from treetask.engine._observers import Announcer
from treetask.engine._returned import UNFINISHED, refuse
from treetask.engine._scheduler import Scheduler
from treetask.engine._step import FINISHED, bodies, body_ends, note_body_end, resume
from treetask.model import BodyKind, TaskFailed, TaskNode, TaskStatus

_logger: Final = logging.getLogger("treetask")

#: Seconds of a turn of the loop after which no further body is begun in it; displays and other tasks get their turn.
TURN: Final = 0.005

_ASYNC: Final = BodyKind.ASYNC
_SPAWNERS: Final = frozenset({BodyKind.SPAWNER, BodyKind.THREAD_SPAWNER})


class Worker(Post):
    """One task that runs bodies, and the seat of the body that it runs now."""

    __slots__ = (
        "_crew",
        "bound",
        "granted",
        "holds_slot",
        "is_fit",
        "kind",
        "node",
        "result",
        "stopped_at",
        "waits",
    )

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self.node: TaskNode | None = None
        self.kind = _ASYNC
        #: What the last body returned.
        self.result: Any = None
        #: Until when the body's attempt may last; None where that is not bounded.
        self.bound: Bound | None = None
        #: Whether it may run a further body: its task is as it was before the last one, its scope was not cancelled.
        self.is_fit = True
        #: When the body was stopped from outside, which is not its own failure; infinity if it was not.
        self.stopped_at = math.inf
        self.holds_slot = True
        #: In how many tasks the body waits for children.
        self.waits = 0
        #: Set when the body, after a wait, has its slot again; None while nobody waits for that.
        self.granted: anyio.Event | None = None

    def interrupt(self, at: float) -> None:
        self.stopped_at = min(self.stopped_at, at)
        self.is_fit = False
        self.scope.cancel()

    @property
    def interrupted(self) -> bool:
        """Whether the body was stopped from outside."""
        return self.stopped_at < math.inf

    @property
    def stops_at(self) -> float:
        """When the body was told to end, or will be; infinity if it may take its time."""
        return self.stopped_at if self.bound is None else min(self.stopped_at, self.bound.at)

    async def without_slot(self, wait: Awaitable[None]) -> None:
        """Wait for children, and hold no slot meanwhile.

        A body may wait in several of its tasks. As long as it waits in one, it holds no slot, whatever its others do:
        what they wait for may need that very slot.
        """
        node = self.node
        assert node is not None
        self.waits += 1
        if self.holds_slot:
            self.holds_slot = False
            self._crew.scheduler.slots.suspend(node, self.kind)
            self._crew.wake()
        elif self.granted is not None:
            self._give_up_wish(node)
        try:
            await wait
        finally:
            if self.node is node and self.waits:
                self.waits -= 1
        if self.node is node and not self.waits and not self.holds_slot:
            await self._retake_slot(node)

    async def _retake_slot(self, node: TaskNode) -> None:
        granted = self.granted = anyio.Event()
        self._crew.scheduler.slots.want(node, self.kind)
        try:
            if not granted.is_set():
                await granted.wait()
        except BaseException:
            # Cancelled: the body goes on without a slot, to clean up.
            if self.granted is granted:
                self._give_up_wish(node)
            raise

    def _give_up_wish(self, node: TaskNode) -> None:
        """Let the task that waits for the slot go on without it."""
        assert self.granted is not None
        self._crew.scheduler.slots.forget_wish(node)
        self.granted.set()
        self.granted = None

    def grant_slot(self) -> None:
        self.holds_slot = True
        if self.granted is not None:
            self.granted.set()
            self.granted = None


class Crew:
    """The workers of one run."""

    def __init__(
        self,
        loop: Loop,
        scheduler: Scheduler,
        announcer: Announcer,
        *,
        default_timeout: float | None,
        drive: Callable[[Worker], Coroutine[Any, Any, Any]],
        limit_group: Callable[[TaskNode, Bound], None],
        on_bound: Callable[[float], None],
        on_end: Callable[[BaseException | None], None],
    ) -> None:
        self.scheduler: Final = scheduler
        #: The calls in threads that were abandoned and have not returned, each with the limits that it keeps.
        self.abandoned: Final[dict[object, Sequence[LimitGate]]] = {}
        #: What a body raised that is no Exception.
        self.fatal: BaseException | None = None
        self._loop: Final = loop
        # One bound method for all workers, of which there may be as many as there are bodies.
        self._is_intact: Final = loop.is_intact
        self._announcer: Final = announcer
        self._default_timeout: Final = default_timeout
        self._drive: Final = drive
        self._limit_group: Final = limit_group
        self._on_bound: Final = on_bound
        self._on_end: Final = on_end
        #: What a body's own context is a copy of: the one that the run was started in.
        self.context: Final = copy_context()
        self._workers = 0
        self.generators: Final = OpenGenerators()
        self.has_spare = False
        self._turn_began = 0.0

    def wake(self) -> None:
        """Ask for a worker, if there is something to start and none was asked for.

        What is left in the queue at the end of a run is stale, and whoever still calls then finds no place for a task.
        """
        if not self.has_spare and self.scheduler.slots.can_start_more() and not self.scheduler.is_over:
            self._ask_for_spare()

    def _ask_for_spare(self) -> None:
        self.has_spare = True
        self._workers += 1
        # A task starts with a copy of the context that it is made in, and this may be called by a body.
        self.context.copy().run(self._loop.start, self._work)

    async def _work(self) -> None:  # noqa: C901, PLR0912, PLR0915 - one loop, one coroutine: the hot path
        """Take nodes and run their bodies until there is nothing to take, or this turn of the loop has lasted long."""
        worker = self._enter()
        crash: BaseException | None = None
        scheduler, announcer, now = self.scheduler, self._announcer, self._loop.now
        slots, is_intact, generators = scheduler.slots, self._is_intact, self.generators.of
        has_bounds = self._default_timeout is not None
        steps = bodies(worker)
        step, at = steps.send, self._turn_began
        try:
            while worker.is_fit:
                if at - self._turn_began > TURN:
                    break
                node = scheduler.take(at)
                if node is None:
                    break
                if not self.has_spare and slots.can_start_more():
                    self._ask_for_spare()
                worker.node = node
                worker.kind = kind = slots.taken_kind
                node._attempt = worker
                if announcer.pending:
                    announcer.tell()
                if has_bounds or node.options.is_timed:
                    self._note_begin(worker)
                try:
                    if kind is _ASYNC:
                        context = self.context.copy()
                        trap = context.run(step, node)
                        if trap is not FINISHED:
                            await resume(context, steps, trap)
                        result = worker.result
                    else:
                        result = await self._drive(worker)
                    if not is_intact(worker) and not worker.scope.cancel_called:
                        raise LeakedScopeError(node.id)
                    if generators and node in generators:
                        await self.generators.close(node, shield=True)
                    if body_ends:
                        note_body_end(node)
                    if result is not None:
                        if type(result) in UNFINISHED:
                            refuse(node, result)
                        _note_data(node, result)
                except BaseException as error:
                    at = await self._body_failed(worker, error)
                    steps = bodies(worker)
                    step = steps.send
                else:
                    at = now()
                    node._attempt = None
                    if worker.bound is not None:
                        self._clear_bound(worker, at)
                    if result is not None or node.retry_count:
                        _note_success(node, result)
                    if not worker.holds_slot:
                        self._settle_slot(worker)
                    scheduler.body_done(node, kind, at)
                if announcer.pending:
                    announcer.tell()
        except BaseException as error:
            crash = error
        self._leave(worker, crash)

    def _enter(self) -> Worker:
        self.has_spare = False
        self._turn_began = self._loop.now()
        worker = Worker(self)
        self._loop.occupy(worker)
        return worker

    def _leave(self, worker: Worker, crash: BaseException | None) -> None:
        if self._loop.is_innermost(worker):
            worker.scope.__exit__(None, None, None)
        self._workers -= 1
        self.wake()
        if crash is not None or self.scheduler.is_over:
            self._on_end(crash)
        elif not self._workers and not self.abandoned and self.scheduler.is_stuck():
            left = [node for node in self.scheduler.tree.walk() if not node.is_done()]
            self._on_end(InternalError(f"nothing runs and nothing is ready, but these have not ended: {left[:5]}"))
        self._loop.leave()

    def _note_begin(self, worker: Worker) -> None:
        """Bound an attempt that begins, and count it as a start."""
        node, at = worker.node, self._loop.now()
        assert node is not None
        self.scheduler.slots.begun(node, at)
        bound = self.scheduler.bound(node, at)
        if bound is not None:
            self.bound(node, bound)

    def bound(self, node: TaskNode, bound: Bound) -> None:
        """Bound an attempt: by the worker's scope where there is only a body, by a timer where children go first."""
        worker: Worker | None = node._attempt
        if worker is None or node._group is not None or worker.kind in _SPAWNERS:
            self._limit_group(node, bound)
        elif worker.bound is None or bound < worker.bound:
            worker.bound = bound
            worker.scope.deadline = bound.at
            self._on_bound(bound.at)

    def _clear_bound(self, worker: Worker, at: float) -> None:
        """Stop the clock of a body that is over; go on with that of its children, if it has added some."""
        worker.scope.deadline = math.inf
        node, bound = worker.node, worker.bound
        if node is not None and node._group is not None and bound is not None:
            if at < bound.at:
                self._limit_group(node, bound)
            else:
                # At once, before they are let go ahead: until a timer is called, some might begin, or even be done.
                self.scheduler.expire(node, at, bound.error)
        worker.bound = None
        if worker.scope.cancel_called:
            worker.is_fit = False

    def _settle_slot(self, worker: Worker) -> None:
        """Balance the books of a body that ends without the slot which its end gives back."""
        worker.holds_slot = True
        worker.waits = 0
        self.scheduler.slots.seize(worker.kind)

    async def _body_failed(self, worker: Worker, raised: BaseException) -> float:
        """Report a body that raised, was interrupted or ran out of time; return when that was."""
        bound, worker.bound = worker.bound, None
        worker.scope.deadline = math.inf
        node = worker.node
        assert node is not None
        if node in self.generators.of:
            if worker.scope.cancel_called:
                worker.bound = bound  # what is open may take its time though it was told to end
            raised = await self._close_generators(worker, node) or raised
            worker.bound = None
        note_body_end(node)
        is_intact = self._loop.is_intact(worker)
        worker.is_fit = is_intact and not worker.scope.cancel_called
        error = real_error(raised, self._loop.cancelled)
        status = TaskStatus.FAILED
        if error is None:
            if worker.interrupted:
                status = TaskStatus.CANCELLED
            elif worker.scope.cancel_called:
                status = TaskStatus.TIMED_OUT
                error = TimeoutError(f"'{node.id}' timed out" if bound is None else bound.error)
            elif is_intact:
                error = StrayCancellationError(node.id)
            else:
                error = LeakedScopeError(node.id)
        if error is not None:
            if isinstance(error, TaskFailed):
                for child in (error.child, *error.others):
                    child.claimed = False
            node.exception = without_engine_frames(error)
            node.error = words_of(error)
        node._attempt = None
        if not worker.holds_slot:
            self._settle_slot(worker)
        at = self._loop.now()
        is_fatal = error is not None and not isinstance(error, Exception)
        self.scheduler.body_failed(node, worker.kind, at, status, final=worker.interrupted or is_fatal)
        if error is not None and is_fatal:
            self._on_fatal(error, at)
        return at

    async def _close_generators(self, worker: Worker, node: TaskNode) -> BaseException | None:
        """Close what a body that failed left open; return what goes before its own failure, as KeyboardInterrupt does.

        A cancellation can only be that of the worker's own scope, which ends with this body.
        """
        try:
            await self.generators.close(node, shield=self._loop.is_innermost(worker))
        except Exception:
            # The body has failed already, and is reported with what it raised.
            _logger.exception("an async generator of '%s', left open, raised when it was closed", node.id)
        except BaseException as error:
            return real_error(error, self._loop.cancelled)
        return None

    def stop_all(self) -> None:
        """Interrupt every body that runs, in no order: the engine is broken, and only its own error counts."""
        for node in list(self.scheduler.tree.active):
            worker: Worker | None = node._attempt
            if worker is not None:
                worker.interrupt(self._loop.now())

    def _on_fatal(self, error: BaseException, at: float) -> None:
        """KeyboardInterrupt, SystemExit and their like end the run, in order, and are raised by it."""
        self.fatal = error
        self.scheduler.cancel(f"{type(error).__name__} in a body", at)


def _note_data(node: TaskNode, result: object) -> None:
    """Keep what is in a dict that a body returned. Raises what that does: it may be of the user's own kind."""
    if isinstance(result, dict):
        node.data.update(cast("dict[str, Any]", result))


def _note_success(node: TaskNode, result: object) -> None:
    """Keep what a body returned, and nothing of an attempt that failed before; but that its time is up, if it is."""
    if result is not None:
        node.result = result
    if node._group is None or node._group.verdict is not TaskStatus.TIMED_OUT:
        node.error = node.exception = None
