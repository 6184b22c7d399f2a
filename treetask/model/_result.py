"""What came of a run: the result, and the two errors that carry one."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final, Generic, Protocol, cast

from typing_extensions import Self, TypeVar

from treetask._errors import TreeTaskError
from treetask.model._node import TaskNode
from treetask.model._spawn import TaskFailed
from treetask.model._status import FAILURES, TaskStatus
from treetask.model._tree import TaskTree

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup, ExceptionGroup

R_co = TypeVar("R_co", covariant=True, default=Any)
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Handle(Protocol[T_co]):
    """A declaration whose nodes a result can be asked for."""

    @property
    def output(self) -> T_co:
        """Statically the result's type."""
        ...

    @property
    def label(self) -> str:
        """The name that messages use."""
        ...

    def nodes_in(self, tree: TaskTree) -> list[TaskNode]:
        """Return the nodes of a tree that were made from this declaration, in the order of the tree."""
        ...


class NoResultError(TreeTaskError, KeyError):
    """A result that a run does not have, or not just one of."""

    def __str__(self) -> str:
        # A KeyError shows what a mapping was asked for; this is a sentence.
        return str(self.args[0])


class ExecutionResult(Generic[R_co]):
    """What came of a tree. May be made by hand from any tree."""

    def __init__(self, tree: TaskTree) -> None:
        if not isinstance(tree, TaskTree):
            raise TypeError(f"an ExecutionResult is made from a TaskTree, not {tree!r}")
        self.tree: Final = tree

    @property
    def success(self) -> bool:
        """Whether the root is done."""
        return self.tree.root.status is TaskStatus.DONE

    @property
    def failed_nodes(self) -> list[TaskNode]:
        """All nodes that failed or timed out, those whose failure was handled too, in the order of the tree."""
        return self.tree.get_failed_nodes()

    @property
    def stats(self) -> dict[str, int]:
        """How many nodes are in each status, and the `total`."""
        return self.tree.get_stats()

    @property
    def value(self) -> R_co:
        """What the root's body returned."""
        return self.tree.root.result  # type: ignore[no-any-return]

    def __getitem__(self, task: Handle[T], /) -> T:
        """Return the result of the one node that was made from a declaration.

        Raises `NoResultError` if there is none, if there are several (`all` has those), or if it did not end well.
        """
        nodes = self._nodes_of(task)
        if len(nodes) != 1:
            fix = "use result.all(handle)" if nodes else "it was not part of this run"
            if not nodes and self.tree.folds is not None:
                fix += ", or it is done and its result is gone (its group says keep_done='rollup')"
            raise NoResultError(f"'{task.label}' has {len(nodes)} nodes in '{self.tree.root.id}'; {fix}")
        if nodes[0].status is not TaskStatus.DONE:
            raise NoResultError(f"'{nodes[0].id}' has no result: it is {nodes[0].status}")
        return nodes[0].result  # type: ignore[no-any-return]

    def all(self, task: Handle[T], /) -> list[T]:
        """Return the results of all nodes of a declaration that are done, in the order of the tree.

        Not of those that were folded into a group with `keep_done="rollup"`: their results are gone.
        """
        return [node.result for node in self._nodes_of(task) if node.status is TaskStatus.DONE]

    def _nodes_of(self, task: Handle[Any]) -> list[TaskNode]:
        # What stands for the result of a task has every attribute, but not by its type.
        if not hasattr(type(task), "nodes_in"):
            raise TypeError(
                f"the result of '{self.tree.root.id}' was asked for {task!r}; expected a declared task or group, as in "
                "result[task]; the node of an id is result.tree.find(id)"
            )
        return task.nodes_in(self.tree)

    def __repr__(self) -> str:
        return f"<ExecutionResult of '{self.tree.root.id}', root {self.tree.root.status}>"


def unhandled(failed: Collection[TaskNode]) -> list[TaskNode]:
    """Return those of all nodes that failed whose failure is one of the run.

    It is none if a body claimed it, or that of a group around it, or if one of these is allowed to fail or ended well
    all the same. But who is allowed to fail, and then let pass by a body that asked for its result, has failed the run.
    """
    let_pass = {
        child.node
        for node in failed
        if isinstance(node.exception, TaskFailed)
        for child in (node.exception.child, *node.exception.others)
    }
    known: dict[TaskNode, bool] = {}
    return [node for node in failed if not _is_handled(node, let_pass, known)]


def _is_handled(node: TaskNode, let_pass: set[TaskNode], known: dict[TaskNode, bool]) -> bool:
    """Look at a node and all around it, but at none of them twice: what is `known` holds for those below as well."""
    path: list[TaskNode] = []
    is_handled = False
    around: TaskNode | None = node
    while around is not None and not is_handled and around not in known:
        path.append(around)
        is_claimed = around._child is not None and around._child.claimed
        is_allowed = around.options.allow_failure and around.parent is not None and around not in let_pass
        is_handled = around.status is TaskStatus.DONE or is_claimed or is_allowed
        around = around.parent
    if not is_handled and around is not None:
        is_handled = known[around]
    known.update(dict.fromkeys(path, is_handled))
    return is_handled


def has_raised(node: TaskNode) -> bool:
    """Whether a node that failed did so by itself. Those that failed because of it are as many as the tree is deep."""
    error = node.exception
    return not _tells_of_failure(error) if isinstance(error, TaskFailed) else error is not None


def is_from_below(node: TaskNode, status: TaskStatus, exception: BaseException | None) -> bool:
    """Whether a node that has failed, or is to be repeated, did so because a node below it has failed."""
    if isinstance(exception, TaskFailed):
        # By the time that this is asked, what was below an attempt that is repeated has begun anew or is gone.
        return status is TaskStatus.RETRYING or (_tells_of_failure(exception) and _is_below(exception.child.node, node))
    if exception is not None or status is TaskStatus.TIMED_OUT:
        return False
    return status is TaskStatus.RETRYING or any(child.status in FAILURES for child in node.children)


def _tells_of_failure(error: TaskFailed) -> bool:
    # Of children of which none failed it tells as well: they were cancelled or skipped, and raised nothing.
    return any(child.node.status in FAILURES for child in (error.child, *error.others))


def _is_below(node: TaskNode, ancestor: TaskNode) -> bool:
    parent = node.parent
    while parent is not None and parent is not ancestor:
        parent = parent.parent
    return parent is ancestor


def leaf_exceptions(error: BaseException) -> Iterator[BaseException]:
    """Yield the exceptions of a group, however deep; one that is no group as it is."""
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseExceptionGroup):
            waiting.extend(reversed(cast("BaseExceptionGroup[BaseException]", one).exceptions))
        else:
            yield one


class TreeFailed(TreeTaskError, ExceptionGroup[Exception]):
    """A run in which something failed that nobody handled.

    A flat group of what the bodies raised, each with a note that names its node. `result` has the whole tree.
    """

    result: ExecutionResult[Any]

    def __new__(cls, message: str, exceptions: Sequence[Exception], result: ExecutionResult[Any]) -> Self:
        group = super().__new__(cls, message, exceptions)
        group.result = result
        return group

    def __init__(self, message: str, exceptions: Sequence[Exception], result: ExecutionResult[Any]) -> None:
        super().__init__(message, exceptions)

    # Groups of exceptions that are no `Exception` are the base class's affair; it never asks this one for such.
    def derive(  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        self, excs: Sequence[Exception], /
    ) -> TreeFailed:
        return TreeFailed(self.message, excs, self.result)


class TreeCancelled(TreeTaskError):
    """A run that `AsyncExecutor.cancel` stopped. `result` has what was done before."""

    def __init__(self, reason: str | None, result: ExecutionResult[Any]) -> None:
        super().__init__(f"'{result.tree.root.id}' was cancelled{f': {reason}' if reason else ''}")
        self.reason: Final = reason
        self.result: Final = result
