"""Which functions can be bodies, who receives the node, and what is refused with the fix."""

from __future__ import annotations
import __future__

import functools
import inspect
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterable
from typing import Annotated, Any, Optional, Protocol, TypeVar, Union, cast
from unittest.mock import AsyncMock, Mock

import pytest
from typing_extensions import ParamSpec

import treetask
from tests.dsl.sentences import at, exactly
from treetask import Registry, TaskNode
from treetask.dsl import BodyError
from treetask.dsl._declaration import Body
from treetask.dsl._inspection import inspect_body
from treetask.dsl._place import Place
from treetask.model import BodyKind, Spawns, SyncSpawns

P = ParamSpec("P")
T = TypeVar("T")


class HasId(Protocol):
    """What a node has."""

    @property
    def id(self) -> str: ...


class Readable(Protocol):
    """What a node has not."""

    def read(self) -> bytes: ...


NAMES: dict[str, object] = {
    "Aliased": TaskNode,
    "Annotated": Annotated,
    "Any": Any,
    "Callable": Callable,
    "HasId": HasId,
    "Hashable": Hashable,
    "Optional": Optional,
    "Readable": Readable,
    "T": TypeVar("T"),
    "TaskNode": TaskNode,
    "Union": Union,
    "Word": TypeVar("Word", bound=str),
    "treetask": treetask,
}
"""What the made-up functions can name."""


def inspected(fn: object) -> Body:
    """What a decorator finds out about a function."""
    return inspect_body(fn, Place.of(fn))


def function(parameters: str, *, as_text: bool) -> Callable[..., Any]:
    """A function with these parameters; its annotations are texts, as the future import has them, or objects."""
    names = dict(NAMES)
    flags = __future__.annotations.compiler_flag if as_text else 0
    exec(compile(f"async def body({parameters}): ...", "app.py", "exec", flags, dont_inherit=True), names)
    return cast("Callable[..., Any]", names["body"])


# -- the node ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_text", [True, False])
@pytest.mark.parametrize(
    "parameters",
    [
        "node: TaskNode, url: str",
        "me: TaskNode, url: str",
        "node: treetask.TaskNode, url: str",
        "me: Aliased, url",
        "me: Annotated[TaskNode, 'mine'], url: str",
        "me: 'TaskNode', url: str",
        "me: 'not_imported.TaskNode', url: str",
        "node: TaskNode, /, url: str",
        "node: TaskNode = None, url: str = ''",
        "node, url",
        "node=None, *, url",
    ],
)
def test_node_is_received(parameters: str, as_text: bool) -> None:
    """By a first parameter annotated TaskNode, by name where that cannot be resolved, or a bare `node`."""
    body = inspected(function(parameters, as_text=as_text))

    assert body.wants_node
    assert list(body.parameters.signature.parameters) == ["url"]


@pytest.mark.parametrize("as_text", [True, False])
@pytest.mark.parametrize(
    "parameters",
    [
        "",
        "url: str",
        "node: str",
        "count: int | None",
        "word: Word",
        "source: Readable",
        "function: Callable[..., Any]",
        "options: dict[str, object]",
        "page: 'not_imported.Page'",
        "*, url: str",
        "*, node",
        "nodes",
        "url, node",
        "**options: str",
    ],
)
def test_node_is_not_received(parameters: str, as_text: bool) -> None:
    """What such a function takes is what callers see."""
    fn = function(parameters, as_text=as_text)

    body = inspected(fn)

    assert not body.wants_node
    assert list(body.parameters.signature.parameters) == list(inspect.signature(fn).parameters)


@pytest.mark.parametrize(
    "parameters",
    [
        "thing: Any",
        "thing: object",
        "thing: Hashable",
        "thing: T",
        "thing: TaskNode | None",
        "thing: Optional[TaskNode]",
        "thing: Union[str, TaskNode]",
        "thing: HasId",
        "thing: not_imported.Any",
        "thing: NotImported | TaskNode",
    ],
)
def test_parameter_that_would_accept_the_node_is_refused(parameters: str) -> None:
    """The type checker would hand it the node, so it is not guessed at."""
    with pytest.raises(
        BodyError,
        match=exactly(
            f"'body' (app.py:1) cannot be a task: its first parameter '{parameters}' would accept the node, so it "
            "cannot be told from an argument; write 'thing: TaskNode' to receive the node, or "
            f"'(node: TaskNode, {parameters})' to have both"
        ),
    ):
        inspected(function(f"{parameters}, url: str = ''", as_text=True))


def test_node_of_another_type_is_refused() -> None:
    """Where the name says node and the type anything, there is one way to mend it."""
    with pytest.raises(
        BodyError,
        match=exactly(
            "'body' (app.py:1) cannot be a task: its first parameter 'node: object' would accept the node, so it "
            "cannot be told from an argument; write 'node: TaskNode' to receive the node"
        ),
    ):
        inspected(function("node: object", as_text=False))


# -- kinds ------------------------------------------------------------------------------------------------------------


async def _annotated(node: TaskNode, url: str) -> None: ...
async def _nothing() -> None: ...


async def _spawner() -> Spawns[None]:
    yield []


def _stepper() -> SyncSpawns[int]:
    yield []
    return 1


def _plain() -> int:
    return 1


class Fetcher:
    """An object that can be called."""

    async def __call__(self, node: TaskNode, url: str) -> None: ...


def logged(fn: Callable[P, T]) -> Callable[P, T]:
    """A decorator that keeps the kind of what it wraps."""

    @functools.wraps(fn)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        return fn(*args, **kwargs)

    return wrapper


def timed(fn: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """A decorator made for async functions."""

    @functools.wraps(fn)
    async def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        return await fn(*args, **kwargs)

    return wrapper


_logged_plain: Callable[[], int] = logged(_plain)
_plain_partial: Callable[[], int] = functools.partial(_plain)


@pytest.mark.parametrize(
    ("fn", "kind"),
    [
        (_nothing, BodyKind.ASYNC),
        (_spawner, BodyKind.SPAWNER),
        (_plain, BodyKind.THREAD),
        (_stepper, BodyKind.THREAD_SPAWNER),
        (timed(_annotated), BodyKind.ASYNC),
        (_logged_plain, BodyKind.THREAD),
        (functools.partial(_annotated, url="u"), BodyKind.ASYNC),
        (_plain_partial, BodyKind.THREAD),
        (Fetcher(), BodyKind.ASYNC),
        (len, BodyKind.THREAD),
    ],
)
def test_kind_is_that_of_the_function(fn: Callable[..., Any], kind: BodyKind) -> None:
    """Four kinds of functions; wrapped ones and callable objects are seen through."""
    assert inspected(fn).kind is kind


def test_wrapped_function_keeps_its_parameters() -> None:
    """functools.wraps is enough for the node and the parameters to be found."""
    body = inspected(timed(_annotated))

    assert body.wants_node
    assert list(body.parameters.signature.parameters) == ["url"]


def test_object_without_a_name_needs_an_id() -> None:
    """A partial or a callable object has no name that could be its id."""
    tree = Registry("t")

    with pytest.raises(
        TypeError, match=r"^functools\.partial\(.*\) \(.*\) has no name of its own; give it one: task\(id='...'\)$"
    ):
        tree.task(functools.partial(_annotated, url="u"))
    tree.task(id="first")(functools.partial(_annotated, url="u"))
    tree.task(id="second")(Fetcher())
    assert tree.build().ids() == ["t", "t/first"]


_sources = Registry("sources")


@_sources.task
async def _loaded() -> str:
    return "u"


async def _by_url(url: str) -> None: ...


@pytest.mark.parametrize("value", [_loaded.output, [_loaded.maybe]])
def test_partial_takes_references_by_name_only(value: Any) -> None:  # noqa: ANN401 - what a type checker lets pass
    """One by position is no default of a parameter: the body would get the reference itself."""
    tree = Registry("t")

    with pytest.raises(
        BodyError,
        match=exactly(
            f"'_by_url' ({at(_by_url)}) cannot be a task: the partial holds {value!r} by position, where nothing "
            "fills it in; hand it to the partial by the name of its parameter"
        ),
    ):
        tree.task(id="first")(functools.partial(_by_url, value))
    body = inspected(functools.partial(_by_url, url=_loaded.output))
    assert list(body.references) == ["url"]


@pytest.mark.parametrize("mock", [Mock(), AsyncMock(return_value=b"")], ids=["plain", "async"])
def test_mock_that_takes_anything_is_refused(mock: Callable[..., Any]) -> None:
    """It has all attributes that are asked for, and no signature to check."""
    message = r"^'.*Mock.*' \(.*test_bodies\.py:\d+\) cannot be a task: '\*args' hides what it takes; "
    with pytest.raises(BodyError, match=message):
        _loaded.override(mock)


# -- what is no body --------------------------------------------------------------------------------------------------


class Jobs:
    """Somebody's class."""

    def method(self, url: str) -> None: ...

    @classmethod
    def of_class(cls, url: str) -> None: ...

    @staticmethod
    def of_nothing(url: str) -> None: ...


def _awaiting() -> Awaitable[int]:
    raise NotImplementedError


def _handing_on() -> Spawns[int]:
    raise NotImplementedError


def _stepping_on() -> SyncSpawns[int]:
    return _stepper()


async def _iterating() -> AsyncIterator[object]:
    yield []


def _stepping() -> Iterable[object]:
    yield []


def _many(*urls: str) -> None: ...
def _stray(url: str, node: TaskNode) -> None: ...
def _stray_by_name(*, node: TaskNode) -> None: ...
def _reserved(url: str, config: str = "") -> None: ...


WRAPS = "name its parameters, or take one list; if it is made by a decorator, use functools.wraps there"
KIND = "write the wrapper as the kind of function that it wraps"
LATE = "it is a plain `def`, run in a thread, that returns "
YIELDS = "its return type does not say that it yields children; annotate it "
STRAY = (
    "'node: TaskNode' is not its first positional parameter; put it first to receive the node; nodes are no arguments"
)
METHOD = "it is a method; declare a function outside the class that calls it"


@pytest.mark.parametrize(
    ("fn", "name", "problem"),
    [
        (Jobs, "Jobs", "it is a class; declare a function that makes or uses one"),
        (Jobs().method, "method", METHOD),
        (Jobs.method, "method", METHOD),
        (Jobs.of_class, "of_class", METHOD),
        (vars(Jobs)["of_nothing"], "of_nothing", METHOD),
        (vars(Jobs)["of_class"], "of_class", METHOD),
        (lambda: None, "<lambda>", "a lambda has no name and no types; write it as `def`"),
        (3, "3", "it is no function but of type int; declare a `def` or `async def`"),
        (dict.fromkeys, "fromkeys", METHOD),
        (
            _many,
            "_many",
            "'*urls' hides what it takes; " + WRAPS,
        ),
        (
            _stray,
            "_stray",
            STRAY,
        ),
        (
            _stray_by_name,
            "_stray_by_name",
            STRAY,
        ),
        (
            _reserved,
            "_reserved",
            "its parameter 'config' has the name of an option of run(); rename it, as in 'config_'",
        ),
        (
            _awaiting,
            "_awaiting",
            LATE + "an awaitable; write it as `async def`",
        ),
        (
            _handing_on,
            "_handing_on",
            LATE + "an async generator; write it as `async def` with `yield`",
        ),
        (
            _stepping_on,
            "_stepping_on",
            LATE + "a generator; let it `yield from` what it returns",
        ),
        (
            _iterating,
            "_iterating",
            YIELDS + "`-> Spawns[...]`",
        ),
        (
            _stepping,
            "_stepping",
            YIELDS + "`-> SyncSpawns[...]`",
        ),
        (
            logged(_annotated),
            "_annotated",
            "it is a plain `def` wrapped around an async function or a generator; " + KIND,
        ),
    ],
)
def test_function_that_cannot_be_a_body_is_refused(fn: object, name: str, problem: str) -> None:
    """At declaration, with its name, its place and the fix."""
    with pytest.raises(BodyError, match=rf"^'{re.escape(name)}' \(.*:\d+\) cannot be a task: {re.escape(problem)}$"):
        inspected(fn)


def test_function_whose_parameters_cannot_be_read_is_refused() -> None:
    """Some built-in functions do not tell."""
    with pytest.raises(
        BodyError,
        match=r"^'range' .* cannot be a task: its parameters cannot be read; call it from a `def` of your own$",
    ):
        inspected(_Unreadable())


class _Unreadable:
    """A callable that does not tell what it takes."""

    __name__ = "range"
    __signature__ = "unknown"

    def __call__(self) -> None: ...
