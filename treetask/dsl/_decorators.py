"""`@tree.task` and `@tree.group`: what they accept, and the handles that they return, as the type checker reads it.

The overloads stand most specific first: with the node and without it, an async spawner, a spawner, an async function, a
plain one. Handles of different kinds come back, and a plain function that returns an awaitable would fit two of them;
that one is refused when it is declared, so the overlaps that the ignores below stand for cannot be reached.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias, overload

from typing_extensions import ParamSpec, Self, TypedDict, TypeVar, Unpack

from treetask.dsl._declaration import Body, Cache, Declaration, OptionalEdge
from treetask.dsl._declare import declare
from treetask.dsl._errors import BodyError
from treetask.dsl._inspection import inspect_body
from treetask.dsl._params import defaults_of, required_of, types_of
from treetask.dsl._place import Place
from treetask.dsl._task import AsyncTask, NodeBody, SyncTask, Task
from treetask.model import BodyKind, KeepDone, Limit, OnFailure, Retry, Spawns, SyncSpawns

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

Policy: TypeAlias = OnFailure | Literal["cancel", "finish", "continue"]


class _AnyOptions(TypedDict, total=False):
    #: What people see; the id where it is not given.
    name: str
    #: False: only to be spawned. True: placed in the tree, so nothing may be left to bind.
    static: bool
    #: What has to be done first, without taking anything from it.
    depends_on: Iterable[Task[..., Any] | OptionalEdge]
    #: Attempts after the first; 0 by default.
    max_retries: int
    #: When and how often a failed attempt is repeated.
    retry: Retry
    #: Asked, with data like a body, when nothing else keeps it from starting; if the answer is false it is skipped.
    when: Callable[..., bool]
    #: Seconds that one attempt may take, children included.
    timeout: float | None
    #: Whether a failure is none of the parent's.
    allow_failure: bool
    #: The place among those that are ready: lower first, 0 is urgent; that of the parent where it is not given.
    priority: int
    #: What it is expected to take, in any unit: of those ready, the one with most work behind it goes first.
    cost: float
    #: Whether it runs whatever happened to its siblings, also after a cancel.
    always: bool
    #: What it can be selected by, with all below it.
    tags: Iterable[str]


class TaskOptions(_AnyOptions, total=False):
    """What `@tree.task(...)` takes."""

    #: Where its body runs: on the event loop ("inline", as `async def` does), or in a thread (as `def` does).
    backend: Literal["inline", "thread"]
    #: The name in paths; that of the function where it is not given.
    id: str
    #: What its body shares with others that name it.
    limits: Iterable[Limit]
    #: What becomes of children that are done.
    keep_done: KeepDone | Literal["all", "rollup"]
    #: Which edition of its body it is. What another one has done, and kept in a store, is not taken for done.
    version: str | int
    #: By what its results are told that are taken from earlier runs: "inputs", or a function that takes those of the
    #: arguments that it names and returns a key. It needs a store: in a run without `store=` it does nothing.
    cache: Cache


class BareGroupOptions(_AnyOptions, total=False):
    """What `tree.group("id", ...)` takes."""

    #: Whether the children run at the same time; they do by default.
    parallel: bool
    #: What happens to the other children when one fails; decided by the parent where it is not given.
    on_failure: Policy
    #: How many children, with all below them, may have started and not ended.
    max_parallel: int


class GroupOptions(BareGroupOptions, total=False):
    """What `@tree.group(...)` takes."""

    #: Where its body runs: on the event loop ("inline", as `async def` does), or in a thread (as `def` does).
    backend: Literal["inline", "thread"]
    #: The name in paths; that of the function where it is not given.
    id: str
    #: What its body shares with others that name it.
    limits: Iterable[Limit]
    #: How many spawned children may be unstarted before a yield waits.
    max_queued: int
    #: What becomes of children that are done.
    keep_done: KeepDone | Literal["all", "rollup"]
    #: Which edition of its body it is. What another one has done, and kept in a store, is not taken for done.
    version: str | int


class TaskDecorator:
    """`tree.task`: declares a function as a task below `tree`; called with options, it keeps them for the function."""

    def __init__(self, scope: Scope, options: Mapping[str, Any]) -> None:
        self._scope: Final = scope
        self._options: Final = options

    @overload
    def __call__(self, fn: NodeBody[P, Spawns[R]], /) -> Task[P, R]: ...  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload]
    @overload
    def __call__(self, fn: Callable[P, Spawns[R]], /) -> Task[P, R]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, fn: NodeBody[P, SyncSpawns[R]], /) -> Task[P, R]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, fn: Callable[P, SyncSpawns[R]], /) -> Task[P, R]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, fn: NodeBody[P, Awaitable[R]], /) -> AsyncTask[P, R]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, fn: Callable[P, Awaitable[R]], /) -> AsyncTask[P, R]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, fn: NodeBody[P, R], /) -> SyncTask[P, R]: ...
    @overload
    def __call__(self, fn: Callable[P, R], /) -> SyncTask[P, R]: ...
    @overload
    def __call__(self, /, **options: Unpack[TaskOptions]) -> TaskDecorator: ...
    def __call__(self, fn: Any = None, /, **options: Any) -> Any:
        if fn is None:
            return TaskDecorator(self._scope, {**self._options, **options})
        body, place = _read_body(fn, options, "task")
        names = TaskOptions.__optional_keys__
        return self._scope._enter(_TASKS[body.kind], body, place, options=self._options, names=names)


class GroupDecorator:
    """`tree.group`: declares a function, or without one a mere name, as a group below `tree`."""

    def __init__(self, scope: Scope, options: Mapping[str, Any]) -> None:
        self._scope: Final = scope
        self._options: Final = options

    @overload
    def __call__(self, fn: NodeBody[P, Spawns[R]], /) -> Group[P, R]: ...  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload]
    @overload
    def __call__(self, fn: Callable[P, Spawns[R]], /) -> Group[P, R]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, fn: NodeBody[P, SyncSpawns[R]], /) -> Group[P, R]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, fn: Callable[P, SyncSpawns[R]], /) -> Group[P, R]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, fn: NodeBody[P, Awaitable[R]], /) -> AsyncGroup[P, R]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, fn: Callable[P, Awaitable[R]], /) -> AsyncGroup[P, R]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, fn: NodeBody[P, R], /) -> SyncGroup[P, R]: ...
    @overload
    def __call__(self, fn: Callable[P, R], /) -> SyncGroup[P, R]: ...
    @overload
    def __call__(self, id: str, /, **options: Unpack[BareGroupOptions]) -> Group[[], None]: ...
    @overload
    def __call__(self, /, **options: Unpack[GroupOptions]) -> GroupDecorator: ...
    def __call__(self, fn: Any = None, /, **options: Any) -> Any:
        if fn is None:
            return GroupDecorator(self._scope, {**self._options, **options})
        if isinstance(fn, str):
            said = {**self._options, **options}
            names = BareGroupOptions.__optional_keys__
            return self._scope._enter(Group, None, Place.of_caller(), options=said, names=names, label=fn)
        body, place = _read_body(fn, options, "group")
        names = GroupOptions.__optional_keys__
        return self._scope._enter(_GROUPS[body.kind], body, place, options=self._options, names=names)


class Scope:
    """What other declarations can stand below: a registry or a group."""

    _declared: Declaration

    @property
    def task(self) -> TaskDecorator:
        """Declare a task below this one: `@tree.task`, or `@tree.task(timeout=5)`."""
        return TaskDecorator(self, {})

    @property
    def group(self) -> GroupDecorator:
        """Declare a group below this one: `@tree.group`, or `@tree.group(parallel=False)`.

        One without a body has its id instead of a function: `with tree.group("checks") as checks:`.
        """
        return GroupDecorator(self, {})

    @property
    def handles(self) -> Mapping[str, Task[..., Any]]:
        """What was declared right below this one so far, by id."""
        return MappingProxyType(self._handles)

    @cached_property
    def _handles(self) -> dict[str, Task[..., Any]]:
        return {}

    def _enter(
        self,
        kind: type[Task[..., Any]],
        body: Body | None,
        place: Place,
        *,
        options: Mapping[str, Any],
        names: frozenset[str],
        label: str | None = None,
    ) -> Task[..., Any]:
        """Declare something below this one and return its handle."""
        declared = declare(self._declared, body, place, options=options, names=names, label=label)
        handle = self._handles[declared.label] = kind(declared)
        return handle


def parameter_types(pipeline: Scope | Task[..., Any]) -> dict[str, object]:
    """Return what a run of a registry, group or task may be given by name, each with its type or `Any`."""
    return types_of(pipeline._declared)


def parameter_defaults(pipeline: Scope | Task[..., Any]) -> dict[str, object]:
    """Return the defaults of those that have one which is known before a run."""
    return defaults_of(pipeline._declared)


def required_parameters(pipeline: Scope | Task[..., Any]) -> list[str]:
    """Return those of them that have no default."""
    return required_of(pipeline._declared)


class Group(Task[P, R_co], Scope):
    """A declared group: a task that other declarations stand below. They run after its body."""

    def __enter__(self) -> Self:
        """Return the group itself; the `with` only indents what is declared below it."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Do nothing."""


class AsyncGroup(Group[P, R_co], AsyncTask[P, R_co]):
    """A group made from an `async def`."""


class SyncGroup(Group[P, R_co], SyncTask[P, R_co]):
    """A group made from a `def`."""


_TASKS: Final[Mapping[BodyKind, type[Task[..., Any]]]] = {
    BodyKind.ASYNC: AsyncTask,
    BodyKind.THREAD: SyncTask,
    BodyKind.SPAWNER: Task,
    BodyKind.THREAD_SPAWNER: Task,
}
_GROUPS: Final[Mapping[BodyKind, type[Group[..., Any]]]] = {
    BodyKind.ASYNC: AsyncGroup,
    BodyKind.THREAD: SyncGroup,
    BodyKind.SPAWNER: Group,
    BodyKind.THREAD_SPAWNER: Group,
}


def _read_body(fn: object, options: Mapping[str, Any], decorator: str) -> tuple[Body, Place]:
    """Look at a function that was handed to a decorator, alone; options go into a call before it."""
    place = Place.of(fn)
    if isinstance(fn, Task):
        raise BodyError(fn.label, place, f"it is '{fn._declared.path}' already", "decorate the function: handle.fn")
    if options or not callable(fn):
        hint = f"options go by name, in a call of their own: {decorator}(id='...')"
        raise TypeError(f"{decorator}({fn!r}) ({place}): expected a function and nothing else; {hint}")
    return inspect_body(fn, place), place
