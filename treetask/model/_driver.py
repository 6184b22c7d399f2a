"""Who may stand behind a tree: the engine that runs it, and the one who is told of every change."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Protocol

from treetask.model._status import TaskStatus

if TYPE_CHECKING:
    from treetask.model._node import TaskNode
    from treetask.model._process import ProcessOrder, ProcessResult
    from treetask.model._spawn import Child

_WAITING: Final = frozenset({TaskStatus.PENDING, TaskStatus.RETRYING, TaskStatus.WORKING})

#: In a worker thread: the node whose body runs there, and whether that node goes on without it.
left_behind: Final[ContextVar[tuple[TaskNode, Callable[[], bool]]]] = ContextVar("treetask_left_behind")


def reason_to_wait(node: TaskNode) -> str | None:
    """Return why the body of a node has not begun, or not its next attempt, while its tree runs; None if it has."""
    tree = node._tree
    driver = None if tree is None else tree._driver
    if driver is None or node._status not in _WAITING:
        return None
    waited_for = driver.waits_for(node)
    return None if waited_for is None else f"waits for {waited_for}"


class Openable(Protocol):
    """What bodies share for the whole of a run, opened when the first of them begins; messages show its `str()`."""

    @property
    def needs(self) -> tuple[Openable, ...]:
        """What has to be open before."""
        ...

    def open(self, given: Mapping[Any, Any]) -> AsyncGenerator[Any, Any]:
        """Return what opens it up to its one `yield`, whose value is shared, and closes it after that.

        `given` has what the tree was given, and the values of what this one needs.
        """
        ...


class OpensFirst:
    """The base of bodies that take something which has to be open before they are called."""

    __slots__ = ()

    @property
    def resources(self) -> tuple[Openable, ...]:
        """What that is."""
        raise NotImplementedError


class Recalls:
    """The base of bodies that need not be called where their result was kept by an earlier run; see `Driver.recall`.

    One that runs on the event loop looks for itself, in the coroutine that it gives.
    """

    __slots__ = ()


class Driver(Protocol):
    """What a tree needs of the engine that runs it; not what the scheduler needs, which is its `World`."""

    def add(self, child: TaskNode, parent: TaskNode) -> None:
        """Add a child while the tree runs, from any thread, or refuse it."""
        ...

    def set_progress(self, node: TaskNode, progress: tuple[int, int] | None) -> None:
        """Set a progress while the tree runs, from any thread."""
        ...

    def extend_log(self, node: TaskNode, lines: bytes) -> None:
        """Add whole lines to a node's log while the tree runs, from any thread."""
        ...

    def now(self) -> float:
        """Return the run's clock, in seconds."""
        ...

    async def wait_for(self, child: Child[Any]) -> None:
        """Return when a child has ended; who waits holds no slot meanwhile. The child's failure is claimed."""
        ...

    def spawn(self, child: Child[Any], parent: TaskNode) -> None:
        """Make a child a node that runs, or refuse it."""
        ...

    def cancel(self, node: TaskNode, reason: str | None) -> None:
        """Stop a node and all below it, from any thread."""
        ...

    def is_stopping(self, node: TaskNode) -> bool:
        """Return whether a node's body is being stopped, to any thread."""
        ...

    def waits_for(self, node: TaskNode) -> str | None:
        """Return what keeps the body of a node back from its first or its next attempt, to any thread."""
        ...

    async def open(self, resources: Iterable[Openable]) -> None:
        """Return when these are open; the tree is given their values. Raises what opening one of them raises."""
        ...

    async def recall(self, node: TaskNode) -> tuple[bool, Any]:
        """Return whether the result is kept that the body of a node is about to make, and that result."""
        ...

    async def run_process(self, node: TaskNode, order: ProcessOrder) -> ProcessResult:
        """Run a process for the body of a node, or refuse it; return how it ended."""
        ...


class Listener(Protocol):
    """Who is told, at the door, of every change. Must neither raise nor change the tree."""

    def status_changed(self, node: TaskNode, old: TaskStatus, new: TaskStatus, at: float) -> None:
        """Take note that a node went from one status to another, at a time of the tree's clock."""
        ...

    def progress_changed(self, node: TaskNode) -> None:
        """Take note that a node has another progress."""
        ...

    def log_extended(self, node: TaskNode, lines: bytes) -> None:
        """Take note that a node's body has put out some lines."""
        ...

    def node_added(self, node: TaskNode) -> None:
        """Take note that a node came into the tree."""
        ...

    def node_removed(self, node: TaskNode) -> None:
        """Take note that a node left the tree, with all below it."""
        ...
