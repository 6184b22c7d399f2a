"""The public face of a run: what may be asked of it, before, while and after it runs, from any thread."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike

from treetask._errors import TreeRunningError
from treetask.abc import Journal, Observer, RunStore
from treetask.engine._observers import Announcer
from treetask.engine._run import Run
from treetask.engine._stores import opened
from treetask.engine._uninterrupted import uninterrupted
from treetask.model import BodyKind, TaskNode, TaskStatus, TaskTree, TreeTaskConfig, kind_of


class AsyncExecutor:
    """Runs a tree, once, on the event loop it is awaited on: asyncio or trio.

    `on_update(tree)` is called at most once a turn of the loop while something changes, and after the last change;
    `on_node_start(node)` before a node's first attempt, `on_node_complete(node)` when it has ended, however it did. One
    that raises is logged and not called again.

    `config` replaces the tree's own. Raises `ValueError` when the run starts if it is out of range.

    `store` is where the run is recorded: a path or URL that `treetask.store.Store` takes, or such a store. Then a node
    is done when that is on record, and what was done before the process died need not be done again.
    """

    def __init__(
        self,
        tree: TaskTree,
        on_update: Callable[[TaskTree], None] | None = None,
        on_node_start: Callable[[TaskNode], None] | None = None,
        on_node_complete: Callable[[TaskNode], None] | None = None,
        *,
        config: TreeTaskConfig | None = None,
        store: RunStore | str | PathLike[str] | None = None,
    ) -> None:
        if not isinstance(tree, TaskTree):
            raise TypeError(f"AsyncExecutor runs a TaskTree, not {tree!r}; TreeBuilder.build() returns one")
        if config is not None:
            if not isinstance(config, TreeTaskConfig):
                raise TypeError(f"AsyncExecutor: config is {config!r}; expected a TreeTaskConfig")
            tree.config = config
        for name, callback in (
            ("on_update", on_update),
            ("on_node_start", on_node_start),
            ("on_node_complete", on_node_complete),
        ):
            if callback is not None:
                _check_listener(name, callback)
        if store is not None and not isinstance(store, (str, PathLike)) and not hasattr(store, "open_journal"):
            raise TypeError(f"AsyncExecutor: store is {store!r}; expected a path, a URL or a treetask.store.Store")
        self.tree = tree
        self._store = store
        self._announcer = Announcer(tree, on_update, on_node_start, on_node_complete)
        self._run: Run | None = None
        self._has_begun = False
        self._is_cancelled = False
        self._cancel_reason: str | None = None
        self._is_paused = False

    async def run(self) -> TaskTree:
        """Run the tree to its end and return it.

        Raises `TreeFailed` if something failed that nobody handled, or the `global_timeout` passed; `TreeCancelled` if
        it was cancelled; `DefinitionError` and `ValueError` before anything runs; `TreeRunningError` if it runs or ran
        before. A cancellation from outside, KeyboardInterrupt and SystemExit are raised once all has ended in order.
        """
        if self._has_begun:
            raise TreeRunningError(f"this executor has run '{self.tree.root.id}' already; make another one")
        if self.tree.is_running or self.tree.is_claimed:
            raise TreeRunningError(
                f"tree '{self.tree.root.id}' is already running; build a second tree to run it twice"
            )
        for node in (self.tree.root, *self.tree.active):
            if node.status is not TaskStatus.PENDING:
                raise TreeRunningError(f"node '{node.id}' is already {node.status}; call tree.reset() before the run")
        config = self.tree.config.validate()
        self._has_begun = True
        journal, interruption = await self._open_journal()
        try:
            run = Run(self.tree, config, self._announcer, journal)
        except BaseException:
            if journal is not None:  # the tree cannot run
                await uninterrupted(journal.close)
            raise
        self._run = run
        if interruption is not None:
            run.note_interruption(interruption)
        run.scheduler.slots.is_paused = self._is_paused
        if self._is_cancelled:
            run.scheduler.cancel(self._cancel_reason, run.loop.now())
            run.cancel_reason = self._cancel_reason
        await run.execute()
        return self.tree

    async def _open_journal(self) -> tuple[Journal | None, BaseException | None]:
        """Begin to record the run, where it is to be recorded; return also what has interrupted that."""
        store = self._store
        if store is None:
            return None, None
        self.tree.is_claimed = True  # what another executor did meanwhile would be a second run of the same tree
        try:
            return await uninterrupted(lambda: _open_journal(store, self.tree))
        finally:
            self.tree.is_claimed = False

    def subscribe(self, observer: Observer) -> None:
        """Tell an observer every event from now on; see `treetask.abc.Observer`."""
        _check_listener(f"on_event of {observer!r}", getattr(observer, "on_event", None))
        self._announcer.subscribe(observer)

    def cancel(self, reason: str | None = None) -> None:
        """Stop the run, in order: children before their parents' clean-up. From any thread, and before the run."""
        if not self._is_cancelled:
            self._is_cancelled, self._cancel_reason = True, reason
            if self._run is not None:
                self._run.request_cancel(reason)

    def hurry(self) -> None:
        """After `cancel`: stop also what always runs, name the bodies that have not ended, and kill their processes.

        From any thread.
        """
        if self._run is not None:
            self._run.request_hurry()

    def kill_processes(self) -> None:
        """Kill what the bodies run by `TaskNode.run_process`, now: for who leaves without waiting for the run's end."""
        if self._run is not None:
            self._run.kill_processes()

    def call_on_loop(self, act: Callable[[], None]) -> None:
        """Call a function on the run's event loop soon, from any thread; never, if the run is over."""
        if self._run is not None:
            self._run.post(act)

    @property
    def running(self) -> list[TaskNode]:
        """The nodes whose bodies run now, the longest first; after `cancel`, those that still clean up."""
        return [node for node in list(self.tree.active) if node._attempt is not None]

    @property
    def left_behind(self) -> list[TaskNode]:
        """The nodes whose bodies still run in threads though their end was not waited for: a thread cannot be stopped.

        The process ends only after them.
        """
        return [] if self._run is None else self._run.left_behind()

    def pause(self) -> None:
        """Start no more bodies until `resume`; what runs goes on. From any thread, and before the run."""
        self._set_paused(paused=True)

    def resume(self) -> None:
        """Start bodies again. From any thread."""
        self._set_paused(paused=False)

    def _set_paused(self, *, paused: bool) -> None:
        self._is_paused = paused
        if self._run is not None:
            self._run.request_pause(paused=paused)

    @property
    def is_cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._is_cancelled

    @property
    def is_paused(self) -> bool:
        """Whether starts are held back. A run that was cancelled holds none back, so that it can clean up and end."""
        is_stopped = self._is_cancelled or (self._run is not None and self._run.scheduler.is_cancelled)
        return self._is_paused and not is_stopped


def _open_journal(store: RunStore | str | PathLike[str], tree: TaskTree) -> Journal:
    if isinstance(store, (str, PathLike)):
        store = opened(store)
    return store.open_journal(tree)


def _check_listener(name: str, listener: object) -> None:
    """Raise `TypeError` for what cannot be told anything: what an `async def` returns, nobody would await."""
    if not callable(listener) or kind_of(listener) is not BodyKind.THREAD:
        raise TypeError(f"AsyncExecutor: {name} is {listener!r}; expected a plain function of one argument")
