"""One run: the scheduler's decisions carried out on the event loop, from the first node to the last clean-up."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.lowlevel

from treetask._errors import DuplicateNodeError, ResourceError, RunTimeoutError, TreeTaskError
from treetask.engine._bounds import Bound
from treetask.engine._failures import tree_failed
from treetask.engine._grace import Grace
from treetask.engine._group import Group
from treetask.engine._loop import current_loop
from treetask.engine._observers import Announcer
from treetask.engine._questions import Questions
from treetask.engine._resources import Resources
from treetask.engine._scheduler import Scheduler
from treetask.engine._spawner import AsyncSteps, Spawner, ThreadSteps, place_child
from treetask.engine._step import STEPS, awaited, current_node, run_in
from treetask.engine._threads import Threads
from treetask.engine._timers import Timers
from treetask.engine._watchdog import watchdog
from treetask.engine._workers import Crew, Worker
from treetask.model import (
    CLOSED,
    BodyKind,
    Child,
    DuplicateChildError,
    ExecutionResult,
    Openable,
    OpensFirst,
    Recalls,
    TaskNode,
    TaskStatus,
    TaskTree,
    TreeCancelled,
    TreeFailed,
    TreeTaskConfig,
)

if TYPE_CHECKING:
    from treetask.abc import Journal
    from treetask.engine._process import Processes
    from treetask.engine._recording import Recording
    from treetask.model import ProcessOrder, ProcessResult

#: As many bodies in threads as the standard library's own pool would run.
_DEFAULT_THREADS: Final = min(32, (os.cpu_count() or 1) + 4)


class Run:
    """What lives as long as one run. Made on the event loop, in the thread and task that waits for it."""

    def __init__(
        self, tree: TaskTree, config: TreeTaskConfig, announcer: Announcer, journal: Journal | None = None
    ) -> None:
        self.tree: Final = tree
        self.loop: Final = current_loop()
        self.scheduler: Final = Scheduler(
            tree,
            self,
            max_concurrency=config.max_concurrency,
            max_threads=_DEFAULT_THREADS if config.max_threads is None else config.max_threads,
        )
        self._config: Final = config
        self._announcer: Final = announcer
        self._questions: Final = Questions(tree.root.id, self.post, self._is_gone)
        self._timers: Final = Timers(self.loop, self._guarded)
        self._grace: Final = Grace(tree, self._timers, self.loop.now, config.grace)
        self._threads: Final = Threads(
            on_abandon=self._count_abandoned,
            on_return=lambda call: self.post(partial(self._count_returned, call)),
        )
        self._crew: Final = Crew(
            self.loop,
            self.scheduler,
            announcer,
            default_timeout=config.default_task_timeout,
            drive=self._drive,
            limit_group=self._limit_group,
            on_bound=self._grace.begin,
            on_end=self._end,
        )
        self._resources: Final = Resources(
            self.loop,
            self._timers,
            self._crew.context,
            tree.given,
            grace=config.grace,
            spare=self._crew.generators.spare,
            on_crash=self._give_up_for,
            on_fatal=self.raise_at_end,
        )
        self._recording: Recording | None = None
        if journal is not None:
            self._record_in(journal)
        self._over: Final = anyio.Event()
        self._crash: BaseException | None = None
        self._interruption: BaseException | None = None
        self.cancel_reason: str | None = None
        self._timed_out: RunTimeoutError | None = None
        #: Whether it was stopped because a resource had ended.
        self._is_given_up = False
        self._late_is_posted = False
        #: Lines that other threads have put out, for the logs of their nodes.
        self._late_lines: Final[deque[tuple[TaskNode, bytes]]] = deque()
        #: When the scheduler is going to be told that time has passed.
        self._looks: Final[set[float]] = set()
        self._processes: Processes | None = None

    def _record_in(self, journal: Journal) -> None:
        from treetask.engine._recording import Recording

        self._announcer.journal = journal
        self._recording = Recording(
            journal,
            self.scheduler,
            now=self.loop.now,
            post=self.post,
            advance=self._advance,
            raise_at_end=self.raise_at_end,
        )

    # -- the run itself ----------------------------------------------------------------------------------------------

    async def execute(self) -> None:
        """Run the tree. Raises as `AsyncExecutor.run` says; nothing of the run is left then."""
        self.loop.protect(
            engine=(
                Crew._work,
                Run._begin,
                Run.add,
                Run.place,
                Run.open_gate,
                Run.stop_claimed,
                Run.open,
                Run.wait_for,
                Run.run_process,
                Spawner.places_at_once,
                Run.post,
                Resources._keep,
                Timers._keep,
            ),
            bodies=STEPS,
        )
        self.tree.drive(self)
        self._announcer.begin(self.loop.now, self._call_soon, self.raise_at_end)
        try:
            if self._recording is not None:
                self._recording.begin()
            async with self.loop.workers():
                with self._crew.generators.watched(), watchdog.watching(self, self._config.block_warning):
                    self._guarded(self._begin)
                    await self._wait_for(self._over)
                    await self._resources.close(self._wait_for)
                self._timers.close()
        finally:
            self._apply_late()
            self._announcer.end()
            self.tree.drive(None)
            self._questions.refuse()
            if self._recording is not None:
                await self._close_recording(self._recording)
        self._raise_outcome()

    async def _close_recording(self, recording: Recording) -> None:
        try:
            interruption = await recording.close()
            self._interruption = self._interruption or interruption
        except Exception as error:  # of the journal, which has told it before unless all else went well
            if self._crew.fatal is None:
                self._crew.fatal = error

    def _begin(self) -> None:
        at = self.loop.now()
        limit = self._config.global_timeout
        if limit is not None:
            self._timers.at(at + limit, partial(self._time_is_up, limit))
        self.scheduler.begin(at)
        self._advance()

    async def _wait_for(self, end: anyio.Event) -> None:
        """Wait for an end. What interrupts that wait cancels the run, in order, and is raised when it is over."""
        while not end.is_set():
            try:
                with anyio.CancelScope(shield=self._interruption is not None):
                    await end.wait()
            except BaseException as error:
                self.note_interruption(error)
                self._advance()

    def note_interruption(self, error: BaseException) -> None:
        """Cancel the run for what has interrupted its caller."""
        if self._interruption is None or isinstance(self._interruption, self.loop.cancelled):
            self._interruption = error
        self.scheduler.cancel("the caller of the run was cancelled", self.loop.now())

    def _end(self, crash: BaseException | None) -> None:
        """The last node has ended, or the engine itself is broken."""
        if crash is not None and self._crash is None:
            self._crash = crash
            try:
                self.scheduler.cancel("the engine failed", self.loop.now())
            finally:
                # Whatever the scheduler still makes of it, nobody is waited for in vain.
                self._over.set()
                self._crew.stop_all()
        self._note_end()

    def _note_end(self) -> None:
        """Let the run return, unless children are still to be folded: then that will do so."""
        if self._crash is not None or not self.scheduler.has_to_fold:
            self._over.set()
        if self.scheduler.is_cancelled:
            self._resources.limit(self.loop.now() + self._config.grace)

    def _call_soon(self, act: Callable[[], None]) -> None:
        self.loop.call_soon(partial(self._guarded, act))

    def _guarded(self, act: Callable[[], None]) -> None:
        """Do something outside of a worker; what it raises ends the run, whose caller is told."""
        try:
            act()
        except BaseException as error:
            self._end(error)

    def _raise_outcome(self) -> None:
        root, troubles = self.tree.root, self._resources.troubles
        raised = (self._crash, self._crew.fatal, self._interruption)
        error = next((each for each in raised if each is not None), None)
        if error is None and self._timed_out is not None:
            error = TreeFailed(f"'{root.id}' timed out", [self._timed_out, *troubles], ExecutionResult(self.tree))
        elif error is None and root.status is TaskStatus.CANCELLED and not self._is_given_up:
            error = TreeCancelled(self.cancel_reason or root.reason, ExecutionResult(self.tree))
        elif error is None and (root.status is not TaskStatus.DONE or troubles):
            error = tree_failed(self.tree, troubles)
        if not isinstance(error, TreeFailed):
            self._resources.log_troubles()
        if error is not None:
            raise error

    def _advance(self) -> None:
        """After the scheduler was told something outside of a worker: start what may start, tell who listens."""
        self._crew.wake()
        if self._announcer.pending:
            self._announcer.tell()
        if self.scheduler.is_over:
            self._note_end()

    # -- bodies ------------------------------------------------------------------------------------------------------

    async def _drive(self, worker: Worker) -> Any:
        """Run a body of a kind other than plain async, to its end."""
        node, kind = worker.node, worker.kind
        assert node is not None
        context = self._crew.context.copy()
        context.run(current_node.set, node)
        body: Any = node.task_fn
        if _recalls(node.task_fn):
            is_kept, kept = await self.recall(node)
            if is_kept:
                return kept
        await self._open_first(node, body)
        if kind is BodyKind.THREAD:
            result = await self._threads.call(context, body, node)
            # A plain function may hand back a coroutine, as a lambda around an async one does.
            return await run_in(context, awaited, result) if hasattr(result, "__await__") else result
        generator = context.run(body, node)
        spawner = Spawner(self, worker, node)
        if kind is BodyKind.SPAWNER:
            return await spawner.drive(AsyncSteps(generator, context, spawner.places_at_once))
        return await spawner.drive(ThreadSteps(generator, context, self._threads, self.loop.cancelled))

    async def _open_first(self, node: TaskNode, body: object) -> None:
        """Open what a body takes, if it takes such; an async one does so itself."""
        if isinstance(body, OpensFirst):
            await self._resources.open_for(node, body.resources)

    def _count_abandoned(self, call: object, node: TaskNode | None) -> None:
        assert node is not None
        if self._processes is not None:
            self._processes.stop_given_up()
        self._crew.abandoned[call] = self.scheduler.slots.abandon_thread(node)
        body: object = node.task_fn
        if isinstance(body, OpensFirst):
            self._resources.lend(call, node, body.resources)

    def _count_returned(self, call: object) -> None:
        self._resources.take_back(call)
        self.scheduler.slots.free_thread(self._crew.abandoned.pop(call))
        self._advance()

    def _limit_group(self, node: TaskNode, bound: Bound) -> None:
        """Bound an attempt whose children count as well."""
        group = self.scheduler.group_of(node)
        self._timers.at(bound.at, partial(self._expire, node, group, bound.error), lambda: node._group is not group)

    def _expire(self, node: TaskNode, group: Group, error: str) -> None:
        if node._group is group:
            self.scheduler.expire(node, self.loop.now(), error)
            self._advance()

    def _time_is_up(self, limit: float) -> None:
        is_over = self.scheduler.is_over
        if not self.scheduler.is_cancelled and not (is_over and self._resources.are_closed):
            self._timed_out = RunTimeoutError(self.tree.root.id, limit)
            self.scheduler.cancel(f"the run timed out after {limit} s", self.loop.now(), is_late=not is_over)
            self._advance()

    # -- asked by the scheduler --------------------------------------------------------------------------------------

    def interrupt(self, node: TaskNode) -> None:
        worker: Worker | None = node._attempt
        if worker is not None:
            at = self.loop.now()
            worker.interrupt(at)
            self._grace.begin(at)

    def grant(self, node: TaskNode) -> None:
        worker: Worker = node._attempt
        worker.grant_slot()

    def bound(self, node: TaskNode, bound: Bound) -> None:
        self._crew.bound(node, bound)

    def fold_soon(self) -> None:
        self._call_soon(self._fold)

    def _fold(self) -> None:
        if not self._is_gone():
            self._announcer.tell()
            self.scheduler.fold()
            if self.scheduler.is_over:
                self._note_end()

    def raise_at_end(self, error: BaseException) -> None:
        if self._crew.fatal is None:
            self._crew.fatal = error
        self.post(partial(self._give_up, f"{type(error).__name__} was raised"))

    def _give_up_for(self, trouble: ResourceError) -> None:
        """A resource has ended before its time: so does the run."""
        self._is_given_up = not self.scheduler.is_cancelled
        self._give_up(str(trouble))

    def _give_up(self, reason: str) -> None:
        self.scheduler.cancel(reason, self.loop.now())
        self._advance()

    def look_again_at(self, when: float) -> None:
        if when not in self._looks:
            self._looks.add(when)
            self._timers.at(when, partial(self._look_again, when))

    def _look_again(self, when: float) -> None:
        self._looks.discard(when)
        self.scheduler.look_again(self.loop.now())
        self._advance()

    # -- asked by spawners -------------------------------------------------------------------------------------------

    def place(self, child: Child[Any], parent: TaskNode) -> TaskNode:
        """Make a child a node of the tree and let it go ahead; or give it the one that an earlier attempt has done."""
        adopted = self.scheduler.adopt(child, parent, self.loop.now()) if self.scheduler.left_over.of else None
        if adopted is not None:
            return adopted
        node = place_child(child, parent)
        node._child = child
        if self._recording is not None:
            self._recording.adopt(node)
        now = self.loop.now
        try:
            self.scheduler.add(node, parent, now(), at_once=True)
        except DuplicateNodeError as error:
            # A sibling of that key, which may be folded by now; else somebody has given its id to a node elsewhere.
            other = self.tree.find(node.id)
            is_sibling = error.node_id == node.id and (other is None or other.parent is parent)
            raise (DuplicateChildError(child.key, parent.id) if is_sibling else error) from None
        child._node = node
        # The body of its parent goes on, so nothing has ended that the run would wait for.
        if not self._crew.has_spare:
            self._crew.wake()
        if self._announcer.pending:
            self._announcer.tell()
        return node

    def open_gate(self, node: TaskNode) -> None:
        self.scheduler.let_children_go(node, self.loop.now())
        self._advance()

    def stop_claimed(self, children: list[TaskNode], reason: str) -> None:
        self.scheduler.stop_claimed(children, reason, self.loop.now())
        self._advance()

    # -- asked by nodes, from any thread -----------------------------------------------------------------------------

    def now(self) -> float:
        return self.loop.now()

    def add(self, child: TaskNode, parent: TaskNode) -> None:
        if not self._questions.are_needless():
            self._questions.answer(partial(self.add, child, parent))
            return
        if self._recording is not None:
            self._recording.adopt(child)
        self.scheduler.add(child, parent, self.loop.now())
        # While it waits for the body of its parent, it lets nothing start, and ends nothing. But news that were held
        # may be told because of what it depends on.
        if child._waits < CLOSED or child._children or child.options.depends_on:
            self._advance()
        elif self._announcer.pending:
            self._announcer.tell()

    def spawn(self, child: Child[Any], parent: TaskNode) -> None:
        self._questions.answer(lambda: self.place(child, parent))

    def cancel(self, node: TaskNode, reason: str | None) -> None:
        def cancel() -> None:
            self.scheduler.cancel_subtree(node, reason, self.loop.now())
            self._advance()

        self.post(cancel)

    def waits_for(self, node: TaskNode) -> str | None:
        opening = self._resources.waited_for.get(node)
        return self.scheduler.waits_for(node, self.loop.now()) if opening is None else str(opening)

    def is_stopping(self, node: TaskNode) -> bool:
        worker: Worker | None = node._attempt
        group: Group | None = node._group
        return (worker is not None and worker.interrupted) or (group is not None and group.stopping is not None)

    def set_progress(self, node: TaskNode, progress: tuple[int, int] | None) -> None:
        if self._questions.are_needless():
            self.tree.apply_progress(node, progress)
            return
        self.tree.late_progress[node] = progress
        self._post_late()

    def extend_log(self, node: TaskNode, lines: bytes) -> None:
        if self._questions.are_needless():
            if self._late_lines:
                self._apply_late_lines()
            self.tree.apply_log(node, lines)
        else:
            self._late_lines.append((node, lines))
            self._post_late()

    def _post_late(self) -> None:
        if not self._late_is_posted:
            self._late_is_posted = True
            self.post(self._apply_late)

    def _apply_late_lines(self) -> None:
        while self._late_lines:
            self.tree.apply_log(*self._late_lines.popleft())

    def _apply_late(self) -> None:
        self._late_is_posted = False
        self._apply_late_lines()
        late = self.tree.late_progress
        while late:
            node = next(iter(late))
            if node in self.tree:
                self.tree.apply_progress(node, late[node])
            del late[node]

    def begin_wait(self, body: TaskNode, awaited: TaskNode, *, aside: bool) -> Callable[[], None] | None:
        """A body waits for a node, which may have ended by then; return what ends that, if somebody need know."""
        end = self.scheduler.begin_wait(body, awaited, self.loop.now(), aside=aside)
        if end is not None:
            self._advance()
        return end

    async def wait_for(self, child: Child[Any]) -> None:
        """Wait for a child's end without a slot; its failure is the waiting body's affair."""
        node = child.node
        if not self._questions.are_needless():
            # Nobody would wake it: it would wait on an event loop of its own, or on none.
            raise TreeTaskError(
                f"child '{node.id}' is awaited in another thread than its run is in; await it in a body on the event "
                "loop, or from a thread by anyio.from_thread.run"
            )
        body = current_node.get(None)
        worker: Worker | None = None if body is None or body._tree is not self.tree else body._attempt
        end_wait: Callable[[], None] | None = None
        if body is not None and worker is not None:
            is_aside = not self.loop.is_here(worker)
            if not is_aside:
                self.scheduler.refuse_to_wait(body, node)
            end_wait = self.begin_wait(body, node, aside=is_aside)

        async def wait() -> None:
            try:
                if not node.is_done():
                    await self._end_of(node)
            finally:
                if end_wait is not None:
                    end_wait()
            if body is not None:
                await self._stop_here(body)
            child.claimed = True
            if node.parent is not None:
                group: Group | None = node.parent._group
                if group is not None:  # else it waits for its next attempt, and the child was folded before
                    group.claim_failures(told=True)

        await (wait() if worker is None else worker.without_slot(wait()))

    async def _end_of(self, node: TaskNode) -> None:
        watched, wake = self.scheduler.watched, anyio.Event()
        waiting = watched.setdefault(node, [])
        waiting.append(wake.set)
        try:
            await wake.wait()
        finally:
            # Who gave up waiting, perhaps again and again, leaves nothing behind.
            if not wake.is_set():
                waiting.remove(wake.set)
                if not waiting:
                    watched.pop(node, None)

    async def _stop_here(self, node: TaskNode) -> None:
        """Take the cancellation of a body that is being stopped, once its children are down; it comes last to it."""
        group: Group | None = node._group
        if not self.is_stopping(node):
            return
        while group is not None and not group.is_down:
            await self._end_of(next(child for child in node._children if not child.is_done()))
        await anyio.lowlevel.checkpoint()

    async def open(self, resources: Iterable[Openable]) -> None:
        await self._resources.open_for(current_node.get(None), resources)

    async def recall(self, node: TaskNode) -> tuple[bool, Any]:
        return (False, None) if self._recording is None else await self._recording.recall(node)

    async def run_process(self, node: TaskNode, order: ProcessOrder) -> ProcessResult:
        if self._processes is None:
            from treetask.engine._process import Processes

            self._processes = Processes(self.tree, self.post, self._config.grace)
        return await self._processes.run(node, order)

    def post(self, act: Callable[[], None]) -> None:
        """Do something on the loop soon; nothing if the loop is gone, and the run with it."""
        try:
            self.loop.call_from_anywhere(lambda: None if self._is_gone() else self._guarded(act))
        except RuntimeError:
            if not self._is_gone():
                raise

    def _is_gone(self) -> bool:
        return self.tree._driver is not self

    def left_behind(self) -> list[TaskNode]:
        """Return the nodes whose bodies still run in threads that were given up."""
        return [node for node in list(self._threads.left_behind.values()) if node is not None]

    def node_of(self, task: object) -> TaskNode | None:
        """Return the node whose body runs in a task of the loop, or started it; from any thread."""
        for node in list(self.tree.active):
            worker: Worker | None = node._attempt
            if worker is not None and worker._task is task:
                return node
        context = self.loop.context_of(task)
        owner = None if context is None else context.get(current_node)
        return owner if owner is not None and owner._tree is self.tree else None

    # -- asked by the executor, from any thread ----------------------------------------------------------------------

    def request_cancel(self, reason: str | None) -> None:
        def cancel() -> None:
            self.cancel_reason = reason
            self.scheduler.cancel(reason, self.loop.now())
            self._advance()

        self.post(cancel)

    def request_hurry(self) -> None:
        self.post(self._hurry)

    def _hurry(self) -> None:
        if not self.scheduler.is_cancelled:
            return
        if self._processes is not None:
            self._processes.hurry()
        self._grace.hurry()
        self._resources.limit(self.loop.now(), hurried=True)
        self.scheduler.hurry(self.loop.now())
        self._advance()

    def kill_processes(self) -> None:
        """Leave no process behind, when nothing is waited for any more. From signal handlers, too."""
        if self._processes is not None:
            self._processes.kill()

    def request_pause(self, *, paused: bool) -> None:
        def pause() -> None:
            self.scheduler.slots.is_paused = paused and not self.scheduler.is_cancelled
            self._advance()

        self.post(pause)


def _recalls(body: object) -> bool:
    return isinstance(body, Recalls)
