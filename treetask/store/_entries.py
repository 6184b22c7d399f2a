"""What a journal writes of a node: the row that stands for it, made in the writer's thread."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any, Final

from treetask.model import TaskNode, TaskStatus
from treetask.store._codec import NotStorable, encode_result
from treetask.store._fingerprint import Fingerprints, code_digest
from treetask.store._text import clean, key_text
from treetask.store._types import result_type

_logger: Final = logging.getLogger("treetask")

NODE_COLUMNS: Final = (
    *("run", "key", "parent", "name", "declaration", "fingerprint", "version", "code", "status", "attempts"),
    *("started_at", "ended_at", "result", "is_stored", "error", "reason"),
)
NODE_KEY: Final = ("run", "key")
#: What a later row says of a node; the rest stays as it was.
NODE_CHANGES: Final = tuple(name for name in NODE_COLUMNS if name not in {"run", "key", "parent", "name"})

#: Functions that are remembered: more than a pipeline has, unless it makes one for each child.
_MOST_BODIES: Final = 256

#: What stands in brackets in an id: the key of a child. It ends at the first `]` before a `/` or the end.
_KEY: Final = re.compile(r"\[.*?\](?=/|\Z)", re.DOTALL)


def declaration_of(node_id: str) -> str:
    """Return what a node is one of many of: its id without the arguments of children."""
    return _KEY.sub("", node_id) if "[" in node_id else node_id


def version_text(node: TaskNode) -> str | None:
    """Return the version that a node was declared with, as it is on record: 1 and "1" are two."""
    version = node.options.version
    return None if version is None else f"{version!r}"


class Bodies:
    """What bodies are declared to return, and digests of their code; siblings often have the same function."""

    def __init__(self) -> None:
        self._known: Final[dict[Any, tuple[object, str | None]]] = {}

    def look_at(self, body: Any) -> tuple[object, str | None]:
        """Return the type of a body's result, and a digest of its code; None for one that has none to see."""
        if body is None:
            return Any, None
        function = getattr(body, "fn", body)
        try:
            known = self._known.get(function)
        except TypeError:  # a callable object that cannot be hashed
            return result_type(body), code_digest(body) or None
        if known is None:
            if len(self._known) >= _MOST_BODIES:
                self._known.clear()
            known = self._known[function] = result_type(body), code_digest(body) or None
        return known


class Describer:
    """Makes the rows of one run. For one thread."""

    def __init__(self, run: int, to_wall: Callable[[float], float], fingerprints: Fingerprints) -> None:
        self._run: Final = run
        #: From the run's clock to seconds since the epoch.
        self.to_wall: Final = to_wall
        self._fingerprints: Final = fingerprints
        self._bodies: Final = Bodies()
        self._warned: Final[set[str]] = set()

    def row(
        self, node: TaskNode, parent: TaskNode | None, status: TaskStatus, at: float, *, has_result: bool = True
    ) -> tuple[Any, ...]:
        """Return the row of a node that is in a status now. One that is done may be so without its result."""
        declaration = declaration_of(node.id)
        wanted, code = self._bodies.look_at(node._body)
        is_done = status is TaskStatus.DONE
        result = self._result(node, wanted, declaration) if is_done and has_result else None
        trouble = node._trouble
        return (
            self._run,
            key_text(node.id),
            None if parent is None else key_text(parent.id),
            None if node._name is None else clean(node._name),
            clean(declaration),
            self._fingerprints.of(node),
            version_text(node),
            code,
            status.value,
            node.retry_count + (status is not TaskStatus.PENDING and node.started_at is not None),
            None if node.started_at is None else self.to_wall(node.started_at),
            self.to_wall(at) if status.is_terminal else None,
            result,
            int(result is not None),
            None if trouble is None or trouble.error is None or is_done else clean(trouble.error),
            None if trouble is None or trouble.reason is None else clean(trouble.reason),
        )

    def _result(self, node: TaskNode, wanted: object, declaration: str) -> bytes | None:
        """Return the result of a node as it is stored; None, with one warning for all of its kind, if it cannot be."""
        try:
            return encode_result(node.result, wanted)
        except NotStorable as problem:
            if declaration not in self._warned:
                self._warned.add(declaration)
                _logger.warning(
                    "the result of '%s' is not stored: %s. Should the run be resumed, it runs again if that is needed",
                    clean(node.id),
                    problem.why,
                )
            return None
