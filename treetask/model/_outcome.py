"""How a task ended, for who waits for its end however it is."""

from __future__ import annotations

from typing import Any, Final, Generic

from typing_extensions import TypeVar

from treetask.model._node import TaskNode
from treetask.model._result import NoResultError
from treetask.model._status import TaskStatus

R_co = TypeVar("R_co", covariant=True, default=Any)


class Outcome(Generic[R_co]):
    """The end of a task, good or bad: `out: Outcome[str] = publish.outcome`."""

    __slots__ = ("_value", "error", "status")

    def __init__(self, node: TaskNode) -> None:
        #: How it ended: done, failed, timed_out, skipped or cancelled.
        self.status: Final = node.status
        #: What it raised; a `NoResultError` that says why where it raised nothing, as when it was skipped; else None.
        self.error: Final[BaseException | None] = None if self.ok else node.exception or _no_result(node)
        self._value: Final = node.result

    @property
    def ok(self) -> bool:
        """Whether there is a value."""
        return self.status is TaskStatus.DONE

    @property
    def value(self) -> R_co:
        """What the task returned. Raises its `error` where it did not end well."""
        if self.error is not None:
            raise self.error
        return self._value  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"<Outcome {self.status}: {self._value if self.ok else self.error!r}>"


def _no_result(node: TaskNode) -> NoResultError:
    why = "" if node.reason is None else f" ({node.reason})"
    return NoResultError(f"'{node.id}' has no result: it is {node.status}{why}")
