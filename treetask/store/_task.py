"""A task of the task manager as it is stored: its record, its states, and what may be said of one. Touches no store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from typing import Any, Final, TypeAlias, cast

from typing_extensions import NotRequired, TypedDict

from treetask._errors import DefinitionError, did_you_mean
from treetask.store._errors import StoreError
from treetask.store._json_text import from_json_text, json_text
from treetask.store._text import clean

#: What a priority is where nobody says; 0 is urgent, 1 high, 3 low.
NORMAL_PRIORITY: Final = 2
#: What both databases keep as a whole number.
_HIGHEST: Final = 2**31 - 1
#: Longer names and ids are a mistake, and too long for an index.
_LONGEST: Final = 255

TaskDependency = TypedDict("TaskDependency", {"id": str, "required": NotRequired[bool], "as": NotRequired[str]})
"""What a task waits for: the body of the task with that id.

`required` (true by default) says that it must be completed; otherwise it need only have ended. Its result becomes an
input, under the name `as` or else under its id.
"""

#: What `dependencies=` takes: an id alone is a required one.
Dependencies: TypeAlias = Iterable["TaskDependency | str"]


class TaskState(str, Enum):
    """How a task stands; equal to its value as a string, and printed as it."""

    PENDING = "pending"
    """Not begun."""
    IN_PROGRESS = "in_progress"
    """Its executor runs; of a folder, those below it do."""
    COMPLETED = "completed"
    """Ended well, and `result` is what came of it. It does not run again."""
    FAILED = "failed"
    """It ran and did not end well, or could not begin; `error` says why."""
    CANCELLED = "cancelled"
    """It was stopped, or did not run as something that it needs was not completed; `error` says what."""

    def __str__(self) -> str:
        return str.__str__(self)

    def __format__(self, spec: str) -> str:
        return str.__format__(self, spec)

    @property
    def has_ended(self) -> bool:
        """Whether nothing more comes of it until it is distributed again."""
        return self in _ENDED


_ENDED: Final = frozenset({TaskState.COMPLETED, TaskState.FAILED, TaskState.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRecord:
    """A task as it was when it was read; a later state is another record."""

    id: str
    #: The name of its executor; of a folder, any other name.
    name: str
    user_id: str | None = None
    #: The task that it is filed under. That is all it means: it orders nothing.
    parent_id: str | None = None
    #: Lower first, among those that could run; 0 is urgent.
    priority: int = NORMAL_PRIORITY
    inputs: dict[str, Any]
    dependencies: list[TaskDependency]
    status: TaskState = TaskState.PENDING
    #: What its executor returned.
    result: Any = None
    #: Why it did not end well.
    error: str | None = None
    #: From 0 to 1.
    progress: float = 0.0
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None

    def __str__(self) -> str:
        return called(self.name, self.id)


#: The columns of a record, in the order in which `record_of` takes them and `row_of` gives them.
COLUMNS: Final = (
    *("id", "name", "user_id", "parent_id", "priority", "inputs", "dependencies"),
    *("status", "result", "error", "progress", "created_at", "updated_at", "started_at", "completed_at"),
)


class UnknownTaskError(StoreError):
    """An id that no task of the store has."""

    def __init__(self, task_id: str, store: str, fix: str) -> None:
        super().__init__(f"store {store} has no task '{task_id}'; {fix}")
        self.task_id = task_id
        self.store = store


def called(name: str, task_id: str) -> str:
    """Return how messages call a task: most names are those of executors, which many tasks have."""
    return f"task '{name}'" if name == task_id else f"task '{name}' ({task_id})"


def record_of(row: tuple[Any, ...]) -> TaskRecord:
    """Return the record that a row of `COLUMNS` is."""
    (task_id, name, user_id, parent_id, priority, inputs, dependencies, *rest) = row
    (status, result, error, progress, created_at, updated_at, started_at, completed_at) = rest
    return TaskRecord(
        id=task_id,
        name=name,
        user_id=user_id,
        parent_id=parent_id,
        priority=priority,
        inputs=from_json_text(inputs),
        dependencies=from_json_text(dependencies),
        status=TaskState(status),
        result=from_json_text(result),
        error=error,
        progress=progress,
        created_at=moment(created_at),
        updated_at=moment(updated_at),
        started_at=None if started_at is None else moment(started_at),
        completed_at=None if completed_at is None else moment(completed_at),
    )


def moment(seconds: float) -> datetime:
    """Return a time of the store as people read it, in UTC."""
    return datetime.fromtimestamp(seconds, timezone.utc)


# -- what may be said of a task -----------------------------------------------------------------------------------


def checked_text(value: object, what: str, *, owner: str) -> str:
    """Return a text that names something. Raises `TypeError` or `ValueError`."""
    if not isinstance(value, str):
        raise TypeError(f"{owner}: {what} is {value!r}; expected a string")
    if not value.strip():
        raise ValueError(f"{owner}: {what} is {value!r}; expected a string that is not empty")
    if len(value) > _LONGEST:
        raise ValueError(f"{owner}: {what} has {len(value)} characters; expected at most {_LONGEST}")
    if clean(value) != value:
        raise ValueError(f"{owner}: {what} is {value!r}, with a character that no database takes; leave it out")
    return value


def checked_id(value: object, owner: str, what: str) -> str:
    """Return an id by which something is looked for. Raises `TypeError`."""
    if isinstance(value, TaskRecord):
        raise TypeError(f"{owner}: {what} is a task, {value}; hand over its id: task.id")
    if not isinstance(value, str):
        raise TypeError(f"{owner}: {what} is {value!r}; expected a string")
    return value


def checked_priority(value: object, *, owner: str) -> int:
    """Return a priority. Raises `TypeError` or `ValueError`."""
    expected = "expected a whole number from 0 (urgent); 2 is normal"
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{owner}: priority is {value!r}; {expected}")
    if not 0 <= value <= _HIGHEST:
        raise ValueError(f"{owner}: priority is {value}; {expected}")
    return value


def checked_inputs(value: object, *, owner: str) -> str:
    """Return inputs as JSON. Raises `TypeError`, of which `NotJsonError` is one."""
    if value is None:
        return "{}"
    if not isinstance(value, Mapping):
        raise TypeError(f"{owner}: inputs is {value!r}; expected a dict: {{'path': 'a.csv'}}")
    said: dict[Any, Any] = {**value}
    return json_text(said, owner, "inputs")


def checked_dependencies(value: object, *, owner: str) -> list[TaskDependency]:
    """Return what a task depends on, in full. Raises `TypeError` or `ValueError`."""
    expected = "expected a list of {'id': task.id, 'required': True}"
    if value is None:
        return []
    if isinstance(value, (str, Mapping)) or not isinstance(value, Iterable):
        raise TypeError(f"{owner}: dependencies is {value!r}; {expected}")
    found: dict[str, TaskDependency] = {}
    for each in cast("Iterable[object]", value):
        dependency = _checked_dependency(each, expected, owner=owner)
        if dependency["id"] in found:
            raise ValueError(f"{owner}: dependencies names '{dependency['id']}' twice; keep one of them")
        found[dependency["id"]] = dependency
    return list(found.values())


def _checked_dependency(value: object, expected: str, *, owner: str) -> TaskDependency:
    if isinstance(value, str):
        value = {"id": value}
    if not isinstance(value, Mapping):
        raise TypeError(f"{owner}: dependencies has {value!r} in it; {expected}")
    said = dict(cast("Mapping[str, object]", value))
    for name in said:
        if name not in _WORDS:
            raise TypeError(f"{owner}: a dependency has no '{name}'{did_you_mean(str(name), _WORDS)}")
    if "id" not in said:
        raise TypeError(f"{owner}: dependencies has {said!r} in it, without an id; {expected}")
    required = said.get("required", True)
    if not isinstance(required, bool):
        raise TypeError(f"{owner}: a dependency has required={required!r}; expected True or False")
    dependency: TaskDependency = {
        "id": checked_text(said["id"], "the id of a dependency", owner=owner),
        "required": required,
    }
    if said.get("as") is not None:
        dependency["as"] = checked_text(said["as"], "'as' of a dependency", owner=owner)
    return dependency


_WORDS: Final = ("id", "required", "as")


def input_name(dependency: TaskDependency) -> str:
    """Return the name of the input that a dependency's result becomes."""
    return dependency.get("as", dependency["id"])


def refuse_clash(inputs: Mapping[str, Any], dependencies: Iterable[TaskDependency], *, owner: str) -> None:
    """Raise `DefinitionError` where a result would overwrite an input, or another result."""
    taken = dict.fromkeys(inputs, "an input of its own")
    for dependency in dependencies:
        name = input_name(dependency)
        if name in taken:
            raise DefinitionError(
                f"{owner}: the result of '{dependency['id']}' becomes the input '{name}', which is {taken[name]} as "
                "well; give one of them another name: {'id': ..., 'as': 'name'}"
            )
        taken[name] = f"the result of '{dependency['id']}'"
