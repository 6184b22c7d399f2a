"""What a run has done before: found when it is gone on with, and given back to the tree, node by node.

A node that is done comes back done, with its result, if it is the same: of the same id, arguments and version, and what
it took of others is what these come to by now. Below it everything is as it was on record. What is not done runs again,
and so does what was done and whose result could not be stored, if somebody needs it. What always runs does so again
below what is not done, which it cleans up after.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, cast

from treetask.dsl import results_taken, results_taken_by_templates
from treetask.model import Forecast, TaskNode, TaskStatus, TaskTree, kind_of
from treetask.store._codec import NotReadable, decode_result
from treetask.store._dialect import Connection, Row
from treetask.store._entries import Bodies, declaration_of, version_text
from treetask.store._fingerprint import Fingerprints
from treetask.store._takers import Standing, Takers
from treetask.store._text import id_of_key, key_text
from treetask.store._types import result_type

_COLUMNS: Final = (
    *("key", "fingerprint", "version", "code", "status", "attempts", "started_at", "ended_at", "result", "is_stored"),
    *("error", "reason"),
)


@dataclass(frozen=True, slots=True)
class _Record:
    """A node as it was."""

    fingerprint: str | None
    version: str | None
    code: str | None
    status: TaskStatus
    attempts: int
    started_at: float | None
    ended_at: float | None
    result: bytes | None
    is_stored: bool
    error: str | None
    reason: str | None


class Past:
    """What is on record of the nodes of one run that have ended."""

    def __init__(self, connection: Connection, run: int, *, is_same_python: bool) -> None:
        rows = connection.rows(f"select {', '.join(_COLUMNS)} from nodes where run = ?", (run,))
        self._records: Final = {row[0]: _record(row[1:]) for row in rows if TaskStatus(row[4]).is_terminal}
        self._is_same_python: Final = is_same_python
        self._bodies: Final = Bodies()
        self._fingerprints = Fingerprints({})
        self._takers: Final = Takers(self._standing, self._needs_its_parent)
        #: How many nodes have come back done.
        self.adopted = 0
        #: Those that have come back done without their results.
        self.lacking: Final[set[TaskNode]] = set()
        #: The declarations whose functions are not the ones that have made results which came back.
        self.changed: Final[dict[str, None]] = {}

    def adopt_tree(self, tree: TaskTree, at: float) -> None:
        """Let the nodes of a tree that is about to run be as they were."""
        self._fingerprints = Fingerprints(tree.given)
        done = self._done(tree.walk())
        self._takers.take_out(tree.walk(), done)
        missing = {node for node in done if not self._records[key_text(node.id)].is_stored}
        waiting = [node for node in tree.walk() if node not in done]
        if missing and any(_spawns(node) for node in waiting):
            by_templates = results_taken_by_templates(tree)
            waiting += _taken_out({node for node in missing if node.id in by_templates}, missing, done)
        while waiting:
            node = waiting.pop()
            waiting += self._around(node, done)
            if missing:
                taken = results_taken(node)
                children = node._children if _spawns(node) else ()
                needed = missing.intersection([*map(tree.find, taken), *children])
                waiting += _taken_out(needed, missing, done)
        self._adopt(tree.root, done, at)

    def adopt(self, top: TaskNode, at: float) -> None:
        """Let a node be as it was that is about to come into the tree while it runs, and what is below it."""
        record = self._records.get(key_text(top.id)) if self._records else None
        if record is None and not top._children:
            return
        if record is not None and not self._has_same_arguments(top, record):
            return  # nor is anything below it what it was
        if record is not None and not top._children and not top.options.depends_on:
            self._adopt_leaf(top, record, at)
            return
        # Whoever lets it come in may ask for any result: what came of none that could be stored runs again.
        done = self._done(top.walk())
        done = {node for node in done if self._records[key_text(node.id)].is_stored}
        self._takers.take_out(top.walk(), done)
        waiting = [node for node in top.walk() if node not in done]
        while waiting:
            waiting += self._around(waiting.pop(), done)
        self._adopt(top, done, at)

    def _adopt_leaf(self, node: TaskNode, record: _Record, at: float) -> None:
        """What most children are: alone, and given all that they take."""
        del self._records[key_text(node.id)]
        is_done = record.status is TaskStatus.DONE and record.is_stored and not node.options.always
        if is_done and record.version == version_text(node):
            self._restore(node, record, at)

    def leave_out_of(self, forecast: Forecast) -> None:
        """Let nothing be expected of what is done."""
        for key, record in self._records.items():
            if record.status is TaskStatus.DONE:
                forecast.leave_out(declaration_of(id_of_key(key)))

    def _around(self, node: TaskNode, done: set[TaskNode]) -> list[TaskNode]:
        """Let what runs again together with a node not come back either; return it.

        What was done and runs again does so within what is around it; below that, what always runs does so as well.
        """
        record, parent = self._records.get(key_text(node.id)), node.parent
        again = [child for child in node._children if child.options.always and child in done]
        if parent in done and record is not None and record.status is TaskStatus.DONE:
            again.append(parent)
        done.difference_update(again)
        return again

    def _adopt(self, top: TaskNode, done: Container[TaskNode], at: float) -> None:
        inside: set[TaskNode] = set()
        for node in list(top.walk()):
            record = self._records.pop(key_text(node.id), None)
            if node.parent in inside:
                inside.add(node)
                if not _restore_below(node, record, at):
                    self.lacking.add(node)
            elif node in done and record is not None and self._restore(node, record, at):
                inside.add(node)

    def _done(self, nodes: Iterable[TaskNode]) -> set[TaskNode]:
        """Return those that were done, of nodes that come after what is around them."""
        done: set[TaskNode] = set()
        for node in nodes:
            record = self._records.get(key_text(node.id))
            if record is None or record.status is not TaskStatus.DONE or not self._was_declared_so(node, record):
                continue
            # What always runs has cleaned up after all that is around it, if that is done.
            if not node.options.always or node.parent in done:
                done.add(node)
        return done

    def _was_declared_so(self, node: TaskNode, record: _Record) -> bool:
        return record.version == version_text(node) and self._has_same_arguments(node, record)

    def _has_same_arguments(self, node: TaskNode, record: _Record) -> bool:
        """Whether a node is the one on record, as far as its own arguments tell; one that has none is."""
        fingerprint = self._fingerprints.of(node)
        return fingerprint == record.fingerprint and (fingerprint is not None or node._child is None)

    def _needs_its_parent(self, node: TaskNode) -> bool:
        """Whether what is around a node that runs again does so, too; it had its say in how others ended."""
        record = self._records.get(key_text(node.id))
        return record is None or record.status is TaskStatus.DONE

    def _standing(self, node: TaskNode) -> Standing:
        """Return what is to be expected of a node that does not come back done."""
        record = self._records.get(key_text(node.id))
        if node._status.is_terminal or (record is not None and record.status is TaskStatus.SKIPPED):
            return Standing.FOLLOWS
        if record is None or record.status is not TaskStatus.DONE:
            return Standing.OTHER
        return Standing.SAME if self._was_declared_so(node, record) else Standing.OTHER

    def _restore(self, node: TaskNode, record: _Record, at: float) -> bool:
        """Let a node be done again; False if what is stored is not of the type that is declared by now."""
        result = None
        wanted, code = self._bodies.look_at(node.task_fn)
        if record.is_stored:
            try:
                result = decode_result(record.result or b"", wanted)
            except NotReadable:
                return False
        else:
            self.lacking.add(node)
        if self._is_same_python and record.code is not None and code != record.code:
            self.changed[declaration_of(node.id)] = None
        _set_status(node, record, at)
        node.result = result
        if isinstance(result, dict):
            node.data.update(cast("dict[str, Any]", result))
        self.adopted += 1
        return True


def _spawns(node: TaskNode) -> bool:
    return node.task_fn is not None and kind_of(node.task_fn).yields


def _taken_out(nodes: set[TaskNode], *others: set[TaskNode]) -> set[TaskNode]:
    """Return nodes, which are in other sets no more."""
    for each in others:
        each.difference_update(nodes)
    return nodes


def _record(row: Row) -> _Record:
    fingerprint, version, code, status, attempts, started_at, ended_at, result, is_stored, error, reason = row
    return _Record(
        fingerprint=fingerprint,
        version=version,
        code=code,
        status=TaskStatus(status),
        attempts=attempts,
        started_at=started_at,
        ended_at=ended_at,
        result=result,
        is_stored=bool(is_stored),
        error=error,
        reason=reason,
    )


def _restore_below(node: TaskNode, record: _Record | None, at: float) -> bool:
    """Let a node below one that is done be as it was, however it ended: it had its say in that.

    Return whether its result has come back.
    """
    if record is None:
        record = _NOTHING
    _set_status(node, record, at)
    node.error, node.reason = record.error, record.reason
    if record.is_stored:
        with suppress(NotReadable):
            node.result = decode_result(record.result or b"", result_type(node.task_fn))
            return True
    return False


_NOTHING: Final = _Record(
    fingerprint=None,
    version=None,
    code=None,
    status=TaskStatus.SKIPPED,
    attempts=0,
    started_at=None,
    ended_at=None,
    result=None,
    is_stored=False,
    error=None,
    reason="not on record",
)


def _set_status(node: TaskNode, record: _Record, at: float) -> None:
    tree = node._tree
    if tree is None:
        node.status = record.status
    else:
        if record.status is TaskStatus.TIMED_OUT:
            tree.move(node, TaskStatus.WORKING, at)
        tree.move(node, record.status, at)
    if record.started_at is not None and record.ended_at is not None:
        node.started_at = at - (record.ended_at - record.started_at)
        node.ended_at = at
    node.retry_count = max(record.attempts - 1, 0)
