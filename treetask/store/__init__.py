"""What outlives a process: the store that journals and the task manager are kept in, SQLite or PostgreSQL."""

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

__all__ = [
    "ConflictError",
    "JournalError",
    "NewerSchemaError",
    "RunOwnedError",
    "StatementError",
    "StoreCorruptedError",
    "StoreError",
    "StoreUnavailableError",
    "StoreUrlError",
    "UnknownRunError",
]
