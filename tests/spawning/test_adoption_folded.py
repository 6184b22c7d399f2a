"""Under `keep_done="rollup"`, what was folded comes back by its key, without the result that it had."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from tests.engine.support import ended, turns
from treetask import JOIN, AsyncExecutor, Child, Registry, Return, Spawns, TaskNode, TaskTree

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

MANY = 200
"""More than stay in the tree while others may come."""

pages = Registry("pages")
other_pages = Registry("other_pages")


class Begun(list[int]):
    """The numbers of the pages that were begun in a test, in order."""


begun = Begun()


@pytest.fixture(autouse=True)
def nothing_begun() -> None:
    """Let each test begin with nothing."""
    begun.clear()


@pages.task(static=False)
async def page(node: TaskNode, number: int) -> int:
    """Note that it was begun; odd ones have a progress of their own."""
    begun.append(number)
    if number % 2:
        node.progress = 1, 1 + number % 5
    return number


@other_pages.task(id="page", static=False)
async def other_page(number: int) -> None:
    """Note that it was begun, under the same key as the other."""
    begun.append(-number)


@pages.group(static=False)
async def site(number: int) -> Spawns[None]:
    """Have pages below."""
    for each in range(3):
        yield page.child(1000 * number + each)


def crawl(*attempts: Callable[[], Sequence[Child[object]]]) -> TaskTree:
    """Return a tree whose body spawns other children in each attempt, and fails in all but the last."""
    tree = Registry("nightly")

    @tree.group(keep_done="rollup", max_retries=len(attempts) - 1, static=False)
    async def crawl(node: TaskNode) -> Spawns[None]:
        yield attempts[node.retry_count]()
        yield JOIN
        await turns()
        if node.retry_count < len(attempts) - 1:
            raise OSError("once more")

    return crawl.build()


def look(tree: TaskTree) -> None:
    """Ask for what a tree counts."""
    numbers(tree)


def numbers(tree: TaskTree) -> list[object]:
    """Whatever a tree counts."""
    return [
        tree.get_stats(),
        tree.get_leaf_stats(),
        tree.get_work_node_stats(),
        tree.get_progress_stats(),
        tree.subtree_stats(tree.root),
        tree.folded_children(tree.root),
    ]


def all_pages() -> Sequence[Child[object]]:
    """Return many simple children."""
    return [page.child(number) for number in range(MANY)]


def all_sites() -> Sequence[Child[object]]:
    """Return many children that have children."""
    return [site.child(number) for number in range(MANY)]


@pytest.mark.parametrize("children", [all_pages, all_sites])
@pytest.mark.parametrize("is_watched", [False, True])
async def test_counts_as_it_did(children: Callable[[], Sequence[Child[object]]], is_watched: bool) -> None:
    """The numbers are those of a run that was not repeated, also of what stands above and was asked for before."""
    once, twice = crawl(children), crawl(children, children)
    if is_watched:
        twice.subtree_stats(twice.root)
    await AsyncExecutor(once).run()
    number = len(begun)
    await AsyncExecutor(twice, on_update=look if is_watched else None).run()

    assert len(begun) == 2 * number
    assert numbers(twice) == numbers(once)


async def test_what_is_not_asked_for_counts_no_more() -> None:
    """The numbers are those of the last attempt."""
    once, twice = crawl(lambda: all_pages()[:50]), crawl(all_pages, lambda: all_pages()[:50])
    await AsyncExecutor(once).run()
    begun.clear()
    await AsyncExecutor(twice).run()

    assert len(begun) == MANY
    assert numbers(twice) == numbers(once)
    assert not twice.was_folded("nightly/crawl/page[60]")


async def test_nothing_is_asked_for() -> None:
    """A body that spawns nothing any more leaves a group without children."""
    tree = crawl(all_pages, list)
    await AsyncExecutor(tree).run()

    assert (tree.get_stats()["total"], tree.root.is_leaf()) == (1, True)


async def test_attempt_that_fails_early_leaves_it_to_the_next_one() -> None:
    """What it had not asked for comes back to the attempt after it, as what it had."""
    tree = crawl(all_pages, lambda: all_pages()[:50], all_pages)
    await AsyncExecutor(tree).run()

    assert begun == [*range(MANY)]
    assert tree.get_stats()["done"] == MANY + 1


async def test_key_that_was_chosen_is_not_enough() -> None:
    """Nobody knows of which arguments it was, so it runs."""
    tree = crawl(*[lambda: [page.child(number).keyed(f"{number}") for number in range(MANY)]] * 2)
    await AsyncExecutor(tree).run()

    assert begun == [*range(MANY)] * 2
    assert tree.get_stats()["done"] == MANY + 1


async def test_child_of_another_declaration_is_another_child() -> None:
    """The same key from another declaration runs."""
    tree = crawl(all_pages, lambda: [other_page.child(number) for number in range(MANY)])
    await AsyncExecutor(tree).run()

    assert begun == [*range(MANY), *(-number for number in range(MANY))]
    assert tree.get_stats()["done"] == MANY + 1


async def test_what_always_runs_does_so_in_each_attempt() -> None:
    """Folded or not."""
    tree = crawl(*[lambda: [page.child(number).with_options(always=True) for number in range(MANY)]] * 2)
    await AsyncExecutor(tree).run()

    assert begun == [*range(MANY)] * 2
    assert tree.get_stats()["done"] == MANY + 1


@pytest.mark.parametrize("is_awaited", [True, False])
async def test_result_that_is_gone_is_refused_by_name(is_awaited: bool) -> None:
    """The handle says that the child is done; asked for what it returned, it says why that is gone, and what helps."""
    tree = Registry("nightly")

    @tree.group(keep_done="rollup", max_retries=2, static=False)
    async def crawl(node: TaskNode) -> Spawns[int]:
        children = [page.child(number) for number in range(MANY)]
        yield children
        yield JOIN
        await turns()
        if node.retry_count < 2:
            raise OSError("once more")
        assert {child.node.status for child in children} == {"done"}
        yield Return(sum([(await child) if is_awaited else child.result for child in children]))

    built = crawl.build()
    await ended(built)

    assert begun == [*range(MANY)]
    assert built.root.error == (
        "the result of child 'nightly/crawl/page[0]' is gone: an earlier attempt has done it, under "
        "keep_done='rollup'; say keep_done='all', or let the child write its result where the next attempt finds it"
    )


async def test_result_that_was_none_is_none() -> None:
    """Nothing of it is gone; a body may await its children to be sure that they are done."""
    tree, results = Registry("nightly"), list[object]()

    @tree.group(keep_done="rollup", max_retries=1, static=False)
    async def crawl(node: TaskNode) -> Spawns[None]:
        children = [other_page.child(number) for number in range(MANY)]
        yield children
        yield JOIN
        await turns()
        if not node.retry_count:
            raise OSError("once")
        for child in children:
            results.append(await child)  # type: ignore[func-returns-value]

    await AsyncExecutor(crawl.build()).run()

    assert results == [None] * MANY


async def test_second_child_of_its_key_is_refused() -> None:
    """It was asked for; a second time is once too often."""
    tree = crawl(all_pages, lambda: [page.child(1), page.child(1)])
    await ended(tree)

    assert tree.root.error == (
        "'nightly/crawl' already has a child 'page[1]'; spawn it once, or tell the two apart: .child(...).keyed('...')"
    )


async def test_keys_of_other_children_in_each_attempt_do_not_pile_up() -> None:
    """Of what was folded, too, no more is left over than one attempt has asked for."""
    tree = crawl(all_pages, lambda: [page.child(MANY + number) for number in range(MANY)], all_pages)
    await AsyncExecutor(tree).run()

    assert begun == [*range(2 * MANY), *range(MANY)]
    assert tree.get_stats()["done"] == MANY + 1
