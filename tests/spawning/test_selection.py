"""What is spawned is selected when it comes in: the rest is skipped, and nobody takes that for a failure."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from tests.engine.support import ended, ok, statuses
from treetask import (
    JOIN,
    AsyncExecutor,
    Child,
    Registry,
    Return,
    Spawns,
    TaskFailed,
    TaskNode,
    TaskTree,
    TreeBuilder,
    TreeFailed,
)

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

site = Registry("site")
ran: list[str] = []


@site.task(tags=["net"])
async def page(name: str) -> str:
    """Be fetched."""
    ran.append(f"page {name}")
    return name


@site.group
async def section(name: str) -> Spawns[None]:
    """Fetch two pages, with something before and after."""
    ran.append(f"section {name}")
    yield [page.child(f"{name}1"), page.child("http://a/b")]


@section.task
async def before() -> None:
    """Be there for the next one."""
    ran.append("before")


@section.task(depends_on=[before])
async def after() -> None:
    """Come after the other one."""
    ran.append("after")


@section.task
async def takes(none: None = before.output) -> None:
    """Take what came of the first one."""


@site.group
async def crawl() -> Spawns[list[str]]:
    """Fetch pages, sections and all."""
    ran.append("crawl")
    results = yield [page.child("a"), page.child("b"), section.child("s")]
    results = yield JOIN
    yield Return(results)


@site.group(parallel=False)
async def slowly() -> Spawns[None]:
    """Fetch pages one after another."""
    for name in "ab":
        yield page.child(name)


@site.group(max_retries=1)
async def awaits(node: TaskNode) -> Spawns[str]:
    """Need a page, if it is there."""
    yield (child := page.child("a"))
    try:
        yield Return(await child)
    except TaskFailed as failed:
        yield Return(str(failed))


async def run(*only: str, skip: tuple[str, ...] = ()) -> TaskTree:
    """Run what is selected of the site."""
    ran.clear()
    tree = site.build()
    tree.select(only, skip)
    await AsyncExecutor(tree).run()
    return tree


def left_out(tree: TaskTree) -> list[str]:
    """What came in and was not selected, below its spawner."""
    return [node.id.removeprefix("site/") for node in tree.walk() if node.reason == "not selected"]


async def test_children_that_are_selected_run_and_the_others_are_skipped() -> None:
    """The spawner holds them, so it runs; its result has what there is."""
    tree = await run("crawl/page[*]")

    assert ran == ["crawl", "page a", "page b"]
    assert left_out(tree) == ["crawl/section[s]"]
    assert tree.root.status == "done"
    assert tree.find("site/crawl/section[s]/before") is None
    crawled = tree.find("site/crawl")
    assert crawled is not None
    assert crawled.result == ["a", "b"]


async def test_every_spawner_runs_that_may_make_what_is_selected() -> None:
    """At any depth, also those that are spawned; only what is meant of what they make."""
    tree = await run("**/page[http://a/b]")

    assert sorted(ran) == ["crawl", "page http://a/b", "section s"]
    assert left_out(tree) == [
        *("crawl/page[a]", "crawl/page[b]", "crawl/section[s]/page[s1]"),
        *("slowly/page[a]", "slowly/page[b]", "awaits/page[a]"),
    ]


async def test_tags_reach_what_is_spawned() -> None:
    """A template hands them down to its nodes."""
    await run("tag:net", skip=("slowly", "awaits", "**/section[*]"))

    assert ran == ["crawl", "page a", "page b"]


async def test_part_of_a_branch_may_be_selected() -> None:
    """What is declared below a template is looked at as it comes in; nobody waits for what is left out."""
    tree = await run("crawl/*/after")

    assert ran == ["crawl", "section s", "after"]
    assert "site/crawl/section[s]/before" not in tree.ids()
    assert left_out(tree) == [
        "crawl/page[a]",
        "crawl/page[b]",
        "crawl/section[s]/page[s1]",
        "crawl/section[s]/page[http://a/b]",
    ]


async def test_whoever_takes_what_is_left_out_is_refused_when_it_comes_in() -> None:
    """At the yield, with both ways out."""
    tree = site.build()
    tree.select(["crawl/*/takes"])
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert str(error.exceptions[0]) == (
        "task 'site/crawl/section[s]/takes' takes 'none' from 'site/crawl/section[s]/before', which is not selected; "
        "select '+crawl/section[s]/takes', with what it needs, or 'crawl/section[s]/before' too"
    )


@pytest.mark.parametrize(
    ("only", "skip", "inside"),
    [
        (["+crawl/section[s]/takes"], [], ["before", "takes"]),
        (["+**/takes"], [], ["before", "takes"]),
        (["**/before+"], [], ["before", "after", "takes"]),
        (["crawl/section[s]"], ["crawl/section[s]/before+", "**/page[*]"], []),
    ],
)
async def test_what_comes_in_is_selected_with_what_it_needs_in_it(
    only: list[str], skip: list[str], inside: list[str]
) -> None:
    """Both ways out do what the refusal says, and so does a plus in the other direction."""
    tree = await run(*only, skip=tuple(skip))

    section = tree.find("site/crawl/section[s]")
    assert section is not None
    assert [node.name for node in section.children if node.status == "done"] == inside


async def test_skipped_children_are_no_failures_of_a_sequence() -> None:
    """It goes on with the next."""
    await run("slowly/page[b]")

    assert ran == ["page b"]


async def test_who_awaits_a_child_that_is_not_selected_is_told() -> None:
    """By the failure of the child, which can be caught."""
    tree = await run("awaits/page[x]")
    node = tree.find("site/awaits")

    assert node is not None
    assert node.result == "child 'site/awaits/page[a]' was skipped: not selected"
    assert node.status == "done"


async def test_what_is_below_a_selected_node_is_selected_but_for_what_is_skipped() -> None:
    """As it would be if it had been there."""
    tree = await run("crawl", skip=("**/page[b]", "*/section[*]/page[*]"))

    assert ran == ["crawl", "page a", "section s", "before", "after"]
    assert left_out(tree) == ["crawl/page[b]", "crawl/section[s]/page[s1]", "crawl/section[s]/page[http://a/b]"]


async def test_selectors_that_have_meant_nothing_are_known_afterwards() -> None:
    """Before, nobody could have said."""
    tree = await run("crawl/page[a]", "crawl/page[x]", "**/nothing[*]")

    assert tree.selection is not None
    assert (tree.selection.unmet, tree.selection.has_met) == (["crawl/page[x]", "**/nothing[*]"], True)


async def test_reset_forgets_what_the_last_run_has_met() -> None:
    """A second run that spawns nothing that is selected says so, though the first one did."""
    names = ["a"]

    registry = Registry("root")

    @registry.task
    async def leaf(name: str) -> None: ...

    @registry.group
    async def spawns() -> Spawns[None]:
        yield [leaf.child(name) for name in names]

    tree = registry.build()
    tree.select(only=["**/leaf[a]"])
    await AsyncExecutor(tree).run()
    assert tree.selection is not None
    assert tree.selection.unmet == []

    tree.reset()
    assert tree.selection.unmet == ["**/leaf[a]"]
    names[:] = ["b"]
    await AsyncExecutor(tree).run()

    assert tree.selection.unmet == ["**/leaf[a]"]


async def test_node_that_a_body_adds_is_selected_as_well() -> None:
    """Whatever its id is; what waits for one that is left out does not."""

    async def adds(node: TaskNode) -> None:
        node.add_child(TaskNode("left", task_fn=ok))
        node.add_child(TaskNode("right", task_fn=ok, depends_on=["left"]))

    async def holds(node: TaskNode) -> Spawns[None]:
        node.add_child(TaskNode("t/holds/inner", task_fn=adds))
        yield JOIN

    tree = TreeBuilder("t").add_child("t/holds", task=holds).add_child("t/other", task=ok).build()
    tree.select(["holds/inner"], skip=["lef?"])
    await AsyncExecutor(tree).run()

    assert statuses(tree) == {
        "t": "done",
        "t/holds": "done",
        "t/holds/inner": "done",
        "left": "skipped",
        "right": "done",
    }


async def test_skipped_children_come_in_again_with_each_attempt() -> None:
    """A body that is repeated spawns them anew."""
    registry = Registry("r")
    children: list[Child[str]] = []

    @registry.group(max_retries=1)
    async def often() -> Spawns[None]:
        children.append((yield page.child("a")))
        yield page.child("b")
        if len(children) == 1:
            raise OSError("once more")

    ran.clear()
    tree = registry.build()
    tree.select(["often/page[b]"])
    await AsyncExecutor(tree).run()

    assert ran.count("page a") == 0
    assert [child.node.status for child in children] == ["skipped", "skipped"]
    assert tree.find("r/often/page[a]") is children[1].node


async def test_what_is_folded_is_forgotten_by_the_selection() -> None:
    """A million spawners that hold something stay no more than a million pages."""
    registry = Registry("r")

    @registry.group
    async def shelf(name: str) -> Spawns[None]:
        yield page.child(name)

    @registry.group(keep_done="rollup")
    async def often() -> Spawns[None]:
        yield [shelf.child(str(number)) for number in range(50)]

    tree = registry.build()
    tree.select(["often/shelf[*]/page[?]"])
    await AsyncExecutor(tree).run()

    assert tree.selection is not None
    assert (tree.get_stats()["done"], tree.get_stats()["skipped"]) == (2 + 50 + 10, 40)
    assert len(tree) == 2 + 2 * 40
    assert {node.id for node in tree.selection._held} <= set(tree.ids())


async def test_loop_stays_alive_while_nothing_is_selected() -> None:
    """A body that yields child after child gives others their turns."""
    registry = Registry("r")
    seen: list[int] = []
    others: list[int] = []

    @registry.group
    async def often() -> Spawns[None]:
        for number in range(1_000):
            seen.append(number)
            yield page.child(str(number))

    async def look() -> None:
        while len(seen) < 1_000:
            others.append(len(seen))
            await anyio.lowlevel.checkpoint()

    tree = registry.build()
    tree.select(["often/page[x]"])
    async with anyio.create_task_group() as group:
        group.start_soon(look)
        await AsyncExecutor(tree).run()

    assert len({*others}) >= 3  # on trio the order of turns is random
