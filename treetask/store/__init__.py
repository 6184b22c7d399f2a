"""What outlives a process: the store that journals and the task manager are kept in, SQLite or PostgreSQL.

The task manager is loaded when it is first used: most who open a store have none.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING

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

if _TYPE_CHECKING:
    from treetask.store._executors import InputsError, UnknownExecutorError
    from treetask.store._json_text import NotJsonError
    from treetask.store._manager import TaskManager, build_tree_from_tasks, create_session
    from treetask.store._repository import TaskChanges, TaskDraft, TaskRepository
    from treetask.store._task import TaskDependency, TaskRecord, TaskState, UnknownTaskError
    from treetask.store._tree_node import TaskTreeNode
else:

    def __getattr__(name: str) -> object:
        """Load the task manager."""
        for home, names in (
            ("_executors", "InputsError UnknownExecutorError"),
            ("_json_text", "NotJsonError"),
            ("_manager", "TaskManager build_tree_from_tasks create_session"),
            ("_repository", "TaskChanges TaskDraft TaskRepository"),
            ("_task", "TaskDependency TaskRecord TaskState UnknownTaskError"),
            ("_tree_node", "TaskTreeNode"),
        ):
            if name in names.split():
                return getattr(_import_module(f"treetask.store.{home}"), name)
        raise AttributeError(f"module 'treetask.store' has no attribute '{name}'")


__all__ = [
    "ConflictError",
    "Connection",
    "InputsError",
    "JournalError",
    "NewRun",
    "NewerSchemaError",
    "NotJsonError",
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
    "TaskChanges",
    "TaskDependency",
    "TaskDraft",
    "TaskManager",
    "TaskRecord",
    "TaskRepository",
    "TaskState",
    "TaskTreeNode",
    "UnknownExecutorError",
    "UnknownRunError",
    "UnknownTaskError",
    "build_tree_from_tasks",
    "create_session",
]
