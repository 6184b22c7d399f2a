"""What tasks are declared with for stores: versions, and by what results are told from run to run."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from treetask import DefinitionError, Registry, Spawns, TaskNode, TaskTree
from treetask.dsl import cache_of, data_of, declaration_of, version_of

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Settings:
    env: str = "dev"


def by_url(url: str) -> str:
    """A key."""
    return url


def node_of(tree: TaskTree, node_id: str) -> TaskNode:
    """The node of that id."""
    found = tree.find(node_id)
    assert found is not None
    return found


def test_what_is_declared_is_reached_from_nodes() -> None:
    """Of static nodes, of those whose body takes only its node, and of children with what is below them."""
    tree = Registry("t")

    @tree.task(version="2", cache="inputs")
    async def load(pages: int = 3) -> int:
        return pages

    @tree.task(version=3, cache="inputs")
    async def look(node: TaskNode) -> None: ...

    @tree.task(cache=by_url)
    async def fetch(url: str, depth: int = 1) -> str:
        return url

    @tree.group(version=4)
    async def site(name: str) -> None: ...

    @site.task(cache="inputs")
    async def index(node: TaskNode) -> None: ...

    built = tree.build()
    child = fetch.make_node(fetch.child("u"), "fetch[u]")
    group = site.make_node(site.child("s"), "t/site[s]")
    nodes = [built.root, node_of(built, "t/load"), node_of(built, "t/look"), child, group, group.children[0]]

    assert [cache_of(node) for node in nodes] == [None, "inputs", "inputs", by_url, None, "inputs"]
    assert [version_of(node) for node in nodes] == [None, "2", 3, None, 4, None]
    labels = [None if declared is None else declared.label for declared in map(declaration_of, nodes)]
    assert labels == ["t", "load", "look", "fetch", "site", "index"]


def test_node_that_was_built_directly_has_none() -> None:
    """No declaration, no cache; a version it may have."""
    tree = TaskTree(TaskNode("root", children=[TaskNode("a", version=1)]))

    assert [cache_of(node) for node in tree.walk()] == [None, None]
    assert [declaration_of(node) for node in tree.walk()] == [None, None]
    assert data_of(tree.root) == {}


def test_nothing_is_kept_of_a_body_that_stands_in() -> None:
    """A fake of a test is not what later runs shall find."""
    tree = Registry("t")

    @tree.task(cache="inputs")
    async def load(pages: int = 3) -> int:
        return pages

    async def fake(pages: int = 3) -> int:
        return 0

    with load.override(fake):
        assert cache_of(node_of(tree.build(), "t/load")) is None
    assert cache_of(node_of(tree.build(), "t/load")) == "inputs"


async def test_data_are_the_arguments_without_node_and_resources() -> None:
    """Given by position or name, by default or by the run: all by name, as the body gets them."""
    tree = Registry("t")
    settings = tree.params(Settings)
    seen: list[dict[str, Any]] = []

    @tree.resource
    async def session() -> AsyncGenerator[object, None]:
        yield object()

    @tree.task
    async def load() -> list[int]:
        return [1]

    @tree.task(static=False)
    async def fetch(  # noqa: PLR0917 - one of each kind
        node: TaskNode,
        url: str,
        depth: int,
        mode: str = "r",
        raw: list[int] = load.output,
        env: str = settings.output.env,
        session: object = session.output,
    ) -> None:
        seen.append(data_of(node))

    @tree.group(depends_on=[load])
    async def crawl() -> Spawns[None]:
        yield fetch.child("u", depth=2)

    await tree.run(env="prod")

    assert seen == [{"url": "u", "depth": 2, "mode": "r", "raw": [1], "env": "prod"}]


def needs_more(url: str, other: int) -> str:
    """A key of what there is not."""
    return url


def by_position(url: str, /) -> str:
    """A key that cannot be asked for by name."""
    return url


@pytest.mark.parametrize(
    ("cache", "problem"),
    [
        (needs_more, r"cache=needs_more needs 'other', which the task does not take \(there are 'url'\)"),
        (by_position, r"cache=by_position takes 'url' by position only; remove the '/'"),
        (dict, r"cache=dict does not tell what it takes; write a `def` that calls it"),
    ],
)
def test_key_that_cannot_be_made_is_refused(cache: Callable[..., object], problem: str) -> None:
    """Told where the task is declared, not where it runs."""

    async def fetch(url: str) -> None: ...

    with pytest.raises(DefinitionError, match=rf"^task 't/fetch' \(.*\): {problem}$"):
        Registry("t").task(cache=cache)(fetch)


def test_cache_of_what_yields_is_refused() -> None:
    """Its children would not run."""

    async def crawl() -> Spawns[None]:
        yield []

    with pytest.raises(
        DefinitionError,
        match=r"^task 't/crawl' \(.*\) yields children, so it cannot have cache=: a result is kept of one body, and it "
        "would stand for what its children do; give it to them$",
    ):
        Registry("t").task(cache="inputs")(crawl)


@pytest.mark.parametrize("name", ["checks", None])
def test_cache_of_a_group_is_refused(name: str | None) -> None:
    """With or without a body, and with the reason."""
    tree: Any = Registry("t")

    async def checks() -> None: ...

    with pytest.raises(
        TypeError,
        match=r"^task 't/checks' \(.*\) has no option 'cache': a result is kept of one body, and it would stand for "
        "what its children do; give it to tasks$",
    ):
        _ = tree.group(name, cache="inputs") if name else tree.group(cache="inputs")(checks)


def test_version_of_a_group_without_a_body_is_refused() -> None:
    """There is nothing that it would be the version of."""
    tree: Any = Registry("t")

    with pytest.raises(
        TypeError, match=r"^task 't/checks' \(.*\) has no option 'version'; it is one of what is declared with a body$"
    ):
        tree.group("checks", version=1)


async def test_cache_without_a_store_does_nothing() -> None:
    """Every run runs it."""
    tree = Registry("t")
    ran: list[int] = []

    @tree.task(cache="inputs")
    async def load(pages: int = 3) -> None:
        ran.append(pages)

    await tree.run()
    await tree.run()

    assert ran == [3, 3]
