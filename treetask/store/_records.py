"""What is on record of the nodes of a run, for whoever shows or selects them. Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from treetask.model import TaskStatus
from treetask.store._dialect import Connection
from treetask.store._text import id_of_key, key_text

#: Statuses that `state:failed` stands for: who asks for what failed wants what ran out of time as well.
_FAILED: Final = frozenset({TaskStatus.FAILED, TaskStatus.TIMED_OUT})
#: A group has these because of what is below it.
_FROM_BELOW: Final = frozenset(
    {TaskStatus.FAILED, TaskStatus.TIMED_OUT, TaskStatus.CANCELLED, TaskStatus.WORKING, TaskStatus.RETRYING}
)


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """An attempt that was repeated. Times are seconds since the epoch."""

    number: int
    ended_at: float | None
    error: str | None


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """A node as it is on record. Times are seconds since the epoch."""

    id: str
    #: The id of the parent; None for the root.
    parent: str | None
    name: str
    status: TaskStatus
    attempts: int
    started_at: float | None
    ended_at: float | None
    error: str | None
    reason: str | None
    #: Whether its result is there, to be taken over.
    is_stored: bool
    #: The attempts before the last one, as far as they are known.
    earlier: tuple[AttemptRecord, ...]
    #: The lines of its log, where it did not end well.
    log: tuple[str, ...]


def node_records(connection: Connection, run: int) -> list[NodeRecord]:
    """Return the nodes of a run in the order in which they began, those last that never did."""
    attempts: defaultdict[str, list[AttemptRecord]] = defaultdict(list)
    for key, *rest in connection.rows(
        "select key, number, ended_at, error from attempts where run = ? and status <> 'working' order by key, number",
        (run,),
    ):
        attempts[key].append(AttemptRecord(*rest))
    logs: dict[str, str | None] = dict(connection.rows("select key, lines from logs where run = ?", (run,)))
    rows = connection.rows(
        "select key, parent, name, status, attempts, started_at, ended_at, error, reason, is_stored from nodes"
        " where run = ? order by coalesce(started_at, 1e300), coalesce(ended_at, 1e300), key",
        (run,),
    )
    return [
        NodeRecord(
            id=id_of_key(key),
            parent=None if parent is None else id_of_key(parent),
            name=name_of(id_of_key(key), None if parent is None else id_of_key(parent)) if name is None else name,
            status=TaskStatus(status),
            attempts=count or 0,
            started_at=started_at,
            ended_at=ended_at,
            error=error,
            reason=reason,
            is_stored=bool(is_stored),
            earlier=tuple(attempts.get(key, ())),
            log=tuple((logs.get(key) or "").splitlines()),
        )
        for key, parent, name, status, count, started_at, ended_at, error, reason, is_stored in rows
    ]


def name_of(node_id: str, parent: str | None) -> str:
    return node_id if parent is None else node_id.removeprefix(f"{parent}/")


def status_counts(connection: Connection, run: int) -> Mapping[str, int]:
    """Return how many tasks of a run, nodes without children, are on record in each status."""
    return dict(
        connection.rows(
            "select status, count(*) from nodes where run = ? and key not in"
            " (select parent from nodes where run = ? and parent is not null) group by status",
            (run, run),
        )
    )


def tasks_done(connection: Connection, run: int) -> int:
    """Return how many nodes of a run are done that have a body, or nothing below them."""
    row = connection.row(
        "select count(*) from nodes where run = ? and status = 'done' and (code is not null or key not in"
        " (select parent from nodes where run = ? and parent is not null))",
        (run, run),
    )
    return 0 if row is None else int(row[0])


class RunEndings:
    """How the nodes of a run were left: what selectors like `state:failed` go by. See `treetask.model.Endings`."""

    def __init__(self, connection: Connection, run: int) -> None:
        self.run: Final = f"run {run}"
        rows = connection.rows("select key, parent, status from nodes where run = ?", (run,))
        self._parents: Final = {key: parent for key, parent, _ in rows}
        self._statuses: Final = {key: TaskStatus(status) for key, _, status in rows}
        #: By status, the keys of the nodes that are meant, and of what is above these.
        self._known: Final[dict[TaskStatus, tuple[frozenset[str], frozenset[str]]]] = {}

    def means(self, state: TaskStatus, node_id: str) -> bool:
        key = key_text(node_id)
        if state is TaskStatus.PENDING:
            return self._statuses.get(key, state) is state
        return key in self._sought(state)[0]

    def means_below(self, state: TaskStatus, node_id: str) -> bool:
        # Of what never began, nobody knows what it would have spawned.
        return state is TaskStatus.PENDING or key_text(node_id) in self._sought(state)[1]

    def _sought(self, state: TaskStatus) -> tuple[frozenset[str], frozenset[str]]:
        if state not in self._known:
            wanted = _FAILED if state is TaskStatus.FAILED else {state}
            keys = {key for key, status in self._statuses.items() if status in wanted}
            if state in _FROM_BELOW:
                keys -= {self._parents[key] for key in keys}
            self._known[state] = frozenset(keys), self._above(keys)
        return self._known[state]

    def _above(self, keys: set[str]) -> frozenset[str]:
        above: set[str] = set()
        for key in keys:
            parent = self._parents.get(key)
            while parent is not None and parent not in above:
                above.add(parent)
                parent = self._parents.get(parent)
        return frozenset(above)
