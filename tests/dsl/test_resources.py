"""How resources are declared: what can be one, who may take it, what stands in for it in tests."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.dsl.sentences import at, exactly
from treetask import (
    AsyncExecutor,
    BodyError,
    DefinitionError,
    MisplacedDependencyError,
    Registry,
    Resource,
    TaskNode,
    TreeFailed,
)

pytestmark = pytest.mark.anyio

tree = Registry("app")


@dataclass
class Settings:
    """What the pipeline can be given."""

    url: str = "db://local"


settings = tree.params(Settings)


@dataclass
class Connection:
    """What the bodies share."""

    url: str
    is_open: bool = True


@tree.resource
async def session(url: str = settings.output.url) -> AsyncIterator[Connection]:
    """Connect."""
    connection = Connection(url)
    yield connection
    connection.is_open = False


@tree.task
async def load(conn: Connection = session.output, url: str = session.output.url) -> Connection:
    """Take it, and what it has."""
    assert conn.is_open
    assert conn.url == url
    return conn


@tree.task
async def extract() -> str:
    """Give what there is."""
    return "raw"


def refusal_of(fn: Callable[..., Any], problem: str) -> str:
    """The pattern for a function that cannot be a resource."""
    return exactly(f"'{fn.__name__}' ({at(fn)}) cannot be a resource: {problem}")


# -- what it is -------------------------------------------------------------------------------------------------------


async def test_takes_parameters_of_the_pipeline() -> None:
    """A declared resource is a handle with its name, its function and its words."""
    result = await tree.run(url="db://far")

    assert result[load] == Connection("db://far", is_open=False)
    assert isinstance(session, Resource)
    assert (session.label, session.__doc__, session.fn.__name__) == ("session", "Connect.", "session")
    assert repr(session) == f"<Resource 'session' at {at(session.fn)}>"
    assert repr(session.output.url) == "<output of 'session.url'>"


async def test_call_needs_it_given_by_hand() -> None:
    """Before the first line of the body."""
    assert (await load(Connection("x"), "x")).url == "x"
    with pytest.raises(
        TypeError,
        match=exactly(
            "load() needs 'conn', which only a run takes from the output of 'session'; give it: load(conn=...)"
        ),
    ):
        await load()
    with pytest.raises(
        TypeError,
        match=exactly(
            "load.child() was given <output of 'session'>, which is a value only as the default of a parameter: "
            "def f(x=task.output)"
        ),
    ):
        _ = load.child(session.output)


# -- what cannot be one -----------------------------------------------------------------------------------------------


def plain() -> Connection:
    """Give it."""
    return Connection("x")


def stepping() -> Generator[Connection, None, None]:
    """Yield it in a thread."""
    yield Connection("x")


async def returning() -> Connection:
    """Return it."""
    return Connection("x")


@asynccontextmanager
async def managed() -> AsyncGenerator[Connection, None]:
    """Be a context manager already."""
    yield Connection("x")


async def unbound(host: str, port: int) -> AsyncGenerator[str, None]:
    """Need what nothing gives."""
    yield f"{host}:{port}"


async def with_node(node: TaskNode) -> AsyncGenerator[str, None]:
    """Want the node."""
    yield node.id


async def with_bare_node(node) -> AsyncGenerator[str, None]:  # type: ignore[no-untyped-def]  # pyright: ignore[reportMissingParameterType, reportUnknownParameterType]  # noqa: ANN001
    """Want it too."""
    yield node.id  # pyright: ignore[reportUnknownMemberType]


async def with_result(raw: str = extract.output) -> AsyncGenerator[str, None]:
    """Take what a task returns."""
    yield raw


async def with_rest(*hosts: str) -> AsyncGenerator[str, None]:
    """Hide what it takes."""
    yield str(hosts)


async def with_handle(conn: object = session) -> AsyncGenerator[str, None]:
    """Forget the `.output`."""
    yield str(conn)


REFUSED: list[tuple[Any, str]] = [
    (plain, "it is no async generator; write it as `async def` that yields its value once"),
    (stepping, "it is no async generator; write it as `async def` that yields its value once"),
    (returning, "it does not yield; yield its value; what comes after the `yield` closes it"),
    (managed, "it is an async generator inside of something else; remove the decorator, as @asynccontextmanager"),
    (unbound, "nothing binds 'host'; give it a default, as in host: str = settings.output.env"),
    (with_node, "its parameter 'node' is a node, and it serves many; remove it"),
    (with_bare_node, "its parameter 'node' is a node, and it serves many; remove it"),
    (
        with_result,
        (
            "it takes 'raw' from the output of 'app/extract', but it is there before any task; "
            "take it in the task that uses the resource"
        ),
    ),
    (
        with_rest,
        (
            "'*hosts' hides what it takes; name its parameters, or take one list; if it is made by a decorator, "
            "use functools.wraps there"
        ),
    ),
    (with_handle, f"the default of 'conn' is {session!r} itself; write .output behind it"),
]


@pytest.mark.parametrize(("fn", "problem"), REFUSED, ids=[fn.__name__ for fn, _ in REFUSED])
def test_what_cannot_be_one(fn: Callable[..., Any], problem: str) -> None:
    """Refused by name, with the fix."""
    with pytest.raises(BodyError, match=refusal_of(fn, problem)):
        tree.resource(fn)


@pytest.mark.parametrize("thing", [3, Connection], ids=["number", "class"])
def test_what_is_no_function(thing: Callable[..., Any]) -> None:
    """Refused as well."""
    with pytest.raises(
        BodyError, match=r"^'.*' \(.*\) cannot be a resource: it is (no function but of type int|a class); "
    ):
        tree.resource(thing)


def test_name_that_another_has() -> None:
    """Both places are named."""

    async def session() -> AsyncGenerator[int, None]:
        yield 1

    first = at(globals()["session"].fn)
    with pytest.raises(
        DefinitionError,
        match=exactly(
            f"registry 'app' has a resource 'session' already ({first}), and again at {at(session)}; rename one of them"
        ),
    ):
        tree.resource(session)


def test_that_of_another_registry() -> None:
    """Neither a task nor a resource may take it."""
    other = Registry("other")

    async def use(conn: Connection = session.output) -> Connection:
        return conn

    async def pool(conn: Connection = session.output) -> AsyncGenerator[Connection, None]:
        yield conn

    with pytest.raises(
        MisplacedDependencyError,
        match=exactly(
            f"task 'other/use' ({at(use)}) takes 'conn' from the output of 'session', which is declared in another "
            f"registry ({at(session.fn)}); declare both in one"
        ),
    ):
        other.task(use)
    with pytest.raises(
        BodyError,
        match=refusal_of(
            pool,
            f"it takes 'conn' from the output of 'session', of another registry ({at(session.fn)}); "
            "declare both in one",
        ),
    ):
        other.resource(pool)


# -- who cannot take it -----------------------------------------------------------------------------------------------


def test_condition_cannot_take_one() -> None:
    """It answers at once, before anything is opened."""

    def is_needed(conn: Connection = session.output) -> bool:
        return conn.is_open

    async def publish() -> None: ...

    with pytest.raises(
        DefinitionError,
        match=exactly(
            f"task 'app/publish' ({at(publish)}): when=is_needed cannot be asked: it takes 'conn' from a resource, "
            "which takes time to open; ask in a task, and take its output"
        ),
    ):
        tree.task(when=is_needed)(publish)


def test_dependency_cannot_be_one() -> None:
    """It has no node."""
    with pytest.raises(
        TypeError, match=r"depends_on has <Resource 'session' at .*> in it; expected a list of handles, as in .*$"
    ):
        tree.task(depends_on=[session])(plain)  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]


def test_handle_itself_is_no_default() -> None:
    """Of a body: what was meant is its value. Of parameters alike."""

    async def use(node: TaskNode, conn: object = session) -> None: ...
    async def show(node: TaskNode, given: object = settings) -> None: ...

    with pytest.raises(
        BodyError,
        match=exactly(
            f"'use' ({at(use)}) cannot be a task: the default of 'conn' is {session!r} itself; write .output behind it"
        ),
    ):
        tree.task(use)
    with pytest.raises(BodyError, match=r"the default of 'given' is <Params .*> itself; write \.output behind it$"):
        tree.task(show)


# -- in tests ---------------------------------------------------------------------------------------------------------


async def test_another_one_stands_in() -> None:
    """For what is opened meanwhile; what the original takes is filled in by name."""

    async def fake(url: str) -> AsyncGenerator[Connection, None]:
        yield Connection(f"fake of {url}")

    async def bare() -> AsyncGenerator[Connection, None]:
        yield Connection("bare")

    with session.override(fake):
        assert (await tree.run())[load].url == "fake of db://local"
        with session.override(bare):
            assert (await tree.run())[load].url == "bare"
        assert (await tree.run())[load].url == "fake of db://local"
    assert (await tree.run())[load].url == "db://local"


async def test_tree_that_was_built_for_a_stand_in_is_told_what_it_lacks() -> None:
    """The parameters are those of its building; a function that takes others needs another tree."""
    own = Registry("own")

    @dataclass
    class Needed:
        url: str

    needed = own.params(Needed)

    @own.resource
    async def connection(url: str = needed.output.url) -> AsyncGenerator[str, None]:
        yield url

    @own.group
    async def jobs() -> None: ...

    @jobs.task
    async def job(conn: str = connection.output) -> None: ...

    async def fake() -> AsyncGenerator[str, None]:
        yield "fake"

    with connection.override(fake):
        built = jobs.build()
    with pytest.raises(TreeFailed) as caught:
        await AsyncExecutor(built).run()
    place = at(connection.fn)
    (error,) = caught.value.exceptions
    assert str(error) == (
        f"resource 'connection' ({place}) takes 'url' from the output of 'Needed.url', which its tree was not given: "
        "another function stood in for it then; build the tree again"
    )


def test_what_cannot_stand_in() -> None:
    """What could be no resource, and what would wait for itself."""

    async def needy(port: int) -> AsyncGenerator[Connection, None]:
        yield Connection(f"{port}")

    own = Registry("own")

    @own.resource
    async def first() -> AsyncGenerator[int, None]:
        yield 1

    @own.resource
    async def second(number: int = first.output) -> AsyncGenerator[int, None]:
        yield number + 1

    async def circle(number: int = second.output) -> AsyncGenerator[int, None]:
        yield number

    with pytest.raises(
        BodyError,
        match=refusal_of(needy, "nothing binds 'port'; give it a default, as in port: str = settings.output.env"),
    ):
        session.override(needy)
    with pytest.raises(BodyError, match=r"^'returning' \(.*\) cannot be a resource: it does not yield; .*$"):
        session.override(returning)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(
        BodyError,
        match=refusal_of(
            circle,
            "it takes 'number' from the output of 'second', which needs 'first' itself; open what it needs in it",
        ),
    ):
        first.override(circle)
