"""What exists: nodes, the tree they form, its counters and edges, and what a run tells about them.

No event loop, no clock, no I/O on this floor. What options may say is checked in `_options.py`, what the config may say
in `_config.py`, both in the words of `_checks.py`; what only several nodes show together in `_features.py` and
`_graph.py`.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from treetask._on_use import loaded_on_use as _loaded_on_use
from treetask.model._arguments import UnkeyedArgumentError
from treetask.model._body import BodyKind, TaskFunction, kind_of
from treetask.model._checks import check_count, check_seconds
from treetask.model._children import NO_CHILDREN
from treetask.model._config import DEFAULT_ICONS, DEFAULT_TREE_CHARS, OnFailure, TreeTaskConfig
from treetask.model._counts import SubtreeStats
from treetask.model._driver import Driver, Listener, Openable, OpensFirst, Recalls, left_behind
from treetask.model._features import Features, goes_last
from treetask.model._forecast import Forecast, remaining_seconds
from treetask.model._graph import Dependencies, dependencies_of, in_turn
from treetask.model._limit import Limit
from treetask.model._node import CLOSED, TaskNode, before_reading, node_of
from treetask.model._options import (
    DEFAULT_MAX_QUEUED,
    DEFAULT_PRIORITY,
    OPTION_NAMES,
    Dependency,
    KeepDone,
    NodeKeywords,
    NodeOptions,
    OptionalDependency,
    node_options,
    optional,
)
from treetask.model._outcome import Outcome
from treetask.model._result import (
    ExecutionResult,
    Handle,
    NoResultError,
    TreeCancelled,
    TreeFailed,
    has_raised,
    is_from_below,
    leaf_exceptions,
    unhandled,
)
from treetask.model._retry import Retry, RetryOn
from treetask.model._secret import HIDDEN, Secret, mentions_secret, secrets_may_travel
from treetask.model._snapshot import NodeDict, TreeDict
from treetask.model._spawn import (
    GONE,
    JOIN,
    Child,
    DuplicateChildError,
    Return,
    Spawnable,
    Spawns,
    SyncSpawns,
    TaskFailed,
    Template,
    UnplacedChildError,
    Yieldable,
)
from treetask.model._status import BAD_ENDINGS, FAILURES, NEXT, NOT_SELECTED, TERMINAL, TaskStatus
from treetask.model._tree import TaskTree

if _TYPE_CHECKING:
    from treetask.model._events import (
        Event,
        LogExtended,
        NodeAdded,
        NodeRemoved,
        ProgressChanged,
        RunEnded,
        RunStarted,
        StatusChanged,
    )
    from treetask.model._log import LOG_BYTES, LineCutter, text_lines
    from treetask.model._process import ProcessOrder, ProcessResult, Words
    from treetask.model._selectors import BETWEEN, Endings, Selector
else:
    __getattr__ = _loaded_on_use(
        __name__,
        {
            "_events": ("Event LogExtended NodeAdded NodeRemoved ProgressChanged RunEnded RunStarted StatusChanged"),
            "_log": "LOG_BYTES LineCutter text_lines",
            "_process": "ProcessOrder ProcessResult Words",
            "_selectors": "BETWEEN Endings Selector",
        },
    )


__all__ = [
    "BAD_ENDINGS",
    "BETWEEN",
    "CLOSED",
    "DEFAULT_ICONS",
    "DEFAULT_MAX_QUEUED",
    "DEFAULT_PRIORITY",
    "DEFAULT_TREE_CHARS",
    "FAILURES",
    "GONE",
    "HIDDEN",
    "JOIN",
    "LOG_BYTES",
    "NEXT",
    "NOT_SELECTED",
    "NO_CHILDREN",
    "OPTION_NAMES",
    "TERMINAL",
    "BodyKind",
    "Child",
    "Dependencies",
    "Dependency",
    "Driver",
    "DuplicateChildError",
    "Endings",
    "Event",
    "ExecutionResult",
    "Features",
    "Forecast",
    "Handle",
    "KeepDone",
    "Limit",
    "LineCutter",
    "Listener",
    "LogExtended",
    "NoResultError",
    "NodeAdded",
    "NodeDict",
    "NodeKeywords",
    "NodeOptions",
    "NodeRemoved",
    "OnFailure",
    "Openable",
    "OpensFirst",
    "OptionalDependency",
    "Outcome",
    "ProcessOrder",
    "ProcessResult",
    "ProgressChanged",
    "Recalls",
    "Retry",
    "RetryOn",
    "Return",
    "RunEnded",
    "RunStarted",
    "Secret",
    "Selector",
    "Spawnable",
    "Spawns",
    "StatusChanged",
    "SubtreeStats",
    "SyncSpawns",
    "TaskFailed",
    "TaskFunction",
    "TaskNode",
    "TaskStatus",
    "TaskTree",
    "Template",
    "TreeCancelled",
    "TreeDict",
    "TreeFailed",
    "TreeTaskConfig",
    "UnkeyedArgumentError",
    "UnplacedChildError",
    "Words",
    "Yieldable",
    "before_reading",
    "check_count",
    "check_seconds",
    "dependencies_of",
    "goes_last",
    "has_raised",
    "in_turn",
    "is_from_below",
    "kind_of",
    "leaf_exceptions",
    "left_behind",
    "mentions_secret",
    "node_of",
    "node_options",
    "optional",
    "remaining_seconds",
    "secrets_may_travel",
    "text_lines",
    "unhandled",
]
