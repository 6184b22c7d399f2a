"""The journal of one run: what `AsyncExecutor` records in while it runs, written by a thread of its own.

The event loop's thread only notes what happened. The writer's thread makes rows of that, and of everything that it
finds in one turn a single transaction: of a node that began and ended meanwhile, the end alone. An end is on record
when that transaction is, and the run is told so once for each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from os import PathLike
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from treetask import _clock
from treetask.model import FAILURES, Child, TaskNode, TaskStatus, TaskTree, kind_of
from treetask.store._dialect import Connection
from treetask.store._errors import RunOwnedError, StoreError, StoreUnavailableError, journal_error
from treetask.store._history import forecast
from treetask.store._runs import (
    HEARTBEAT_EVERY,
    Origin,
    RunRecord,
    RunStatus,
    beat,
    create_run,
    end_run,
    find_run,
    give_up_run,
    keep_attempts,
    python_version,
    take_run,
)
from treetask.store._store import Store
from treetask.store._text import clean, key_text
from treetask.store._writer import Writer

if TYPE_CHECKING:
    # What reads and writes results takes longer to load than a first body to begin: the writer's thread loads it.
    from treetask.store._cache import Kept
    from treetask.store._entries import Describer
    from treetask.store._past import Past

#: Entries that may wait to be written before no further body begins: a fraction of a second's work, a few megabytes.
_FULL: Final = 10_000

#: Arguments that no body changes.
_UNCHANGING: Final = frozenset({type(None), bool, int, float, str, bytes})

_WORKING: Final = TaskStatus.WORKING
_RETRYING: Final = TaskStatus.RETRYING
_PENDING: Final = TaskStatus.PENDING

#: An attempt that was repeated, or is the repetition: its number, how it ended (or `working`), its error, its start.
_Attempt: TypeAlias = tuple[int, TaskStatus, "str | None", "float | None"]
#: A node, its status from then on, when, whether the run waits for it to be on record, an attempt that is over, and
#: the parent: when the row is made, the node may be in the tree no more.
_Entry: TypeAlias = tuple[TaskNode, TaskStatus, float, bool, "_Attempt | None", "TaskNode | None"]


class RunJournal:
    """The record of one run, as the engine writes it; see `treetask.abc.Journal`."""

    def __init__(
        self,
        store: Store,
        run: int,
        tree: TaskTree,
        *,
        started_at: float,
        resumes: int = 0,
        past: Past | None = None,
        attempts: Mapping[str, int] | None = None,
        copies_past: bool = False,
        closes_store: bool = False,
    ) -> None:
        #: The number of the run in its store.
        self.run: Final = run
        self.past: Final = past
        self._store: Final = store
        self._tree: Final = tree
        self._started_at: Final = started_at
        self._resumes: Final = resumes
        #: Whether what comes back is of another run, and has to be on record in this one as well.
        self._copies_past: Final = copies_past
        self._closes_store: Final = closes_store
        self._now: Callable[[], float] = tree.now
        self._on_recorded: Callable[[Sequence[TaskNode]], None] | None = None
        self._writer: Writer[_Entry] | None = None
        self._describer: Describer | None = None
        #: What there is between the clock of the run and that of the day, in seconds.
        self._to_wall = 0.0
        self._has_beaten = False
        #: What has come back from another run, and is not entered in this one yet.
        self._came_back: Final[list[TaskNode]] = []
        #: What tells of the arguments of children, found before their bodies could change these.
        self._fingerprints: Final[dict[TaskNode, str | None]] = {}
        #: By key, how many attempts are on record that were repeated.
        self._attempts: Final = dict(attempts or {})
        #: When attempts began that go on and are not the first.
        self._begun: Final[dict[TaskNode, float]] = {}
        #: How many results of earlier runs were taken over.
        self.recalled = 0
        #: What the bodies that make results to be kept were called with: declaration and digest.
        self._inputs: Final[dict[TaskNode, tuple[str, str]]] = {}
        #: By declaration, how many of its nodes without children are done and how long they took in all, in seconds.
        self._durations: Final[defaultdict[str, list[float]]] = defaultdict(lambda: [0, 0.0])

    # -- on the event loop -------------------------------------------------------------------------------------------

    def begin(
        self,
        now: Callable[[], float],
        on_recorded: Callable[[Sequence[TaskNode]], None],
        on_failed: Callable[[BaseException], None],
    ) -> None:
        self._now = now
        self._to_wall = _clock.wall() - now()
        self._on_recorded = on_recorded
        self._writer = Writer(
            self._store.connect,
            self._write,
            self._tell,
            lambda error: on_failed(journal_error(error)),
            idle=self._beat,
            every=HEARTBEAT_EVERY,
        )
        if self._copies_past:
            self._came_back.append(self._tree.root)

    @property
    def is_full(self) -> bool:
        return self._writer is not None and self._writer.backlog >= _FULL

    def adopt(self, node: TaskNode) -> None:
        self._note_arguments(node)
        if self.past is not None:
            self.past.adopt(node, self._now())
            if self._copies_past:
                self._came_back.append(node)

    def _note_arguments(self, node: TaskNode) -> None:
        """Look at the arguments of a child that comes in, if its body may change them."""
        child = node._child
        if child is None or not child.makes_its_node or _are_unchanging(child) or child.shape is not None:
            return
        from treetask.store._fingerprint import arguments_fingerprint

        self._fingerprints[node] = arguments_fingerprint(child)

    def _enter_what_came_back(self) -> None:
        """Enter the nodes that have come back, there or below: now that they are in the tree, each with its parent."""
        tops, at = [*self._came_back], self._now()
        self._came_back.clear()
        for top in tops:
            for node in top.walk():
                if node._tree is self._tree and node._status.is_terminal:
                    self._put(node, node._status, at)

    def recall(self, node: TaskNode) -> tuple[bool, object]:
        from treetask.store._cache import inputs_digest, lookup
        from treetask.store._codec import NotReadable, decode_result
        from treetask.store._types import result_type

        told = inputs_digest(node)
        if told is None:
            return False, None
        with self._store.reading() as connection:
            data = lookup(connection, *told)
        if data is not None:
            with suppress(NotReadable):
                result = decode_result(data, result_type(node.task_fn))
                self.recalled += 1
                return True, result
        self._inputs[node] = told
        return False, None

    def status_changed(self, node: TaskNode, old: TaskStatus, new: TaskStatus, at: float) -> None:
        if new is _WORKING:
            if old is _RETRYING:
                self._begun[node] = at
                # When the first one began stands with the node; of the others nobody would know it.
                number = self._attempts.get(key_text(node.id), 0) + 1
                self._put(node, new, at, attempt=(number, new, None, at))
            else:
                self._put(node, new, at)
        elif new is _RETRYING:
            self._put(node, new, at, attempt=self._attempt(node, new))
        elif new is _PENDING and old in FAILURES and node._body is not None:
            self._put(node, new, at, attempt=self._attempt(node, old))  # it is repeated with what is around it
        elif new.is_terminal and (old is not _WORKING or node._body is None):
            self._put(node, new, at)  # of all others the engine has asked to record the end
        if self._begun and new is not _WORKING:
            self._begun.pop(node, None)

    def _attempt(self, node: TaskNode, ended: TaskStatus) -> _Attempt:
        """Return the number of an attempt that is over, how it ended and its error; numbers go on from life to life."""
        key = key_text(node.id)
        number = self._attempts[key] = self._attempts.get(key, 0) + 1
        return number, ended, node.error, self._begun.get(node, node.started_at)

    def record(self, node: TaskNode, status: TaskStatus, at: float) -> None:
        self._put(node, status, at, is_asked=True)

    def _put(
        self,
        node: TaskNode,
        status: TaskStatus,
        at: float,
        *,
        is_asked: bool = False,
        attempt: _Attempt | None = None,
    ) -> None:
        if self._came_back:
            self._enter_what_came_back()
        assert self._writer is not None
        self._writer.put((node, status, at, is_asked, attempt, node.parent))

    # -- in the writer's thread --------------------------------------------------------------------------------------

    def _write(self, connection: Connection, batch: list[_Entry]) -> None:
        from treetask.store._entries import NODE_CHANGES, NODE_COLUMNS, NODE_KEY, Describer
        from treetask.store._fingerprint import Fingerprints

        describer = self._describer
        if describer is None:
            to_wall = self._to_wall
            fingerprints = Fingerprints(self._tree.given, self._fingerprints)
            describer = self._describer = Describer(self.run, lambda at: at + to_wall, fingerprints)
        # Each time, not only now and then: a machine may have slept meanwhile, and another one be far ahead.
        beat(connection, self.run, self._resumes, tells_version=False)
        last = {entry[0]: entry for entry in batch}
        lacking = () if self.past is None else self.past.lacking
        rows = [
            describer.row(node, parent, status, at, has_result=is_asked or node not in lacking)
            for node, status, at, is_asked, _, parent in last.values()
        ]
        connection.insert("nodes", NODE_COLUMNS, rows, key=NODE_KEY, replace=NODE_CHANGES)
        if self._inputs:
            self._keep_results(connection, [(row, entry[0]) for row, entry in zip(rows, last.values(), strict=True)])
        self._write_attempts(connection, describer, [entry for entry in batch if entry[4] is not None])
        self._write_dependencies(connection, [entry[0] for entry in last.values() if entry[0].options.depends_on])
        self._write_logs(connection, [entry[0] for entry in last.values() if entry[1].is_terminal])

    def _note_duration(self, declaration: str, seconds: float) -> None:
        total = self._durations[declaration]
        total[0] += 1
        total[1] += seconds
        if self._tree.forecast is not None:
            self._tree.forecast.note_done(declaration)

    def _keep_results(self, connection: Connection, written: list[tuple[tuple[Any, ...], TaskNode]]) -> None:
        """Keep results for later runs: those of nodes that are done, and that could be stored."""
        from treetask.store._cache import Kept, keep
        from treetask.store._entries import NODE_COLUMNS

        is_stored, result = NODE_COLUMNS.index("is_stored"), NODE_COLUMNS.index("result")
        now = _clock.wall()
        kept: list[Kept] = []
        for row, node in written:
            if node in self._inputs and row[is_stored]:  # as only of what is done
                kept.append(Kept(*self._inputs[node], row[result], now))
        keep(connection, kept)

    def _write_attempts(self, connection: Connection, describer: Describer, entries: list[_Entry]) -> None:
        rows: dict[tuple[str, int], tuple[Any, ...]] = {}
        for node, _, at, _, attempt, _ in entries:
            if attempt is not None:
                number, ended, error, begun = attempt
                said = None if error is None else clean(error)
                started_at = None if begun is None else describer.to_wall(begun)
                ended_at = None if ended is _WORKING else describer.to_wall(at)
                key = key_text(node.id)
                # Of one that began and ended meanwhile, the end alone.
                rows[key, number] = (self.run, key, number, ended.value, started_at, ended_at, said)
        columns = ("run", "key", "number", "status", "started_at", "ended_at", "error")
        connection.insert("attempts", columns, list(rows.values()), key=columns[:3], replace=columns[3:])

    def _write_dependencies(self, connection: Connection, nodes: list[TaskNode]) -> None:
        rows = [
            (self.run, key_text(node.id), key_text(wanted), int(wanted in node.options.optional))
            for node in nodes
            for wanted in node.options.depends_on
        ]
        columns = ("run", "key", "needs", "optional")
        connection.insert("dependencies", columns, rows, key=columns[:3])

    def _write_logs(self, connection: Connection, nodes: list[TaskNode]) -> None:
        troubled = [node for node in nodes if node._trouble is not None]
        rows = [(self.run, key_text(node.id), clean("\n".join(node.log))) for node in troubled]
        columns = ("run", "key", "lines")
        connection.insert("logs", columns, [row for row in rows if row[2]], key=columns[:2], replace=columns[2:])

    def _tell(self, batch: list[_Entry]) -> None:
        from treetask.store._entries import declaration_of

        for node, status, at, is_asked, _, _ in batch:
            if is_asked and status is TaskStatus.DONE and node.started_at is not None and _works_itself(node):
                self._note_duration(declaration_of(node.id), at - node.started_at)
            if status.is_terminal and (self._inputs or self._fingerprints):
                self._inputs.pop(node, None)
                self._fingerprints.pop(node, None)
        nodes = [entry[0] for entry in batch if entry[3]]
        if nodes and self._on_recorded is not None:
            self._on_recorded(nodes)

    def _beat(self, connection: Connection) -> None:
        connection.check_place()
        # Which version this is takes long to find out: not while the first bodies begin.
        beat(connection, self.run, self._resumes, tells_version=self._has_beaten)
        self._has_beaten = True

    # -- at the end --------------------------------------------------------------------------------------------------

    def close(self) -> None:
        try:
            try:
                if self._writer is not None:
                    self._enter_what_came_back()
                    self._writer.close()
                with self._store.transaction() as connection:
                    self._write_end(connection)
            except Exception as error:
                self._give_up(error)
                told = journal_error(error)
                if told is error:
                    raise
                raise told from error
        finally:
            if self._closes_store:
                self._store.close()

    def _give_up(self, error: Exception) -> None:
        """Let the run be gone on with, though this process lives; its end is on record if there is any way."""
        give_up_run(self.run, self._resumes, self._started_at)
        if not isinstance(error, (StoreUnavailableError, RunOwnedError)):
            with suppress(StoreError), self._store.transaction() as connection:
                self._write_end(connection)

    def _write_end(self, connection: Connection) -> None:
        connection.check_place()
        root = self._tree.root
        status = _ENDS.get(root.status, RunStatus.FAILED)
        error = root.error or root.reason
        counts = self._tree.get_leaf_stats()
        said = None if error is None else clean(error)
        end_run(connection, self.run, self._resumes, status=status, error=said, counts=counts)
        if self.past is not None or self._tree.selection is not None:
            return  # it is a part of a run, and says nothing of how long a whole one takes
        rows = [
            (key_text(root.id), key_text(declaration), self.run, int(count), seconds)
            for declaration, (count, seconds) in self._durations.items()
        ]
        columns = ("root", "declaration", "run", "count", "seconds")
        connection.insert("durations", columns, rows, key=columns[:3], replace=columns[3:])


def _are_unchanging(child: Child[Any]) -> bool:
    """Whether no body could change the arguments of a child."""
    return all(type(each) in _UNCHANGING for each in (*child.args, *child.kwargs.values()))


def _works_itself(node: TaskNode) -> bool:
    """Whether the time of a node is that of its body: of one with children it is theirs, which count themselves."""
    return node._body is not None and not node._children and not kind_of(node._body).yields


_ENDS: Final[Mapping[TaskStatus, RunStatus]] = {
    TaskStatus.DONE: RunStatus.DONE,
    TaskStatus.FAILED: RunStatus.FAILED,
    TaskStatus.CANCELLED: RunStatus.CANCELLED,
    TaskStatus.SKIPPED: RunStatus.CANCELLED,
    TaskStatus.TIMED_OUT: RunStatus.TIMED_OUT,
}


class NewRun:
    """Records a run from its beginning: what `store=` takes, once it is known where the run comes from.

    With `past_of` another run, what was done in that comes back as it was, and all else runs.
    """

    def __init__(
        self,
        store: Store,
        origin: Origin | None = None,
        *,
        past_of: RunRecord | None = None,
        closes_store: bool = False,
    ) -> None:
        self.journal: RunJournal | None = None
        self._store: Final = store
        self._origin: Final = Origin() if origin is None else origin
        self._past_of: Final = past_of
        self._closes_store: Final = closes_store

    def open_journal(self, tree: TaskTree, /) -> RunJournal:
        with self._store.transaction() as connection:
            name = None if tree.root._name is None else clean(tree.root._name)
            run = create_run(connection, key_text(tree.root.id), name, self._origin)
            started_at = find_run(connection, run).started_at
            past = None if self._past_of is None else _past(connection, self._past_of, tree)
            tree.forecast = tree.forecast or forecast(connection, key_text(tree.root.id))
        self.journal = RunJournal(
            self._store,
            run,
            tree,
            started_at=started_at,
            past=past,
            copies_past=past is not None,
            closes_store=self._closes_store,
        )
        return self.journal


class RunsIn:
    """Records a run in the store at a place, which is opened for it and closed after it."""

    def __init__(self, place: str | PathLike[str]) -> None:
        self._place: Final = place

    def open_journal(self, tree: TaskTree, /) -> RunJournal:
        store = Store(self._place)
        try:
            return NewRun(store, closes_store=True).open_journal(tree)
        except BaseException:
            store.close()
            raise


class ResumedRun:
    """Goes on with a run: what `store=` takes then. What was done comes back as it was; see `Past`.

    Raises `RunOwnedError` where somebody drives it, and `StoreError` for a tree with another root.
    """

    def __init__(self, store: Store, record: RunRecord) -> None:
        self.record: Final = record
        self.journal: RunJournal | None = None
        self._store: Final = store

    def open_journal(self, tree: TaskTree, /) -> RunJournal:
        with self._store.transaction() as connection:
            taken = take_run(connection, self.record.id)
            past = _past(connection, taken, tree)
            attempts = keep_attempts(connection, taken.id)
        self.journal = RunJournal(
            self._store,
            taken.id,
            tree,
            started_at=taken.started_at,
            resumes=taken.resumes + 1,
            past=past,
            attempts=attempts,
        )
        return self.journal


def _past(connection: Connection, record: RunRecord, tree: TaskTree) -> Past:
    """Return what was done in a run, given back to the nodes of a tree that is built like its own."""
    if key_text(tree.root.id) != record.root:
        raise StoreError(
            f"run {record.id} is one of '{record.root}', not of '{tree.root.id}'; go on with it where it comes from"
        )
    from treetask.store._past import Past

    past = Past(connection, record.id, is_same_python=record.python == python_version())
    tree.forecast = forecast(connection, record.root)
    if tree.forecast is not None:
        past.leave_out_of(tree.forecast)
    past.adopt_tree(tree, tree.now())
    return past
