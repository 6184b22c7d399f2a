"""What outlives a process: the store that journals and the task manager are kept in, SQLite or PostgreSQL.

Every name is loaded when it is first used: what a run needs before its first body begins is little of all there is.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from treetask._on_use import loaded_on_use as _loaded_on_use

if _TYPE_CHECKING:
    from treetask.store._codec import NotReadable, decode_params, encode_params
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
    from treetask.store._executors import InputsError, UnknownExecutorError
    from treetask.store._journal import NewRun, ResumedRun, RunJournal, RunsIn
    from treetask.store._json_text import NotJsonError
    from treetask.store._manager import TaskManager, build_tree_from_tasks, create_session
    from treetask.store._records import AttemptRecord, NodeRecord, RunEndings, node_records, status_counts, tasks_done
    from treetask.store._repository import TaskChanges, TaskDraft, TaskRepository
    from treetask.store._run_lines import run_lines
    from treetask.store._runs import Origin, RunRecord, RunStatus, find_run, list_runs, prune_runs
    from treetask.store._store import Store
    from treetask.store._task import TaskDependency, TaskRecord, TaskState, UnknownTaskError
    from treetask.store._tree_node import TaskTreeNode
    from treetask.store._url import default_path
else:
    __getattr__ = _loaded_on_use(
        __name__,
        {
            "_codec": "NotReadable decode_params encode_params",
            "_dialect": "Connection",
            "_errors": (
                "ConflictError JournalError NewerSchemaError RunOwnedError StatementError "
                "StoreCorruptedError StoreError StoreUnavailableError StoreUrlError UnknownRunError"
            ),
            "_executors": "InputsError UnknownExecutorError",
            "_journal": "NewRun ResumedRun RunJournal RunsIn",
            "_json_text": "NotJsonError",
            "_manager": "TaskManager build_tree_from_tasks create_session",
            "_records": "AttemptRecord NodeRecord RunEndings node_records status_counts tasks_done",
            "_repository": "TaskChanges TaskDraft TaskRepository",
            "_run_lines": "run_lines",
            "_runs": "Origin RunRecord RunStatus find_run list_runs prune_runs",
            "_store": "Store",
            "_task": "TaskDependency TaskRecord TaskState UnknownTaskError",
            "_tree_node": "TaskTreeNode",
            "_url": "default_path",
        },
    )


__all__ = [
    "AttemptRecord",
    "ConflictError",
    "Connection",
    "InputsError",
    "JournalError",
    "NewRun",
    "NewerSchemaError",
    "NodeRecord",
    "NotJsonError",
    "NotReadable",
    "Origin",
    "ResumedRun",
    "RunEndings",
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
    "decode_params",
    "default_path",
    "encode_params",
    "find_run",
    "list_runs",
    "node_records",
    "prune_runs",
    "run_lines",
    "status_counts",
    "tasks_done",
]
