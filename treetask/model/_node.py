"""One task of a tree: who it is, how it stands and what came of it.

A node knows its parent and children, its tree once it is in one, and nothing of how it is run. Whatever changes its
status or its place goes through the tree (`_tree.py`); a node outside a tree keeps its own books.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal, overload

from typing_extensions import ParamSpec, TypeVar, Unpack

from treetask._errors import FinishedParentError, NodeOwnedError, StatusError, TreeRunningError
from treetask.model._body import TaskFunction
from treetask.model._checks import check_spawnable, checked_body, checked_progress, checked_status
from treetask.model._children import NO_CHILDREN, Children, append, remove
from treetask.model._driver import Driver, left_behind, reason_to_wait
from treetask.model._options import DEFAULT_OPTIONS, NodeKeywords, NodeOptions, node_options
from treetask.model._status import TaskStatus

if TYPE_CHECKING:
    from treetask.model._counts import Roll
    from treetask.model._log import Log
    from treetask.model._process import Command, PathLike, ProcessResult
    from treetask.model._spawn import Child, Spawnable
    from treetask.model._tree import TaskTree

P = ParamSpec("P")
T = TypeVar("T")

#: The part of `TaskNode._waits` that stands for the parent: added to the number of dependencies that are not met, it is
#: taken away when the parent lets the node go ahead.
CLOSED: Final = 1 << 30

_PENDING: Final = TaskStatus.PENDING

_new: Final = object.__new__

#: What `TaskNode` takes beside the options.
_PARAMETERS: Final = frozenset({"name", "status", "children", "parent", "data", "progress", "error", "task_fn"})


#: What is called before a log is read, to bring it up to date: by those who follow what bodies print.
before_reading: Final[list[Callable[[], None]]] = []


class Trouble:
    """Why a node did not end well, and what its body has put out. Most nodes have neither, so it is kept apart."""

    __slots__ = ("error", "exception", "log", "reason")

    def __init__(self) -> None:
        self.error: str | None = None
        self.exception: BaseException | None = None
        self.reason: str | None = None
        self.log: Log | None = None


class TaskNode:
    """One task in one tree: its identity, its state and its result.

    Identity is the object: nodes compare and hash by what they are, not by their fields. `name=None` shows the id;
    `parent` adds the node there. What only some nodes need is a keyword; `NodeKeywords` has the list.

    Raises `TypeError` and `ValueError` for options that do not exist or are out of range.
    """

    __slots__ = (
        "_attempt",
        "_body",
        "_child",
        "_children",
        "_data",
        "_group",
        "_name",
        "_order",
        "_progress",
        "_roll",
        "_status",
        "_tree",
        "_trouble",
        "_waits",
        "ended_at",
        "id",
        "options",
        "parent",
        "result",
        "retry_count",
        "started_at",
    )

    def __init__(  # noqa: PLR0917 - the printed API
        self,
        id: str,
        name: str | None = None,
        status: str = _PENDING,
        children: Iterable[TaskNode] | None = None,
        parent: TaskNode | None = None,
        data: dict[str, Any] | None = None,
        progress: tuple[int, int] | None = None,
        retry_count: int = 0,
        error: str | None = None,
        parallel: bool = True,  # noqa: FBT001, FBT002 - the printed API
        task_fn: TaskFunction | None = None,
        **options: Unpack[NodeKeywords],
    ) -> None:
        if not isinstance(id, str) or not id:
            raise TypeError(f"a node's id is {id!r}; expected a string that is not empty")
        if data is not None and not isinstance(data, dict):
            raise TypeError(f"node '{id}': data is {data!r}; expected a dict")
        self.id: Final = id
        self._set_out(
            name,
            None if task_fn is None else checked_body(id, task_fn),
            DEFAULT_OPTIONS
            if parallel is True and not options
            else node_options(f"node '{id}'", _PARAMETERS, parallel=parallel, **options),
        )
        if status is not _PENDING:
            self._status = checked_status(id, status)
        if progress is not None:
            self._progress: tuple[int, int] | None = checked_progress(id, progress)
        self._data = data
        self.retry_count = retry_count
        if error is not None:
            self.error = error
        if children is not None:
            for child in children:
                self.add_child(child)
        if parent is not None:
            parent.add_child(self)

    def _set_out(self, name: str | None, body: TaskFunction | None, options: NodeOptions) -> None:
        """Fill in what a node begins with."""
        self._name = name
        self._status = _PENDING
        self._children: Children = NO_CHILDREN
        self.parent: TaskNode | None = None
        self._tree: TaskTree | None = None
        #: What the body gets to know beside its arguments; a dict that it returns is merged in.
        self._data = None
        self._progress = None
        #: Attempts that failed and were repeated.
        self.retry_count = 0
        self._body = body
        self.options = options
        #: What the body returned.
        self.result: Any = None
        self.started_at: float | None = None
        self.ended_at: float | None = None
        self._trouble: Trouble | None = None
        self._roll: Roll | None = None
        # The engine's own: what a node still waits for, its children's bookkeeping, its attempt, the handle it came
        # from and its place in the order of declaration.
        self._waits = CLOSED
        self._group: Any = None
        self._attempt: Any = None
        self._child: Any = None
        self._order = 0

    # -- what it is ----------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """What people see; the id where no name was given."""
        return self.id if self._name is None else self._name

    @name.setter
    def name(self, name: str | None) -> None:
        self._name = name

    @property
    def parallel(self) -> bool:
        """Whether the children run at the same time. Not to be changed while the tree runs."""
        return self.options.parallel

    @parallel.setter
    def parallel(self, parallel: bool) -> None:
        self._refuse_while_running("parallel")
        node_options(f"node '{self.id}'", parallel=parallel)
        self.options = replace(self.options, parallel=parallel)
        if self._tree is not None:
            self._tree.version += 1

    @property
    def task_fn(self) -> TaskFunction | None:
        """The body, called with the node; None for a node that only groups its children. Not to be changed in a run."""
        return self._body

    @task_fn.setter
    def task_fn(self, body: TaskFunction | None) -> None:
        self._refuse_while_running("task_fn")
        checked = None if body is None else checked_body(self.id, body)
        if self._tree is None:
            self._body = checked
        else:
            self._tree.apply_body(self, checked)

    def _refuse_while_running(self, what: str) -> None:
        if self._tree is not None and self._tree.is_running:
            raise TreeRunningError(f"node '{self.id}': {what} cannot be changed while the tree runs")

    @property
    def data(self) -> dict[str, Any]:
        """The user's payload; made when first asked for."""
        if self._data is None:
            self._data = {}
        return self._data

    @data.setter
    def data(self, data: dict[str, Any]) -> None:
        if not isinstance(data, dict):
            raise TypeError(f"node '{self.id}': data is {data!r}; expected a dict")
        self._data = data

    # -- how it stands -------------------------------------------------------------------------------------------

    @property
    def status(self) -> TaskStatus:
        """The node's state; compares equal to its name as a string."""
        return self._status

    @status.setter
    def status(self, status: str) -> None:
        new = checked_status(self.id, status)
        if self._tree is None:
            self._status = new
            return
        if self._tree.is_running:
            raise StatusError(self.id, self._status, new, "the tree runs, and only the engine may change a status then")
        self._tree.move(self, new, self._tree.now())

    @property
    def progress(self) -> tuple[int, int] | None:
        """(current, total) in units of the body's own choice, or None. May be set from any thread."""
        tree = self._tree
        if tree is not None and tree.late_progress:
            return tree.late_progress.get(self, self._progress)
        return self._progress

    @progress.setter
    def progress(self, progress: tuple[int, int] | None) -> None:
        checked = None if progress is None else checked_progress(self.id, progress)
        if self._tree is None:
            self._progress = checked
        else:
            self._tree.set_progress(self, checked)

    @property
    def error(self) -> str | None:
        """The message of the last failure, or None."""
        return None if self._trouble is None else self._trouble.error

    @error.setter
    def error(self, error: str | None) -> None:
        if error is not None or self._trouble is not None:
            self._troubled().error = error

    @property
    def exception(self) -> BaseException | None:
        """What the last failed attempt raised, or None."""
        return None if self._trouble is None else self._trouble.exception

    @exception.setter
    def exception(self, exception: BaseException | None) -> None:
        if exception is not None or self._trouble is not None:
            self._troubled().exception = exception

    @property
    def reason(self) -> str | None:
        """Why the node was skipped or cancelled, or what it waits for while the tree runs, or None. From any thread."""
        said = None if self._trouble is None else self._trouble.reason
        return reason_to_wait(self) if said is None and self._tree is not None else said

    @reason.setter
    def reason(self, reason: str | None) -> None:
        if reason is not None or self._trouble is not None:
            self._troubled().reason = reason

    @property
    def log(self) -> list[str]:
        """The lines that the body has put out: the last 64 KB of them, of all attempts.

        They come from `run_process`, and while a live display or the command line runs the tree, from `print` and
        `logging` as well.
        """
        for settle in before_reading:
            settle()
        log = None if self._trouble is None else self._trouble.log
        return [] if log is None else log.lines()

    def kept_log(self) -> bytes:
        """Return all lines that are still in memory of what the body has put out, each with its end."""
        log = None if self._trouble is None else self._trouble.log
        return b"" if log is None else log.text()

    def extend_log(self, lines: bytes, *, keeps_more: bool = False) -> bytes:
        """Add whole lines to the log; return those that make room. The bare addition: no listener is told."""
        trouble = self._troubled()
        if trouble.log is None:
            from treetask.model._log import Log

            trouble.log = Log()
        return trouble.log.add(lines, keeps_more=keeps_more)

    def _troubled(self) -> Trouble:
        if self._trouble is None:
            self._trouble = Trouble()
        return self._trouble

    @property
    def elapsed(self) -> float | None:
        """Seconds from the first start to the end, or until now; None before the start."""
        if self.started_at is None:
            return None
        if self.ended_at is not None:
            return self.ended_at - self.started_at
        return None if self._tree is None else self._tree.now() - self.started_at

    def is_done(self) -> bool:
        """Whether the node has ended, however it did."""
        return self._status.is_terminal

    def is_successful(self) -> bool:
        """Whether the node ended well."""
        return self._status is TaskStatus.DONE

    # -- its place -----------------------------------------------------------------------------------------------

    @property
    def children(self) -> list[TaskNode]:
        """The children in their order, to read; `add_child` adds one.

        Without those that were folded (`keep_done="rollup"`); the list is true where any were, even if none is left.
        """
        return self._children

    def add_child(self, child: TaskNode) -> TaskNode:
        """Add a child, with all that is below it, and return it.

        While the tree runs this may be called from any thread; the child starts after the body of this node, or at
        once where the body is done and the children run in parallel.

        Raises `NodeOwnedError` if the child has a parent, is an ancestor or the root of a tree, `DuplicateNodeError` if
        the tree has its id, `FinishedParentError` if this node has ended, `DefinitionError` for dependencies that
        cannot be met.
        """
        if not isinstance(child, TaskNode):
            raise TypeError(f"node '{self.id}': a child is {child!r}; expected a TaskNode")
        if self._tree is None:
            if self._folded_in() is not None:
                raise FinishedParentError(self.id, self._status, child.id)
            check_free(child, self)
            self.adopt(child)
        else:
            self._tree.add(child, self)
        return child

    def spawn(self, task: Spawnable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Child[T]:
        """Start a child of a declared task below this node, at once, and return it to be awaited.

        It belongs to this node. Where the body of another one has started it, it stays when that body fails, and is not
        taken over when that is repeated: a second child of its key is refused, as at any time.

        Raises `TreeRunningError` outside a run, and what `yield task.child(...)` would raise.
        """
        check_spawnable(self.id, task)
        child: Child[T] = task.child(*args, **kwargs)
        self._driver("spawn").spawn(child, self)
        return child

    @overload
    async def run_process(
        self,
        command: Command,
        *,
        capture_output: Literal[True],
        input: bytes | None = None,
        cwd: str | PathLike | None = None,
        env: Mapping[str, str] | None = None,
        check: bool = True,
    ) -> ProcessResult[bytes]: ...
    @overload
    async def run_process(
        self,
        command: Command,
        *,
        capture_output: bool = False,
        input: bytes | None = None,
        cwd: str | PathLike | None = None,
        env: Mapping[str, str] | None = None,
        check: bool = True,
    ) -> ProcessResult: ...
    async def run_process(
        self,
        command: Command,
        *,
        capture_output: bool = False,
        input: bytes | None = None,
        cwd: str | PathLike | None = None,
        env: Mapping[str, str] | None = None,
        check: bool = True,
    ) -> ProcessResult:
        """Run a command in a process, wait for its end and return how it was; what it puts out is this node's log.

        For the body of this node alone; a plain `def` body writes `anyio.from_thread.run(node.run_process, command)`.
        A string is a line for the shell, a sequence a program and its arguments. With `capture_output` the result has
        all of `stdout` and `stderr`, in memory. There is no terminal to ask at: standard input is `input`, or empty.

        Whatever ends the wait ends the process and what it has started: they are asked to, and killed after the
        config's `grace`. What a process leaves running in the background when it ends is let go.

        Raises `ProcessFailed` for an exit status that is not 0, unless `check` is False; `OSError` if there is no such
        program or folder; `TreeRunningError` anywhere else than in the running body.
        """
        from treetask.model._process import process_order

        driver = self._driver("run_process")
        order = process_order(
            self.id, command, input=input, cwd=cwd, env=env, check=check, capture_output=capture_output
        )
        return await driver.run_process(self, order)

    def cancel(self, reason: str | None = None) -> None:
        """Stop this node and all below it, from any thread. Raises `TreeRunningError` outside a run."""
        self._driver("cancel").cancel(self, reason)

    @property
    def cancel_requested(self) -> bool:
        """Whether the body is to stop; for plain bodies to look at now and then, since nothing can interrupt them.

        A thread that was left behind, by a cancel or a timeout, sees it stay true, whatever becomes of the node.
        """
        here = left_behind.get(None)
        if here is not None and here[0] is self and here[1]():
            return True
        driver = None if self._tree is None else self._tree._driver
        return driver is not None and driver.is_stopping(self)

    def _driver(self, wanted: str) -> Driver:
        tree = self._folded_in() if self._tree is None else self._tree
        driver = None if tree is None else tree._driver
        if driver is None:
            raise TreeRunningError(f"node '{self.id}': {wanted} works only while the tree runs")
        return driver

    def _folded_in(self) -> TaskTree | None:
        """Return the tree in which this node was folded into a group; None if it was not."""
        is_folded = self._tree is None and self._status is TaskStatus.DONE and self.parent is not None
        return self.get_root()._tree if is_folded else None

    def remove_child(self, child: TaskNode) -> bool:
        """Remove a child with all that is below it; return whether it was one. Not while the tree runs."""
        if child.parent is not self or child._tree is not self._tree:
            return False
        if self._tree is None:
            self.disown(child)
        elif self._tree.is_running:
            raise TreeRunningError(f"node '{child.id}' cannot be removed while its tree runs")
        else:
            self._tree.remove(child)
        return True

    def adopt(self, child: TaskNode) -> None:
        """Link a checked child. The bare link: the tree's books are the caller's affair."""
        if self._children is NO_CHILDREN:
            self._children = Children()
        append(self._children, child)
        child.parent = self

    def disown(self, *children: TaskNode) -> None:
        """Undo the links of `adopt`."""
        if len(children) == 1:
            remove(self._children, children[0])
        else:
            gone = set(children)
            self._children = type(self._children)(child for child in self._children if child not in gone)
        if not self._children:
            self._children = NO_CHILDREN
        for child in children:
            child.parent = None

    def is_leaf(self) -> bool:
        """Whether the node has no children."""
        return not self._children

    def get_ancestors(self) -> list[TaskNode]:
        """Return the nodes above this one, from the parent to the root."""
        ancestors: list[TaskNode] = []
        node = self.parent
        while node is not None:
            ancestors.append(node)
            node = node.parent
        return ancestors

    def get_depth(self) -> int:
        """Return how many nodes are above this one; 0 for a root."""
        return len(self.get_ancestors())

    def get_root(self) -> TaskNode:
        """Return the topmost ancestor, which may be the node itself."""
        node: TaskNode = self
        while node.parent is not None:
            node = node.parent
        return node

    def find_child(self, child_id: str) -> TaskNode | None:
        """Return the child of that id, or None."""
        return next((child for child in self._children if child.id == child_id), None)

    def walk(self) -> Iterator[TaskNode]:
        """Yield the node and all below it, parents before children, in their order."""
        waiting: list[TaskNode] = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node._children))

    def reset(self) -> None:
        """Bring the node alone back to where it was before it ran, its progress to 0. Not while the tree runs.

        `data` stays as it is.
        """
        if self._tree is not None and self._tree.is_running:
            raise TreeRunningError(f"node '{self.id}' cannot be reset while its tree runs")
        if self._tree is not None and self._status is not TaskStatus.PENDING:
            self._tree.reset_node(self)
        self._status = TaskStatus.PENDING
        self._trouble = self.result = self.started_at = self.ended_at = self._group = self._attempt = self._child = None
        self.retry_count = 0
        self._waits = CLOSED
        if self._progress is not None:
            self.progress = (0, self._progress[1])

    def __repr__(self) -> str:
        return f"<TaskNode '{self.id}' {self._status}, {len(self._children)} children>"


def node_of(id: str, name: str | None, body: TaskFunction | None, options: NodeOptions) -> TaskNode:
    """Return a node of parts that were checked before, in half the time."""
    node = _new(TaskNode)
    node.id = id  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue] - it is new
    node._set_out(name, body, options)
    return node


def check_free(child: TaskNode, parent: TaskNode) -> None:
    """Refuse a child that has a parent, is the root of a tree, or would become its own ancestor."""
    if child.parent is not None:
        raise NodeOwnedError(child.id, f"it is already a child of '{child.parent.id}'", parent.id)
    # Only the topmost ancestor has no parent, so it alone could close a circle.
    if child is parent or (child._children and parent.get_root() is child):
        raise NodeOwnedError(child.id, "it is the node itself or above it", parent.id)
    if child._tree is not None:
        raise NodeOwnedError(child.id, "it is the root of a tree", parent.id)
