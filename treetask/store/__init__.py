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
from treetask.store._store import Store

__all__ = [
    "ConflictError",
    "Connection",
    "JournalError",
    "NewerSchemaError",
    "RunOwnedError",
    "StatementError",
    "Store",
    "StoreCorruptedError",
    "StoreError",
    "StoreUnavailableError",
    "StoreUrlError",
    "UnknownRunError",
]
