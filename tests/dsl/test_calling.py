"""Calling a handle is calling its function; and the arguments of a child, checked as it is described."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.dsl.sentences import exactly
from treetask import Child, Registry, Spawns, SyncSpawns, TaskNode

pytestmark = pytest.mark.anyio

tree = Registry("t")
seen: list[TaskNode] = []


@tree.task
async def extract() -> bytes:
    """Needs nothing."""
    return b"raw"


@tree.task
async def fetch(node: TaskNode, url: str, *, tries: int = 1) -> str:
    """Wants the node and an argument."""
    node.progress = (tries, 3)
    node.data["url"] = url
    seen.append(node)
    return f"{url} {tries}"


@tree.task
def count(page: bytes, sep: bytes = b" ") -> int:
    """Runs in a thread, in a tree."""
    return len(page.split(sep))


@tree.task
async def load(word: str = "", *, raw: bytes = extract.output) -> tuple[str, bytes]:
    """Takes the output of another."""
    return word, raw


@tree.task
def place(url: str, /, kind: str = "", **options: str) -> str:
    """Has parameters of every sort."""
    return f"{url} {kind} {options}"


@tree.task
async def spawner(urls: int) -> Spawns[None]:
    """Yields children."""
    yield fetch.child("u")


@tree.task
def stepper() -> SyncSpawns[None]:
    """Yields children from a thread."""
    yield fetch.child("u")


checks = tree.group("checks")


async def test_async_handle_is_awaited_like_its_function() -> None:
    """No node, no engine: a body is tested alone."""
    assert await extract() == b"raw"
    assert await load(raw=b"mine") == ("", b"mine")
    assert await load("w", raw=b"mine") == ("w", b"mine")


def test_sync_handle_is_called_like_its_function() -> None:
    """Its result comes back at once."""
    assert count(b"a b c") == 3
    assert count(b"a,b", sep=b",") == 2
    assert place("u", "k", url="another") == "u k {'url': 'another'}"


async def test_body_that_wants_a_node_gets_one_of_its_own() -> None:
    """It is in no tree, so that progress and data can be set and looked at."""
    assert await fetch("u", tries=2) == "u 2"

    node = seen.pop()
    assert (node.id, node.name, node.progress, node.data) == ("t/fetch", "fetch", (2, 3), {"url": "u"})
    assert node.get_root() is node


async def test_function_itself_takes_any_node() -> None:
    """`fn` is the function as it was written."""
    node = TaskNode("mine")

    assert await fetch.fn(node, "u") == "u 1"
    assert seen.pop() is node


# -- what does not fit ------------------------------------------------------------------------------------------------

# The type checkers refuse these lines as well.
Calls = list[tuple[Any, tuple[Any, ...], dict[str, Any], str]]

NOT_HERE = (
    "was given <output of 't/extract'>, which is a value only as the default of a parameter: def f(x=task.output)"
)
TAKES = "it takes (url, *, tries=1)"

CALLS: Calls = [
    (
        load,
        (),
        {},
        "load() needs 'raw', which only a run takes from the output of 't/extract'; give it: load(raw=...)",
    ),
    (count, (), {}, "count() needs 'page'; it takes (page, sep=b' ')"),
    (count, (extract.output,), {}, f"count() {NOT_HERE}"),
    (
        fetch,
        (TaskNode("n"), "u"),
        {},
        "fetch() gets a node by itself; leave it out, or hand yours to fetch.fn(node, ...)",
    ),
    (
        spawner,
        (3,),
        {},
        "spawner() cannot be called: it yields children, which need an engine; run it: await spawner.run(...)",
    ),
    (
        stepper,
        (),
        {},
        "stepper() cannot be called: it yields children, which need an engine; run it: await stepper.run(...)",
    ),
    (checks, (), {}, "group 't/checks' has no body to call; run it: await checks.run()"),
]

ARGUMENTS: Calls = [
    (fetch.child, (), {}, f"fetch.child() needs 'url'; {TAKES}"),
    (fetch.child, ("a", 2), {}, f"fetch.child() was given 2 arguments by position; expected at most 1; {TAKES}"),
    (extract.child, (1,), {}, "extract.child() was given 1 argument by position; expected none; it takes ()"),
    (fetch.child, ("a",), {"trees": 2}, f"fetch.child() has no parameter 'trees' (did you mean 'tries'?); {TAKES}"),
    (
        fetch.child,
        ("a",),
        {"trees": 2, "uri": 3, "x": 4},
        f"fetch.child() has no parameter 'trees' (did you mean 'tries'?); {TAKES}",
    ),
    (fetch.child, ("a",), {"node": 2}, f"fetch.child() has no parameter 'node' (there are 'tries', 'url'); {TAKES}"),
    (fetch.child, ("a",), {"url": "b"}, f"fetch.child() was given 'url' twice, by position and by name; {TAKES}"),
    (fetch.child, (), {"url": extract.output}, f"fetch.child() {NOT_HERE}"),
    (place.child, (), {}, "place.child() needs 'url'; it takes (url, /, kind='', **options)"),
    (place.child, (), {"url": "u"}, "place.child() needs 'url'; it takes (url, /, kind='', **options)"),
    (checks.child, (1,), {}, "checks.child() was given 1 argument by position; expected none; it takes ()"),
    (fetch.build, (), {}, f"fetch.build() needs 'url'; {TAKES}"),
    (fetch.run_sync, (), {}, f"fetch.run_sync() needs 'url'; {TAKES}"),
    (tree.run_sync, (), {"pages": 3}, "registry 't': run_sync() has no parameter 'pages' (there are none)"),
]


@pytest.mark.parametrize(("function", "args", "kwargs", "message"), [*CALLS, *ARGUMENTS])
def test_arguments_that_do_not_fit_are_refused_at_once(
    function: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any], message: str
) -> None:
    """The function and the parameter are named where they are given, and nothing of the body has run."""
    with pytest.raises(TypeError, match=exactly(message)):
        function(*args, **kwargs)
    assert seen == []


async def test_run_refuses_arguments_when_it_is_awaited() -> None:
    """The same words as for a child."""
    run: Any = fetch.run

    with pytest.raises(TypeError, match=exactly(f"fetch.run() needs 'url'; {TAKES}")):
        await run()


def test_arguments_that_fit_make_a_description() -> None:
    """Of a node to be, with the arguments as they were given; nothing runs."""
    children: list[Child[Any]] = [
        fetch.child("a"),
        fetch.child(url="a"),
        fetch.child("a", tries=3),
        place.child("a", url="b", kind="c", more="d"),
        load.child(),
        load.child(raw=b"mine"),
        checks.child(),
    ]

    assert [(child.template, child.args, child.kwargs) for child in children] == [
        (fetch, ("a",), {}),
        (fetch, (), {"url": "a"}),
        (fetch, ("a",), {"tries": 3}),
        (place, ("a",), {"url": "b", "kind": "c", "more": "d"}),
        (load, (), {}),
        (load, (), {"raw": b"mine"}),
        (checks, (), {}),
    ]
    assert seen == []
