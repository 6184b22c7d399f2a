"""What can go wrong with a store. Every one derives from `StoreError`, and none of them shows a password."""

from __future__ import annotations

import time
from collections.abc import Iterable

from treetask._errors import TreeTaskError, words_of


class StoreError(TreeTaskError):
    """What a store could not do; `__cause__` is what the database said, if it was the one to refuse."""


class StoreUrlError(StoreError, ValueError):
    """What names no store; found before anything is opened."""

    def __init__(self, given: str, problem: str) -> None:
        super().__init__(
            f"store {given!r}: {problem}; expected a path, 'sqlite:///relative.db', 'sqlite:////absolute.db', "
            "'sqlite://' (in memory) or 'postgresql://user@host:5432/database'"
        )
        self.given = given
        self.problem = problem


class StoreUnavailableError(StoreError):
    """A store that cannot be opened, reached, written or locked at this time."""

    def __init__(self, store: str, problem: str, fix: str) -> None:
        super().__init__(f"store {store}: {problem}; {fix}")
        self.store = store
        self.problem = problem
        self.fix = fix


class StoreCorruptedError(StoreError):
    """A file that is no database, one of somebody else, or one that is damaged. It is left as it was found."""

    def __init__(self, store: str, problem: str, fix: str) -> None:
        super().__init__(f"store {store}: {problem}; {fix}")
        self.store = store
        self.problem = problem
        self.fix = fix


class NewerSchemaError(StoreError):
    """A store of a later TreeTask: `found` is the version of its tables, `known` the last one known here."""

    def __init__(self, store: str, found: int, known: int) -> None:
        super().__init__(
            f"store {store}: its tables have version {found}, this TreeTask knows them up to version {known}; "
            "upgrade TreeTask, or name another store"
        )
        self.store = store
        self.found = found
        self.known = known


class StatementError(StoreError):
    """A statement that the database refused, such as one with a value that its column cannot hold."""

    def __init__(self, store: str, problem: str) -> None:
        super().__init__(f"store {store}: {problem}")
        self.store = store
        self.problem = problem


class ConflictError(StatementError):
    """A row whose key is already there, or that another constraint forbids."""


class RunOwnedError(StoreError):
    """A run that another process is driving: `host`, `pid`, and `since` when (seconds since the epoch)."""

    def __init__(self, run: str, host: str, pid: int, since: float) -> None:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(since))
        super().__init__(
            f"{run} is already driven by process {pid} on {host} since {when}; wait until it has ended, or end it there"
        )
        self.run = run
        self.host = host
        self.pid = pid
        self.since = since


class UnknownRunError(StoreError):
    """A run that the store does not have; `known` are some that it has, the newest first."""

    def __init__(self, run: str, store: str, known: Iterable[str]) -> None:
        self.known = tuple(known)
        there = f"the newest are {', '.join(self.known)}" if self.known else "it has none yet"
        super().__init__(f"store {store} has no run {run}; {there}")
        self.run = run
        self.store = store


class JournalError(StoreError):
    """A run that was stopped because what happened in it could no longer be written down."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"the run was stopped, as its journal cannot be written: {problem}")
        self.problem = problem


def journal_error(error: BaseException) -> BaseException:
    """Return what a run is told that can be recorded no further; that somebody else drives it tells enough itself."""
    if isinstance(error, RunOwnedError) or not isinstance(error, Exception):
        return error
    told = JournalError(words_of(error))
    told.__cause__ = error
    return told
