"""What outlives a process: the store that journals and the task manager are kept in, SQLite or PostgreSQL."""

from treetask.store._dialect import Connection
from treetask.store._errors import (
    ConflictError,
    JournalError,
    NewerSchemaError,
    RunOwnedError,
    StatementError,
    StoreCorruptedError,
    StoreError,
    StoreUnavailableError,
    StoreUrlError,
    UnknownRunError,
)
from treetask.store._journal import NewRun, ResumedRun, RunJournal, RunsIn
from treetask.store._runs import Origin, RunRecord, RunStatus
from treetask.store._store import Store

__all__ = [
    "ConflictError",
    "Connection",
    "JournalError",
    "NewRun",
    "NewerSchemaError",
    "Origin",
    "ResumedRun",
    "RunJournal",
    "RunOwnedError",
    "RunRecord",
    "RunStatus",
    "RunsIn",
    "StatementError",
    "Store",
    "StoreCorruptedError",
    "StoreError",
    "StoreUnavailableError",
    "StoreUrlError",
    "UnknownRunError",
]
