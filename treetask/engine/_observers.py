"""Tells those who listen what happens: collected at the door, told when the tree is at rest.

The door is `TaskTree.move`, with `attach`, `apply_progress` and `apply_log`, which note what happens here. It is told
around each body (`Crew._work`), after whatever else the scheduler was told (`Run._advance`), and in the loop's next
turn at the latest. Nothing is built for nobody: without observers and callbacks the tree has no listener at all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from treetask import _clock, model
from treetask.abc import Journal, Observer
from treetask.model import TaskNode, TaskStatus, TaskTree

if TYPE_CHECKING:
    # The kinds of events are loaded by way of their package where somebody listens.
    from treetask.model import Event

_logger: Final = logging.getLogger("treetask")


class Announcer:
    """The tree's listener during a run, on behalf of all who want to know."""

    def __init__(
        self,
        tree: TaskTree,
        on_update: Callable[[TaskTree], None] | None,
        on_node_start: Callable[[TaskNode], None] | None,
        on_node_complete: Callable[[TaskNode], None] | None,
    ) -> None:
        self._tree: Final = tree
        self._on_update = on_update
        self._on_node_start = on_node_start
        self._on_node_complete = on_node_complete
        self._observers: Final[list[Observer]] = []
        #: Asks the loop to call `update` in its next turn.
        self.ask_for_turn: Callable[[Callable[[], None]], None] | None = None
        self._turn_is_asked = False
        self._told_version = -1
        self._is_telling = False
        #: Events that were not told yet.
        self.pending: Final[list[Event]] = []
        self._now: Callable[[], float] = tree.now
        self._raise_at_end: Callable[[BaseException], None] | None = None
        #: Where the run is recorded; it is told at the door itself, and everything.
        self.journal: Journal | None = None

    def subscribe(self, observer: Observer) -> None:
        """Tell one more observer, from now on; the run may last already."""
        self._observers.append(observer)
        if self._tree.is_running:
            self._tree.listen(self)

    def begin(
        self,
        now: Callable[[], float],
        ask_for_turn: Callable[[Callable[[], None]], None],
        raise_at_end: Callable[[BaseException], None],
    ) -> None:
        """Begin to listen, if there is anybody to tell."""
        self._now = now
        self._raise_at_end = raise_at_end
        self.ask_for_turn = ask_for_turn
        if self._on_update is not None or self._listens_always():
            self._tree.listen(self)
        if self._observers:
            # Told before anything has happened: who listens may look at the tree that the run begins with.
            self.pending.append(model.RunStarted(self._tree, now(), _clock.wall()))
            self.tell()

    def end(self) -> None:
        """Tell what is left, and the last state, and stop listening."""
        self.ask_for_turn = None
        self._tree.listen(None)
        if self._observers:
            self.pending.append(model.RunEnded(self._tree, self._now()))
        self.tell()
        self.update()

    # -- at the door -------------------------------------------------------------------------------------------------

    def status_changed(self, node: TaskNode, old: TaskStatus, new: TaskStatus, at: float) -> None:
        if self.journal is not None:
            self.journal.status_changed(node, old, new, at)
        if self._wants_each_change():
            attempt, trouble = node.retry_count + 1, node._trouble
            self.pending.append(
                model.StatusChanged(node, old, new, at, attempt)
                if trouble is None
                else model.StatusChanged(node, old, new, at, attempt, trouble.exception, trouble.error, trouble.reason)
            )
        if not self._turn_is_asked:
            self._ask()

    def progress_changed(self, node: TaskNode) -> None:
        if self._observers:
            self.pending.append(model.ProgressChanged(node, node.progress, self._now(), node.retry_count + 1))
        if not self._turn_is_asked:
            self._ask()

    def log_extended(self, node: TaskNode, lines: bytes) -> None:
        if self._observers:
            from treetask.model import text_lines

            self.pending.append(model.LogExtended(node, tuple(text_lines(lines)), self._now(), node.retry_count + 1))
            if not self._turn_is_asked:
                self._ask()

    def node_added(self, node: TaskNode) -> None:
        if self._observers:
            self.pending.append(model.NodeAdded(node, self._now(), node.parent, node._status))
        if not self._turn_is_asked:
            self._ask()

    def node_removed(self, node: TaskNode) -> None:
        if self._observers:
            self.pending.append(model.NodeRemoved(node, self._now()))
        if not self._turn_is_asked:
            self._ask()

    def _wants_each_change(self) -> bool:
        return bool(self._observers) or self._on_node_start is not None or self._on_node_complete is not None

    def _listens_always(self) -> bool:
        return self.journal is not None or self._wants_each_change()

    def _ask(self) -> None:
        if self.ask_for_turn is None:
            return
        self._turn_is_asked = True
        self.ask_for_turn(self._take_turn)
        # Who is only told that something has changed need not hear of more before that turn. Not the other way round:
        # one who subscribes at this moment, from another thread, has to be heard of here or to listen after this.
        self._tree.listen(None)
        if self._listens_always():
            self._tree.listen(self)

    def _take_turn(self) -> None:
        self._turn_is_asked = False
        if self.ask_for_turn is not None:
            self._tree.listen(self)
        self.tell()
        self.update()

    # -- telling -----------------------------------------------------------------------------------------------------

    def update(self) -> None:
        """Call `on_update` if anything changed since the last time."""
        if self._on_update is not None and self._told_version != self._tree.version:
            self._told_version = self._tree.version
            if not self._call("on_update", self._on_update, self._tree):
                self._on_update = None

    def tell(self) -> None:
        """Tell the pending events, and those that come up meanwhile, in their order."""
        if self._is_telling:
            return
        self._is_telling = True
        told = 0
        try:
            while told < len(self.pending):
                told += 1
                self._tell_one(self.pending[told - 1])
        finally:
            del self.pending[:told]
            self._is_telling = False

    def _tell_one(self, event: Event) -> None:
        for observer in list(self._observers):
            if not self._call(_name(observer), observer.on_event, event):
                self._observers.remove(observer)
        if isinstance(event, model.StatusChanged):
            if event.new is TaskStatus.WORKING and event.old is TaskStatus.PENDING:
                if self._on_node_start is not None and not self._call("on_node_start", self._on_node_start, event.node):
                    self._on_node_start = None
            elif (
                event.new.is_terminal
                and self._on_node_complete is not None
                and not self._call("on_node_complete", self._on_node_complete, event.node)
            ):
                self._on_node_complete = None

    def _call(self, name: str, callback: Callable[[Any], None], argument: object) -> bool:
        """Call one who listens; False if it raised, which is logged and is no reason to stop a run.

        But KeyboardInterrupt, SystemExit and their like are, wherever they are raised.
        """
        try:
            callback(argument)
        except Exception:
            _logger.exception("%s of '%s' raised and was removed; the run goes on", name, self._tree.root.id)
            return False
        except BaseException as error:
            if self._raise_at_end is None:
                raise
            self._raise_at_end(error)
            return False
        return True


def _name(observer: Observer) -> str:
    return f"observer {type(observer).__module__}.{type(observer).__qualname__}"
