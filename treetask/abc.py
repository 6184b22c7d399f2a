"""What the parts above the model plug together by. Implement one of these to plug in a part of your own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from treetask.model import TaskNode, TaskStatus, TaskTree

if TYPE_CHECKING:
    # Loaded where a run has observers.
    from treetask.model import Event

__all__ = ["Journal", "Observer", "RunStore"]


class Observer(Protocol):
    """Who is told what happens in a run; see `AsyncExecutor.subscribe`.

    Called on the event loop, in order, when the tree is at rest. One that raises is logged with its name and is told
    nothing more; the run goes on.
    """

    def on_event(self, event: Event, /) -> None:
        """Take note of one event. Should return at once: the run waits for it."""
        ...


class Journal(Protocol):
    """The durable record of one run.

    A node's end counts once it is on record: until then its status does not change, its dependents do not start and
    its parent waits. Everything but `close` is called on the event loop's thread and returns at once.
    """

    def begin(
        self,
        now: Callable[[], float],
        on_recorded: Callable[[Sequence[TaskNode]], None],
        on_failed: Callable[[BaseException], None],
    ) -> None:
        """Begin to record, on the run's clock.

        `on_recorded(nodes)` is called from any thread when ends are on record, in the order in which `record` was
        called; `on_failed(error)` once, from any thread, when nothing will be any more.
        """
        ...

    @property
    def is_full(self) -> bool:
        """Whether so much waits to be written that no further body should begin."""
        ...

    def adopt(self, node: TaskNode) -> None:
        """A node is about to come in while the run lasts: let it, and what is below it, be as it is on record."""
        ...

    def recall(self, node: TaskNode) -> tuple[bool, object]:
        """Return whether the result is kept that the body of a node is about to make, and that result.

        Blocks; called in a worker thread, for bodies that were declared to have such results.
        """
        ...

    def status_changed(self, node: TaskNode, old: TaskStatus, new: TaskStatus, at: float) -> None:
        """Take note of a change, without an answer. That of an end which `record` was asked for comes as well."""
        ...

    def record(self, node: TaskNode, status: TaskStatus, at: float) -> None:
        """Put the end of a node on record, which has its result by now; `on_recorded` answers."""
        ...

    def close(self) -> None:
        """Write what is left, and how the run ended. Blocks; called in a worker thread, also after a failure.

        Raises what writing this raised.
        """
        ...


class RunStore(Protocol):
    """Where runs are recorded: what `store=` takes, beside the URL of one."""

    def open_journal(self, tree: TaskTree, /) -> Journal:
        """Begin the record of a run of a tree, or go on with one: what that has done comes back as it was, done.

        Blocks; called in a worker thread before the run. Raises what makes that impossible, and nothing has run then.
        """
        ...
