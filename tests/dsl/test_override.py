"""Another body for the time of a test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.dsl.sentences import at, exactly
from treetask import BodyError, MisplacedDependencyError, Registry, Return, Spawns, TaskNode, TreeFailed

pytestmark = pytest.mark.anyio

tree = Registry("app")


@tree.task
async def extract() -> bytes:
    """Give what there is."""
    return b"real"


@tree.task
async def fetch(node: TaskNode, url: str, *, raw: bytes = extract.output, tries: int = 1) -> bytes:
    """Be replaced."""
    raise AssertionError(f"{node} {url} {raw!r} {tries}")


@tree.task
def count(page: bytes) -> int:
    """Be replaced."""
    raise AssertionError(page)


@tree.group
async def crawl() -> Spawns[int]:
    """Spawn both."""
    yield (page := fetch.child("u"))
    yield (words := count.child(await page).keyed("u"))
    yield Return(await words)


async def fake(url: str, *, raw: bytes = extract.output, tries: int = 1) -> bytes:
    """Fetch nothing."""
    return f"{url} {raw.decode()} {tries}".encode()


def fake_count(page: bytes) -> int:
    """Count letters."""
    return len(page)


async def test_stands_in_for_what_is_spawned_and_for_calls() -> None:
    """And only as long as the `with` lasts."""
    with fetch.override(fake), count.override(fake_count):
        result = await tree.run()
        assert await fetch("u", raw=b"x") == b"u x 1"
        assert count(b"x") == 1

    assert result[crawl] == len("u real 1")
    with pytest.raises(AssertionError):
        count(b"x")


async def test_may_take_the_node_and_leave_the_rest_to_the_run() -> None:
    """What the original takes from others, a stand-in may take without a default, or not at all."""

    async def with_node(node: TaskNode, url: str, *, raw: bytes, tries: int = 1) -> bytes:
        return f"{node.id} {url} {raw!r} {tries}".encode()

    async def without(url: str, *, tries: int = 1) -> bytes:
        return b"short"

    def slow(page: bytes) -> int:
        return len(page) * 2

    stand_in: Any = with_node
    with fetch.override(stand_in), count.override(fake_count):
        assert (await tree.run())[fetch] == b"app/crawl/fetch[u] u b'real' 1"
    stand_in = without
    with fetch.override(stand_in), count.override(fake_count):
        with count.override(slow):
            assert (await tree.run())[crawl] == 10
        assert (await tree.run())[crawl] == 5


async def test_of_a_spawner_by_a_plain_async_function() -> None:
    """Its children are not needed."""

    async def seven() -> int:
        return 7

    with crawl.override(seven):
        assert (await tree.run())[crawl] == 7


async def test_may_leave_out_a_parameter_of_the_pipeline_where_its_group_is_run() -> None:
    """A name that the body and the pipeline share is still that of the pipeline, for those who take it."""
    own = Registry("own")

    @dataclass
    class Settings:
        pages: int = 3

    settings = own.params(Settings)

    @own.group
    async def visit(pages: int = settings.output.pages) -> str:
        raise AssertionError(pages)

    @visit.task
    async def show(pages: int = settings.output.pages) -> int:
        return pages

    async def visited() -> str:
        return "visited"

    stand_in: Any = visited
    with visit.override(stand_in):
        result = await visit.run(pages=7)
        assert (result.value, result[show]) == ("visited", 7)
        assert (await visit.run()).value == "visited"


async def test_of_a_sync_body_by_an_async_one() -> None:
    """Sync by sync or async."""

    async def one(page: bytes) -> int:
        return 1

    with fetch.override(fake), count.override(one):
        assert (await tree.run())[crawl] == 1


async def wrong_name(link: str, *, raw: bytes = b"", tries: int = 1) -> bytes:
    """Take it under another name."""
    return b""


async def needs_more(url: str, colour: str, *, raw: bytes = b"", tries: int = 1) -> bytes:
    """Need what nobody gives."""
    return b""


async def needs_tries(url: str, *, raw: bytes = b"", tries: int) -> bytes:
    """Need what callers may leave out."""
    return b""


async def no_tries(url: str, *, raw: bytes = b"") -> bytes:
    """Take less."""
    return b""


async def only_by_name(*, url: str, raw: bytes = b"", tries: int = 1) -> bytes:
    """Take nothing by position."""
    return b""


def plain(url: str, *, raw: bytes = b"", tries: int = 1) -> bytes:
    """Be of another kind."""
    return b""


@pytest.mark.parametrize(
    ("fn", "problem"),
    [
        (wrong_name, "nothing binds its parameter 'link'"),
        (needs_more, "nothing binds its parameter 'colour'"),
        (needs_tries, "nothing binds its parameter 'tries'"),
        (no_tries, "it does not take 'tries'"),
        (only_by_name, "by position it takes nothing; expected 'url'"),
        (plain, "it is a plain `def`; expected an `async def`"),
    ],
)
def test_function_that_is_called_otherwise_is_refused(fn: Callable[..., Any], problem: str) -> None:
    """At once, with what does not fit."""
    whole = (
        f"'{fn.__name__}' ({at(fn)}) cannot be a task: it is to stand in for task 'app/fetch' ({at(fetch)}), "
        f"but {problem}; write it like the function that it replaces"
    )
    with pytest.raises(BodyError, match=exactly(whole)):
        fetch.override(fn)


def test_group_without_a_body_has_none_to_override() -> None:
    """There is nothing to stand in for."""
    checks = Registry("other").group("checks")

    async def nothing() -> None: ...

    message = (
        f"'nothing' ({at(nothing)}) cannot be a task: it is to stand in for task 'other/checks' "
        f"({checks._declared.place}), but a group without a body has none to override; "
        "write it like the function that it replaces"
    )
    with pytest.raises(BodyError, match=exactly(message)):
        checks.override(nothing)


def test_handle_and_reference_are_no_functions() -> None:
    """The fix is the function of the handle; of a result there is none."""
    why = "it is the task 'app/count'; hand over its function: handle.fn"
    with pytest.raises(BodyError, match=exactly(f"'count' ({at(count)}) cannot be a task: {why}")):
        count.override(count)
    reference: Any = extract.output
    message = r"^'<output of 'app/extract'>' \(.*\) cannot be a task: it is the output of 'app/extract', a value; .*$"
    with pytest.raises(BodyError, match=message):
        count.override(reference)


def test_contexts_may_be_left_in_any_order() -> None:
    """The newest that is still open stands in, and in the end none does."""

    def other(page: bytes) -> int:
        return 2

    first, second = count.override(fake_count), count.override(other)
    first.__enter__()
    second.__enter__()
    assert count(b"x") == 2
    first.__exit__(None, None, None)
    assert count(b"x") == 2
    second.__exit__(None, None, None)
    with pytest.raises(AssertionError):
        count(b"x")


def test_contexts_of_a_resource_may_be_left_in_any_order() -> None:
    """In the same way."""
    app = Registry("app")

    @app.resource
    async def session() -> AsyncIterator[str]:
        yield "real"

    async def fake() -> AsyncIterator[str]:
        yield "fake"

    async def other() -> AsyncIterator[str]:
        yield "other"

    @app.task
    async def body(value: str = session.output) -> str:
        return value

    first, second = session.override(fake), session.override(other)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert app.run_sync()[body] == "other"
    second.__exit__(None, None, None)
    assert app.run_sync()[body] == "real"


async def test_argument_that_it_leaves_to_the_run_may_still_be_given() -> None:
    """Nobody misses it."""

    async def without(url: str, *, tries: int = 1) -> bytes:
        return f"{url} {tries}".encode()

    stand_in: Any = without
    with fetch.override(stand_in):
        assert await fetch("u", raw=b"x") == b"u 1"
        assert (await fetch.run("u", raw=b"x")).value == b"u 1"


async def test_that_takes_what_no_run_of_this_registry_has_is_refused() -> None:
    """As the original would be; so is a condition of one child."""

    @dataclass
    class Settings:
        number: int = 3

    elsewhere, here = Registry("elsewhere"), Registry("here")
    settings = elsewhere.params(Settings)
    why = "takes 'number' from the output of 'Settings', which is declared in another registry"

    async def foreign(number: int = settings.output.number) -> int:
        return number

    @here.task(static=False)
    async def work(number: int = 3) -> int:
        return number

    with pytest.raises(MisplacedDependencyError, match=why):
        work.override(foreign)

    def ask(number: int = settings.output.number) -> bool:
        return bool(number)

    @here.group
    async def spawns() -> Spawns[None]:
        yield work.child().with_options(when=ask)

    with pytest.raises(TreeFailed) as caught:
        await spawns.run()
    assert why in str(caught.value.exceptions[0])


async def test_what_it_waits_for_is_waited_for_no_more_afterwards() -> None:
    """The options that spawned nodes share are made anew on both sides of the `with`."""
    own = Registry("own")

    @own.task(allow_failure=True)
    async def broken() -> int:
        raise OSError("broken")

    @own.task(static=False)
    async def work(number: int) -> int:
        return number

    async def needs(number: int, *, other: int = broken.output) -> int:
        return number + other

    @own.group
    async def spawns() -> Spawns[None]:
        yield work.child(1)

    stand_in: Any = needs
    with work.override(stand_in):
        assert (await own.run()).all(work) == []

    assert (await own.run()).all(work) == [1]
